//! Graphs for tests: random ones, and helpers to run any.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses its own part"
)]

use inception_autograd::gradcheck::{CheckParams, Problem};
use inception_autograd::{
    DType, Executor, Graph, ParamId, Passes, Plan, PlanOptions, Recompute, RunKey, Var,
    differentiate, optimise, recompute,
};
use inception_ops::{PadCount, Window};
use inception_tensor::{Pool, Shape, Stream, Tensor};
use std::sync::Arc;

/// A forward graph under construction, with numbers for its parameters.
pub struct Net {
    pub graph: Graph,
    pub params: CheckParams,
    pub inputs: Vec<(Var, Tensor<f64>)>,
    pub labels: Vec<(Var, Vec<u32>)>,
    pub stream: Stream,
    next: u32,
}

impl Net {
    pub fn new(seed: u64) -> Self {
        Self {
            graph: Graph::new(),
            params: CheckParams::default(),
            inputs: Vec::new(),
            labels: Vec::new(),
            stream: Stream::new(&[seed, 0x6e65_7473]),
            next: 0,
        }
    }

    /// A parameter of numbers in `-1..1`, none nearer to zero than 0.05, so that a step of a
    /// stencil crosses no kink.
    pub fn param(&mut self, shape: Shape) -> Var {
        let stream = &mut self.stream;
        let tensor = Tensor::from_fn(shape, |_| {
            let x = stream.range(-1.0, 1.0);
            x + 0.05 * x.signum()
        });
        let id = ParamId(self.next);
        self.next += 1;
        self.params.insert(id, tensor);
        self.graph.param(id, shape)
    }

    /// A map that is a parameter plus an input: it has a gradient, and what reads it depends
    /// on more than parameters, so that it is planned like a step of a real run.
    pub fn map(&mut self, shape: Shape) -> Var {
        let param = self.param(shape);
        let input = self.graph.input(shape, DType::Real);
        self.inputs.push((input, Tensor::zeros(shape)));
        self.graph
            .sum("map", &[(param, 1.0), (input, 1.0)])
            .unwrap()
    }

    pub fn labels(&mut self, n: usize, classes: u64) -> Var {
        let var = self.graph.input(Shape::matrix(n, 1), DType::U32);
        let labels = (0..n).map(|_| self.stream.below(classes) as u32).collect();
        self.labels.push((var, labels));
        var
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.stream.below(n as u64) as usize
    }

    pub fn conv(&mut self, path: &str, x: Var, window: Window, c: usize, bias: bool) -> Var {
        let [kh, kw] = window.kernel;
        let c_in = self.graph.shape(x).c;
        let weight = self.param(Shape::new(kh, kw, c_in, c));
        let bias = bias.then(|| self.param(Shape::vector(c)));
        self.graph.conv2d(path, window, x, weight, bias).unwrap()
    }

    pub fn batch_norm(&mut self, path: &str, x: Var) -> Var {
        let c = self.graph.shape(x).c;
        let (gamma, beta) = (self.param(Shape::vector(c)), self.param(Shape::vector(c)));
        self.graph.batch_norm(path, 1e-1, x, gamma, beta).unwrap().y
    }

    /// What gradients of `loss` are checked by.
    pub fn problem(self, loss: Var) -> Problem {
        Problem {
            graph: self.graph,
            loss,
            params: self.params,
            inputs: self.inputs,
            labels: self.labels,
            passes: Passes::TRAINING,
        }
    }

    /// A classifier's loss on top of `x`.
    pub fn head(&mut self, x: Var, classes: usize) -> Var {
        let s = self.graph.shape(x);
        let pooled = self.graph.global_avg_pool("head.pool", x).unwrap();
        let weight = self.param(Shape::new(1, 1, s.c, classes));
        let bias = self.param(Shape::vector(classes));
        let logits = self
            .graph
            .linear("head.fc", pooled, weight, Some(bias))
            .unwrap();
        let labels = self.labels(s.n, classes as u64);
        self.graph
            .cross_entropy("head.loss", 0.1, logits, labels)
            .unwrap()
    }
}

