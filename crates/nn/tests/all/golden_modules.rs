//! Modules against PyTorch: outputs, losses, every gradient, running statistics.

use crate::common::golden;
use inception_autograd::{DType, Graph, Passes, Plan, PlanOptions, Reshape, RunKey, Var};
use inception_autograd::{differentiate, optimise};
use inception_nn::modules::{
    AuxPool, Block, ConvStyle, InceptionAux, InceptionAuxConfig, InceptionConfig,
};
use inception_nn::{Builder, Ctx, Mode, Module, Specs};
use inception_tensor::{Element, Shape};
use inception_testkit::formula::{self, GAIN_RELU};
use inception_testkit::{Golden, Tolerance, layout};
use std::sync::Arc;

/// Which scalar a module's output becomes.
enum Loss {
    /// `Σ output · probe`.
    Probe,
    /// Cross-entropy against the formula's labels.
    CrossEntropy,
}

struct Case<'a> {
    golden: &'a Golden,
    prefix: &'a str,
    input: Shape,
    mode: Mode,
    loss: Loss,
    passes: Passes,
    build: &'a dyn Fn(&mut Builder<'_>) -> Box<dyn Module>,
}

impl Case<'_> {
    /// Records, differentiates and runs the module in `T` and compares everything.
    fn check<T: Element>(&self, to: Tolerance) {
        let mut specs = Specs::default();
        let module = (self.build)(&mut Builder::new(&mut specs));
        let specs = Arc::new(specs);
        let mut graph = Graph::new();
        let x = graph.input(self.input, DType::Real);
        let mut ctx = Ctx {
            graph: &mut graph,
            mode: self.mode,
            specs: &specs,
            frozen: &[],
        };
        let y = module.forward(x, &mut ctx).expect("the module fits");
        let target = self.target(&mut graph, y);
        let loss = self.loss(&mut graph, y, target);
        optimise(&mut graph, &[y, loss], &self.passes);
        let mut wrt = vec![x];
        let trained: Vec<_> = specs
            .iter()
            .filter(|(_, spec)| spec.role.is_trainable())
            .map(|(id, _)| (id, graph.find_param(id).expect("every parameter is read")))
            .collect();
        wrt.extend(trained.iter().map(|&(_, var)| var));
        let grads = differentiate(&mut graph, loss, &wrt).expect("it has a derivative");
        let grad = |var| grads.get(var).expect("every parameter has a gradient");
        let mut keep = vec![y, loss];
        keep.extend(wrt.iter().map(|&var| grad(var)));
        let options = PlanOptions {
            passes: self.passes,
            element_bytes: size_of::<T>(),
            ..PlanOptions::default()
        };
        let plan = Arc::new(Plan::compile(&graph, &keep, &options));

        let mut executor = golden::executor::<T>(plan);
        let parameters = golden::parameters::<T>(&specs, GAIN_RELU);
        executor
            .input_mut(x)
            .copy_from_slice(&golden::images::<T>(self.input));
        match self.loss {
            Loss::Probe => self.write_probe(graph.shape(y), executor.input_mut(target)),
            Loss::CrossEntropy => {
                let labels = formula::labels(self.input.n, graph.shape(y).c);
                let labels: Vec<u32> = labels.into_iter().map(|l| l as u32).collect();
                executor.labels_mut(target).copy_from_slice(&labels);
            }
        }
        executor.prepare(&parameters);
        executor.run(&parameters, RunKey::default());

        let name = |last: &str| format!("{}{last}", self.prefix);
        match self.loss {
            Loss::Probe => golden::check_map(self.golden, &name("output"), executor.output(y), to),
            Loss::CrossEntropy => {
                golden::check_logits(self.golden, &name("output"), executor.output(y), to);
            }
        }
        golden::check_scalar(self.golden, &name("loss"), executor.output(loss), to);
        let dx = executor.output(grad(x));
        golden::check_map(self.golden, &name("grad/input"), dx, to);
        for &(id, var) in &trained {
            let found = executor.output(grad(var));
            golden::check_like_parameter(self.golden, &name("grad/"), &specs, id, found, to);
        }
        for update in graph.updates() {
            let found = executor.output(update.value);
            let (prefix, id) = (name("buffer/"), update.param);
            golden::check_like_parameter(self.golden, &prefix, &specs, id, found, to);
        }
    }

    fn target(&self, graph: &mut Graph, y: Var) -> Var {
        match self.loss {
            Loss::Probe => {
                let numbers = graph.shape(y).len();
                graph.input(Shape::new(1, 1, numbers, 1), DType::Real)
            }
            Loss::CrossEntropy => graph.input(Shape::matrix(self.input.n, 1), DType::U32),
        }
    }

    fn loss(&self, graph: &mut Graph, y: Var, target: Var) -> Var {
        match self.loss {
            Loss::Probe => {
                let shape = Shape::matrix(1, graph.shape(y).len());
                let row = graph
                    .push_one("loss", Reshape { shape }, &[y])
                    .expect("a row");
                graph.linear("loss", row, target, None).expect("a scalar")
            }
            Loss::CrossEntropy => graph
                .cross_entropy("loss", 0.0, y, target)
                .expect("a scalar"),
        }
    }

    fn write_probe<T: Element>(&self, y: Shape, target: &mut [T]) {
        let nchw = [y.n, y.c, y.h, y.w];
        let probe = layout::nchw_to_nhwc(&formula::probe(&nchw), nchw);
        for (to, from) in target.iter_mut().zip(probe) {
            *to = T::of(f64::from(from));
        }
    }
}

