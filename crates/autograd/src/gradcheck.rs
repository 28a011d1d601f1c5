//! Gradients against finite differences, in double precision.

use crate::{Executor, Graph, GraphError, ParamId, Params, Passes, Plan, PlanOptions, RunKey, Var};
use crate::{differentiate, optimise};
use inception_tensor::{Pool, Stream, Tensor};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Parameters by number, as a check needs them.
#[derive(Clone, Debug, Default)]
pub struct CheckParams {
    tensors: BTreeMap<ParamId, Tensor<f64>>,
}

impl CheckParams {
    /// Adds or replaces a parameter.
    pub fn insert(&mut self, id: ParamId, tensor: Tensor<f64>) {
        self.tensors.insert(id, tensor);
    }
}

impl Params<f64> for CheckParams {
    fn param(&self, id: ParamId) -> &[f64] {
        self.tensors[&id].data()
    }
}

/// A loss of parameters, and the numbers at which its gradient is checked.
#[derive(Debug)]
pub struct Problem {
    /// A forward graph.
    pub graph: Graph,
    /// A scalar of it.
    pub loss: Var,
    /// All parameters: what gradients are checked of.
    pub params: CheckParams,
    /// Numbers that the graph reads.
    pub inputs: Vec<(Var, Tensor<f64>)>,
    /// Labels that the graph reads.
    pub labels: Vec<(Var, Vec<u32>)>,
    /// Passes that are run before differentiation and planning.
    pub passes: Passes,
}

/// The largest disagreement found.
#[derive(Clone, Copy, Debug)]
pub struct Disagreement {
    /// `|analytic − numeric| / max(|analytic|, |numeric|, floor)`.
    pub relative_error: f64,
    /// Along which parameter.
    pub param: ParamId,
    /// The directional derivative by the backward operators.
    pub analytic: f64,
    /// The same by differences.
    pub numeric: f64,
}

impl Problem {
    /// Compares the gradient of every parameter along `directions` random directions with a
    /// five-point stencil `(f(x−2h) − 8f(x−h) + 8f(x+h) − f(x+2h)) / 12h`, `h` = 10⁻³, and
    /// returns the worst.
    ///
    /// Errors are relative to the larger derivative, but not less than 10⁻² of the loss's
    /// own scale, so that cancellation near a zero derivative does not count.
    ///
    /// # Errors
    /// When the graph cannot be differentiated.
    ///
    /// # Panics
    /// When the graph has no parameter.
    pub fn check(mut self, directions: u64, seed: u64) -> Result<Disagreement, GraphError> {
        optimise(&mut self.graph, &[self.loss], &self.passes);
        let wrt: Vec<(ParamId, Var)> = self.graph.params().collect();
        let vars: Vec<Var> = wrt.iter().map(|p| p.1).collect();
        let grads = differentiate(&mut self.graph, self.loss, &vars)?;
        let wanted: Vec<(ParamId, Var)> = wrt
            .iter()
            .filter_map(|&(id, var)| Some((id, grads.get(var)?)))
            .collect();
        let mut runner = Runner::new(&self, &wanted);
        let base = runner.loss(&self.params);
        let analytic: Vec<Tensor<f64>> = wanted.iter().map(|&(_, g)| runner.value(g)).collect();
        let mut worst: Option<Disagreement> = None;
        for (&(id, _), grad) in wanted.iter().zip(&analytic) {
            for d in 0..directions {
                let mut stream = Stream::new(&[seed, u64::from(id.0), d]);
                let found = runner.along(&self.params, id, grad, base, &mut stream);
                let error = found.relative_error;
                if worst.is_none_or(|w| error.is_nan() || error > w.relative_error) {
                    worst = Some(found);
                }
            }
        }
        Ok(worst.expect("a graph with a parameter"))
    }
}

struct Runner {
    executor: Executor<f64>,
    inputs: Vec<(Var, Tensor<f64>)>,
    labels: Vec<(Var, Vec<u32>)>,
    loss: Var,
}

impl Runner {
    fn new(problem: &Problem, wanted: &[(ParamId, Var)]) -> Self {
        let mut keep = vec![problem.loss];
        keep.extend(wanted.iter().map(|w| w.1));
        let options = PlanOptions {
            passes: problem.passes,
            element_bytes: 8,
            ..PlanOptions::default()
        };
        let plan = Arc::new(Plan::compile(&problem.graph, &keep, &options));
        Self {
            executor: Executor::new(plan, &Pool::serial()).expect("a small plan fits memory"),
            inputs: problem.inputs.clone(),
            labels: problem.labels.clone(),
            loss: problem.loss,
        }
    }

    fn loss(&mut self, params: &CheckParams) -> f64 {
        for (var, numbers) in &self.inputs {
            let input = self.executor.input_mut(*var);
            input.copy_from_slice(numbers.data());
        }
        for (var, labels) in &self.labels {
            self.executor.labels_mut(*var).copy_from_slice(labels);
        }
        self.executor.prepare(params);
        self.executor.run(params, RunKey::default());
        self.executor.output(self.loss).dense()[0]
    }

    fn value(&self, var: Var) -> Tensor<f64> {
        let view = self.executor.output(var);
        let mut tensor = Tensor::zeros(view.shape());
        tensor.view_mut().copy_from(view);
        tensor
    }

    fn along(
        &mut self,
        params: &CheckParams,
        id: ParamId,
        grad: &Tensor<f64>,
        base: f64,
        stream: &mut Stream,
    ) -> Disagreement {
        const H: f64 = 1e-3;
        let x = &params.tensors[&id];
        let mut direction: Vec<f64> = (0..x.shape().len()).map(|_| stream.normal()).collect();
        let norm = direction.iter().map(|d| d * d).sum::<f64>().sqrt();
        direction.iter_mut().for_each(|d| *d /= norm);
        let mut at = |t: f64| {
            let mut moved = params.clone();
            let data = x.data().iter().zip(&direction).map(|(x, d)| x + t * d);
            moved.insert(id, Tensor::from_vec(x.shape(), data.collect()));
            self.loss(&moved)
        };
        let numeric = (at(-2.0 * H) - 8.0 * at(-H) + 8.0 * at(H) - at(2.0 * H)) / (12.0 * H);
        let products = grad.data().iter().zip(&direction).map(|(g, d)| g * d);
        let analytic: f64 = products.sum();
        let scale = analytic
            .abs()
            .max(numeric.abs())
            .max(1e-2 * base.abs().max(1e-2));
        Disagreement {
            relative_error: (analytic - numeric).abs() / scale,
            param: id,
            analytic,
            numeric,
        }
    }
}
