//! Fixtures of PyTorch on this side: parameters, images and labels by the shared formula,
//! and results brought into PyTorch's layouts.

use inception_autograd::{Executor, Params, RunKey, Var};
use inception_nn::{LoadMode, Parameters, Specs, StateTensor, TrainProgram};
use inception_tensor::{Element, Pool, Shape, View};
use inception_testkit::formula::{self, Kind};
use inception_testkit::{Golden, Tolerance, layout};
use std::sync::Arc;

/// A fixture that the repository holds.
pub fn load(name: &str) -> Golden {
    Golden::load(name).expect("the repository holds the fixture")
}

/// Every parameter and running statistic by the formula.
pub fn parameters<T: Element>(specs: &Arc<Specs>, gain: f64) -> Parameters<T> {
    let tensors: Vec<StateTensor<T>> = specs
        .iter()
        .map(|(_, spec)| {
            let (name, shape) = (spec.name.clone(), spec.torch_shape());
            let values = formula::parameter(&name, &shape, Kind::of(&name, &shape, gain));
            let data = values.into_iter().map(|x| T::of(f64::from(x))).collect();
            StateTensor { name, shape, data }
        })
        .collect();
    let mut parameters = Parameters::from_specs(Arc::clone(specs), 0);
    parameters
        .load_state_dict(tensors, LoadMode::Strict)
        .expect("the tensors were made for these specs");
    parameters
}

/// The images of a fixture, channels-last.
pub fn images<T: Element>(shape: Shape) -> Vec<T> {
    let nchw = [shape.n, shape.c, shape.h, shape.w];
    let values = layout::nchw_to_nhwc(&formula::input(&nchw), nchw);
    values.into_iter().map(|x| T::of(f64::from(x))).collect()
}

/// Compares a map, channels-last here and channels-first there.
#[track_caller]
pub fn check_map<T: Element>(golden: &Golden, name: &str, found: View<'_, T>, to: Tolerance) {
    let s = found.shape();
    let data: Vec<f64> = found.dense().iter().map(|x| x.f64()).collect();
    let nchw = layout::nhwc_to_nchw(&data, s.array());
    check(golden, name, &[s.n, s.c, s.h, s.w], &nchw, to);
}

/// Compares logits.
#[track_caller]
pub fn check_logits<T: Element>(golden: &Golden, name: &str, found: View<'_, T>, to: Tolerance) {
    let data: Vec<f64> = found.dense().iter().map(|x| x.f64()).collect();
    check(golden, name, &[found.shape().n, found.shape().c], &data, to);
}

/// Compares a scalar.
#[track_caller]
pub fn check_scalar<T: Element>(golden: &Golden, name: &str, found: View<'_, T>, to: Tolerance) {
    check(golden, name, &[], &[found.dense()[0].f64()], to);
}

/// Compares something of a parameter's shape: its gradient or its next value.
#[track_caller]
pub fn check_like_parameter<T: Element>(
    golden: &Golden,
    prefix: &str,
    specs: &Specs,
    id: inception_autograd::ParamId,
    found: View<'_, T>,
    to: Tolerance,
) {
    let spec = specs.get(id);
    let memory: Vec<f64> = found.dense().iter().map(|x| x.f64()).collect();
    let mut torch = vec![0.0; memory.len()];
    spec.layout.write(spec.shape, &memory, &mut torch);
    check(
        golden,
        &format!("{prefix}{}", spec.name),
        &spec.torch_shape(),
        &torch,
        to,
    );
}

#[track_caller]
fn check(golden: &Golden, name: &str, shape: &[usize], found: &[f64], to: Tolerance) {
    if let Err(error) = golden.check(name, shape, found, to) {
        panic!("{error}");
    }
}

/// Constants of stochastic gradient descent.
#[derive(Clone, Copy)]
pub struct Sgd {
    pub lr: f64,
    pub momentum: f64,
}

impl Sgd {
    /// Those of a fixture's curve.
    pub fn of(golden: &Golden) -> Self {
        let number = |key| golden.number(key).expect("the fixture tells");
        Self {
            lr: number("lr"),
            momentum: number("momentum"),
        }
    }
}

/// An executor of a training program with a fixture's images and labels in place.
pub struct Trainer<T> {
    pub program: TrainProgram,
    pub executor: Executor<T>,
    pub images: Vec<T>,
    pub labels: Vec<u32>,
}

impl<T: Element> Trainer<T> {
    pub fn new(program: TrainProgram) -> Self {
        let shape = program.graph.shape(program.images);
        let classes = program.graph.shape(program.logits).c;
        let plan = Arc::new(program.compile::<T>());
        let labels = formula::labels(shape.n, classes);
        Self {
            executor: executor(plan),
            images: images(shape),
            labels: labels.into_iter().map(|l| l as u32).collect(),
            program,
        }
    }

    /// One forward and backward pass.
    pub fn run(&mut self, parameters: &impl Params<T>) {
        let (images, labels) = (
            self.program.images,
            self.program
                .targets
                .labels()
                .expect("labels are the default"),
        );
        self.executor
            .input_mut(images)
            .copy_from_slice(&self.images);
        self.executor
            .labels_mut(labels)
            .copy_from_slice(&self.labels);
        self.executor.prepare(parameters);
        self.executor.run(parameters, RunKey::default());
    }

    pub fn scalar(&self, var: Var) -> f64 {
        self.executor.output(var).dense()[0].f64()
    }

    /// The losses before each of some steps, as PyTorch's SGD counts them:
    /// `v ← momentum·v + g`, `p ← p − lr·v`.
    pub fn curve(&mut self, parameters: &mut Parameters<T>, sgd: Sgd, steps: usize) -> Vec<f64> {
        let (lr, momentum) = (T::of(sgd.lr), T::of(sgd.momentum));
        let mut velocity: Vec<Vec<T>> = Vec::new();
        for grad in &self.program.grads {
            velocity.push(vec![T::zero(); parameters.get(grad.param).len()]);
        }
        let mut losses = Vec::new();
        for _ in 0..steps {
            self.run(parameters);
            losses.push(self.scalar(self.program.loss));
            for (grad, velocity) in self.program.grads.iter().zip(&mut velocity) {
                let gradient = self.executor.output(grad.grad).dense();
                let values = parameters.get_mut(grad.param);
                for ((p, v), &g) in values.iter_mut().zip(velocity).zip(gradient) {
                    *v = momentum * *v + g;
                    *p -= lr * *v;
                }
            }
        }
        losses
    }

    /// Compares every gradient and every running statistic after the batch.
    pub fn check_gradients(&self, golden: &Golden, prefix: &str, specs: &Specs, to: Tolerance) {
        for grad in &self.program.grads {
            let found = self.executor.output(grad.grad);
            let prefix = format!("{prefix}grad/");
            check_like_parameter(golden, &prefix, specs, grad.param, found, to);
        }
        for update in self.program.graph.updates() {
            let found = self.executor.output(update.value);
            let prefix = format!("{prefix}buffer/");
            check_like_parameter(golden, &prefix, specs, update.param, found, to);
        }
    }
}

/// An executor on two threads.
pub fn executor<T: Element>(plan: Arc<inception_autograd::Plan>) -> Executor<T> {
    let pool = Pool::new(2).expect("two threads start");
    Executor::new(plan, &pool).expect("there is memory")
}