/// Checks a case in both precisions, with every pass and with none.
fn check(
    golden: &Golden,
    prefix: &str,
    mode: Mode,
    loss: Loss,
    input: Shape,
    build: &dyn Fn(&mut Builder<'_>) -> Box<dyn Module>,
) {
    let mut case = Case {
        golden,
        prefix,
        input,
        mode,
        loss,
        passes: Passes::NONE,
        build,
    };
    for passes in [Passes::NONE, Passes::TRAINING] {
        case.passes = passes;
        case.check::<f64>(Tolerance::relative(2e-7));
        case.check::<f32>(Tolerance::relative(2e-5));
    }
}

fn inception(style: ConvStyle, third: usize) -> impl Fn(&mut Builder<'_>) -> Box<dyn Module> {
    move |b| {
        let config = InceptionConfig::new([16, 24, 32, 4, 8, 8]);
        Box::new(Block::new(b, style, 48, &config.branches(third)))
    }
}

const MODULE_INPUT: Shape = Shape::new(3, 9, 9, 48);

#[test]
fn the_module_of_the_paper_is_pytorchs() {
    let golden = golden::load("inception_module");
    let build = inception(ConvStyle::Biased, 5);
    check(
        &golden,
        "plain/",
        Mode::Train,
        Loss::Probe,
        MODULE_INPUT,
        &build,
    );
}

#[test]
fn the_module_with_batch_norm_is_pytorchs_in_both_modes() {
    let golden = golden::load("inception_module");
    let build = inception(ConvStyle::BatchNorm, 3);
    check(
        &golden,
        "bn_train/",
        Mode::Train,
        Loss::Probe,
        MODULE_INPUT,
        &build,
    );
    check(
        &golden,
        "bn_eval/",
        Mode::Eval,
        Loss::Probe,
        MODULE_INPUT,
        &build,
    );
}

#[test]
fn the_auxiliary_classifier_is_pytorchs() {
    let golden = golden::load("inception_aux");
    let config = InceptionAuxConfig {
        style: ConvStyle::BatchNorm,
        pool: AuxPool::Adaptive,
        input: [14, 14, 64],
        classes: 7,
        dropout: 0.0,
    };
    let build = |b: &mut Builder<'_>| -> Box<dyn Module> {
        Box::new(InceptionAux::new(b, &config).expect("14 pixels are enough"))
    };
    let input = Shape::new(2, 14, 14, 64);
    check(&golden, "", Mode::Train, Loss::CrossEntropy, input, &build);
}
