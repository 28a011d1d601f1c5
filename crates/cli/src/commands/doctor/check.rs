//! Whether the kernels compute what they should on this machine.

use anyhow::Result;
use inception_autograd::gradcheck::{CheckParams, Problem};
use inception_autograd::{DType, Graph, ParamId, Passes};
use inception_deploy::{Classifier, PredictorConfig};
use inception_nn::modules::{Flatten, InceptionConfig, Linear, SimpleInception};
use inception_nn::{Builder, Ctx, Mode, Model, ModelOptions, Module, Parameters, Specs};
use inception_tensor::{Element, Pool, Shape, Stream, Tensor};
use serde::Serialize;
use std::sync::Arc;

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

/// Numbers from −1 to 1 in random order, so far apart that a small step does not change which
/// one is the largest of a window: at such a place a maximum has no derivative.
fn apart(len: usize) -> Vec<f64> {
    let number = |i: usize| 2.0 * (i as f64 + 0.5) / len as f64 - 1.0;
    let mut numbers: Vec<f64> = (0..len).map(number).collect();
    Stream::new(&[8]).shuffle(&mut numbers);
    numbers
}

/// Gradients of an Inception module behind nothing but its image, so that its maxima are
/// taken over numbers that are [`apart`], and of a classifier; against differences.
fn gradients() -> Result<Check> {
    const CLASSES: usize = 3;
    const CONFIG: InceptionConfig = InceptionConfig::new([2, 2, 3, 2, 3, 2]);
    let mut specs = Specs::default();
    let mut builder = Builder::new(&mut specs);
    let module = SimpleInception::new(&mut builder.at("inception"), 3, &CONFIG);
    let flatten = Flatten::new(&builder.at("flatten"));
    let fc = Linear::new(&mut builder.at("fc"), 6 * 6 * CONFIG.c_out(), CLASSES);
    let specs = Arc::new(specs);
    let parameters = Parameters::<f64>::from_specs(Arc::clone(&specs), 0);
    let mut params = CheckParams::default();
    for (id, spec) in specs.iter() {
        let numbers = parameters.get(id).to_vec();
        params.insert(id, Tensor::from_vec(spec.shape, numbers));
    }
    let batch = Shape::new(2, 6, 6, 3);
    let image = ParamId(specs.len() as u32);
    params.insert(image, Tensor::from_vec(batch, apart(batch.len())));
    let mut graph = Graph::new();
    let images = graph.param(image, batch);
    let labels = graph.input(Shape::matrix(2, 1), DType::U32);
    let mut ctx = Ctx {
        graph: &mut graph,
        mode: Mode::Train,
        specs: &specs,
        frozen: &[],
    };
    let x = module.forward(images, &mut ctx)?;
    let x = flatten.forward(x, &mut ctx)?;
    let logits = fc.forward(x, &mut ctx)?;
    let loss = graph.cross_entropy("loss", 0.1, logits, labels)?;
    let problem = Problem {
        graph,
        loss,
        params,
        inputs: Vec::new(),
        labels: vec![(labels, vec![0, 2])],
        passes: Passes::TRAINING,
    };
    let error = problem.check(3, 3)?.relative_error;
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
    let plan = Arc::new(program.compile::<f64>());
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