/// A random graph of everything that shares memory: siblings, concatenations of
/// concatenations, sums, operators in place, values that are read twice.
pub fn random_net(seed: u64, operators: usize) -> (Net, Var) {
    let mut net = Net::new(seed);
    let shape = Shape::new(2, 3, 4, 3);
    let mut values = vec![net.map(shape)];
    for i in 0..operators {
        let x = values[net.below(values.len())];
        let path = format!("stage{}.op{i}", i / 4);
        let y = match net.below(10) {
            0 | 1 => {
                let (c, bias) = (1 + net.below(4), net.below(2) == 0);
                net.conv(&path, x, Window::square(1), c, bias)
            }
            2 => {
                let c = 1 + net.below(4);
                net.conv(&path, x, Window::square(3).padding(1), c, true)
            }
            3 | 4 => net.graph.relu(&path, x).unwrap(),
            5 => {
                let normed = net.batch_norm(&path, x);
                net.graph.relu(&path, normed).unwrap()
            }
            6 => net
                .graph
                .max_pool(&path, Window::square(3).padding(1), x)
                .unwrap(),
            7 => {
                let window = Window::square(3).padding(1);
                net.graph
                    .avg_pool(&path, window, PadCount::Exclude, x)
                    .unwrap()
            }
            8 => {
                let mut parts = vec![x];
                for _ in 0..1 + net.below(2) {
                    parts.push(values[net.below(values.len())]);
                }
                net.graph.concat(&path, &parts).unwrap()
            }
            _ => {
                let c = net.graph.shape(x).c;
                let same: Vec<Var> = values
                    .iter()
                    .copied()
                    .filter(|&v| net.graph.shape(v).c == c)
                    .collect();
                let other = same[net.below(same.len())];
                net.graph.sum(&path, &[(x, 1.0), (other, 0.5)]).unwrap()
            }
        };
        values.push(y);
    }
    let last: Vec<Var> = values.iter().rev().take(3).copied().collect();
    let joined = net.graph.concat("last", &last).unwrap();
    let loss = net.head(joined, 3);
    (net, loss)
}

/// Loss and gradients of all parameters under `passes`, and the arena's size.
pub struct Run {
    pub loss: f64,
    pub grads: Vec<(ParamId, Tensor<f64>)>,
    pub arena_bytes: usize,
}

pub fn run(net: &Net, loss: Var, passes: Passes, threads: usize) -> Run {
    run_again(net, loss, passes, Recompute::Nothing, threads)
}

/// The same with maps made again.
pub fn run_again(net: &Net, loss: Var, passes: Passes, what: Recompute, threads: usize) -> Run {
    let mut graph = net.graph.clone();
    optimise(&mut graph, &[loss], &passes);
    let forward = graph.nodes().len();
    let wrt: Vec<(ParamId, Var)> = graph.params().collect();
    let vars: Vec<Var> = wrt.iter().map(|p| p.1).collect();
    let grads = differentiate(&mut graph, loss, &vars).unwrap();
    let grads: Vec<(ParamId, Var)> = wrt
        .iter()
        .filter_map(|&(id, v)| Some((id, grads.get(v)?)))
        .collect();
    let mut keep = vec![loss];
    keep.extend(grads.iter().map(|g| g.1));
    recompute(&mut graph, forward, &keep, what);
    let options = PlanOptions {
        passes,
        element_bytes: 8,
        ..PlanOptions::default()
    };
    let plan = Arc::new(Plan::compile(&graph, &keep, &options));
    let executor = run_twice(net, plan, &Pool::new(threads).unwrap());
    let value = |var: Var| {
        let view = executor.output(var);
        let mut tensor = Tensor::zeros(view.shape());
        tensor.view_mut().copy_from(view);
        tensor
    };
    Run {
        loss: executor.output(loss).dense()[0],
        grads: grads.iter().map(|&(id, v)| (id, value(v))).collect(),
        arena_bytes: executor.plan().arena_bytes(),
    }
}

/// Runs a plan twice after one preparation: whatever a run leaves behind, the next one computes
/// the same.
pub fn run_twice(net: &Net, plan: Arc<Plan>, pool: &Pool) -> Executor<f64> {
    let mut executor = Executor::new(plan, pool).unwrap();
    executor.prepare(&net.params);
    for _ in 0..2 {
        for (var, numbers) in &net.inputs {
            executor.input_mut(*var).copy_from_slice(numbers.data());
        }
        for (var, labels) in &net.labels {
            executor.labels_mut(*var).copy_from_slice(labels);
        }
        executor.run(&net.params, RunKey::default());
    }
    executor
}

/// The loss alone under `passes`.
pub fn forward(net: &Net, loss: Var, passes: Passes) -> f64 {
    let mut graph = net.graph.clone();
    optimise(&mut graph, &[loss], &passes);
    let options = PlanOptions {
        passes,
        element_bytes: 8,
        // So little that slices are of an image each.
        cache_bytes: 64,
    };
    let plan = Arc::new(Plan::compile(&graph, &[loss], &options));
    let executor = run_twice(net, plan, &Pool::serial());
    executor.output(loss).dense()[0]
}
