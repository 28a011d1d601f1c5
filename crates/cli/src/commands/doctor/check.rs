//! Whether the kernels compute what they should on this machine.

use anyhow::Result;
use inception_autograd::gradcheck::{CheckParams, Problem};
use inception_autograd::{DType, Graph, ParamId, Passes};
use inception_deploy::{Classifier, PredictorConfig};
use inception_nn::{Mode, Model, ModelOptions, Parameters};
use inception_tensor::{Element, Pool, Shape, Stream, Tensor};
use serde::Serialize;

/// The largest relative error of a gradient.
const GRADIENT_LIMIT: f64 = 1e-6;
/// The largest difference of single from double precision, over the largest logit.
const PRECISION_LIMIT: f64 = 1e-4;
/// Threads that a result must not depend on.
const THREADS: [usize; 2] = [2, 3];

/// A question and its answer.
#[derive(Serialize)]
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) found: String,
    pub(super) ok: bool,
}

pub(super) fn all(pool: &Pool) -> Result<Vec<Check>> {
    Ok(vec![gradients()?, precision(pool)?, threads()?])
}

fn small(name: &str, side: usize, classes: usize) -> Result<Model> {
    let options = ModelOptions {
        input: Some([3, side, side]),
        classes: Some(classes),
        ..ModelOptions::default()
    };
    Ok(Model::build(name, &options)?)
}

fn noise<T: Element>(len: usize) -> Vec<T> {
    let mut stream = Stream::new(&[7]);
    (0..len).map(|_| T::of(stream.normal())).collect()
}

/// Gradients of an Inception module, all parameters and the image, against differences.
fn gradients() -> Result<Check> {
    const CLASSES: usize = 3;
    let model = small("simple-inception", 6, CLASSES)?;
    let parameters = Parameters::<f64>::init(&model, 0);
    let mut params = CheckParams::default();
    for (id, spec) in model.specs().iter() {
        let numbers = parameters.get(id).to_vec();
        params.insert(id, Tensor::from_vec(spec.shape, numbers));
    }
    let batch = model.batch(2);
    let image = ParamId(model.specs().len() as u32);
    params.insert(image, Tensor::from_vec(batch, noise(batch.len())));
    let mut graph = Graph::new();
    let images = graph.param(image, batch);
    let labels = graph.input(Shape::matrix(2, 1), DType::U32);
    let outputs = model.forward(images, &mut model.context(&mut graph, Mode::Train))?;
    let loss = graph.cross_entropy("loss", 0.1, outputs.logits, labels)?;
    let problem = Problem {
        graph,
        loss,
        params,
        inputs: Vec::new(),
        labels: vec![(labels, vec![0, 2])],
        passes: Passes::TRAINING,
    };
    let error = problem.check(1, 3)?.relative_error;
    Ok(Check {
        name: "gradients against finite differences",
        found: format!("relative error {error:.1e}, allowed {GRADIENT_LIMIT:.0e}"),
        ok: error <= GRADIENT_LIMIT,
    })
}

/// Logits of the network in use, in single precision.
fn logits(pool: &Pool) -> Result<(Model, Vec<f32>)> {
    let model = small("inception-small", 32, 10)?;
    let parameters = Parameters::<f32>::init(&model, 0);
    let config = PredictorConfig {
        pool: pool.clone(),
        ..PredictorConfig::default()
    };
    let images = noise::<f32>(model.batch(3).len());
    let mut classifier = Classifier::new(model, parameters, &config);
    let answers = classifier.run(3, &images)?;
    let logits = answers.into_iter().flat_map(|a| a.logits).collect();
    Ok((small("inception-small", 32, 10)?, logits))
}

/// Single precision, through the vector kernels, against double precision, which takes
/// none of them.
fn precision(pool: &Pool) -> Result<Check> {
    let (model, found) = logits(pool)?;
    let parameters = Parameters::<f32>::init(&model, 0).cast::<f64>();
    let program = inception_nn::EvalProgram::record(&model, 3, Passes::NONE)?;
    let plan = std::sync::Arc::new(program.compile::<f64>());
    let mut executor = inception_autograd::Executor::new(plan, pool)?;
    executor.prepare(&parameters);
    let images = noise::<f32>(model.batch(3).len());
    let input = executor.input_mut(program.images);
    input
        .iter_mut()
        .zip(images)
        .for_each(|(to, x)| *to = f64::from(x));
    executor.run(&parameters, inception_autograd::RunKey::default());
    let expected = executor.output(program.logits).dense();
    let largest = expected.iter().fold(0.0f64, |most, x| most.max(x.abs()));
    let pairs = expected.iter().zip(found);
    let error = pairs.fold(0.0f64, |most, (e, f)| most.max((e - f64::from(f)).abs()));
    let error = error / largest;
    Ok(Check {
        name: "single against double precision",
        found: format!("relative error {error:.1e}, allowed {PRECISION_LIMIT:.0e}"),
        ok: error <= PRECISION_LIMIT,
    })
}

fn threads() -> Result<Check> {
    let bits = |threads: usize| -> Result<Vec<u32>> {
        let (_, logits) = logits(&Pool::new(threads)?)?;
        Ok(logits.into_iter().map(f32::to_bits).collect())
    };
    let expected = bits(1)?;
    let mut same = true;
    for threads in THREADS {
        same &= bits(threads)? == expected;
    }
    Ok(Check {
        name: "1, 2 and 3 threads",
        found: if same {
            "the same bits"
        } else {
            "different bits"
        }
        .to_owned(),
        ok: same,
    })
}
