//! A module under training: forward and backward.

use crate::block::random;
use anyhow::{Context, Result};
use inception_autograd::{
    DType, Executor, Graph, Passes, Plan, PlanOptions, RunKey, Var, differentiate, optimise,
};
use inception_nn::modules::{AdaptiveAvgPool2d, Block, ConvStyle, InceptionConfig, Linear};
use inception_nn::{Builder, Ctx, Mode, Module, Parameters, Specs};
use inception_tensor::{Pool, Shape};
use std::sync::Arc;

/// What is trained.
#[derive(Clone, Copy, Debug)]
pub struct TrainingConfig {
    /// `[n, h, w, c]`.
    pub input: Shape,
    /// Bias or batch normalisation.
    pub style: ConvStyle,
    /// Side of the third branch's filters.
    pub third_kernel: usize,
    /// The module's channels.
    pub config: InceptionConfig,
}

/// Classes of the small classifier behind the module, which gives it a loss.
const CLASSES: usize = 10;

/// A module, a global average and a small linear layer, ready for the forward and backward
/// passes of a batch: gradients of all parameters and of the input.
#[derive(Debug)]
pub struct Training {
    executor: Executor<f32>,
    parameters: Parameters<f32>,
    images: Var,
    labels: Var,
    numbers: Vec<f32>,
}

impl Training {
    /// Records, plans and allocates.
    ///
    /// # Errors
    /// When the module does not fit the input or memory is not to be had.
    pub fn new(config: &TrainingConfig, pool: &Pool) -> Result<Self> {
        let input = config.input;
        let mut specs = Specs::default();
        let mut b = Builder::new(&mut specs);
        let channels = &config.config;
        let module = Block::new(
            &mut b.at("module"),
            config.style,
            input.c,
            &channels.branches(config.third_kernel),
        );
        let average = AdaptiveAvgPool2d::global(&b.at("average"));
        let linear = Linear::new(&mut b.at("fc"), channels.c_out(), CLASSES);
        let mut graph = Graph::new();
        let images = graph.input(input, DType::Real);
        let labels = graph.input(Shape::matrix(input.n, 1), DType::U32);
        let mut ctx = Ctx {
            graph: &mut graph,
            mode: Mode::Train,
            specs: &specs,
            frozen: &[],
        };
        let map = module.forward(images, &mut ctx)?;
        let mean = average.forward(map, &mut ctx)?;
        let logits = linear.forward(mean, &mut ctx)?;
        let loss = graph.cross_entropy("loss", 0.0, logits, labels)?;
        optimise(&mut graph, &[loss], &Passes::TRAINING);
        let keep = gradients(&mut graph, &specs, loss, images)?;
        let options = PlanOptions {
            passes: Passes::TRAINING,
            ..PlanOptions::default()
        };
        let plan = Plan::compile(&graph, &keep, &options);
        let parameters = Parameters::from_specs(Arc::new(specs), 0);
        let mut executor = Executor::new(Arc::new(plan), pool)?;
        executor.prepare(&parameters);
        Ok(Self {
            executor,
            parameters,
            images,
            labels,
            numbers: random(input.len(), "images"),
        })
    }

    /// Writes images and labels, whose memory may serve other values after a run.
    pub fn load(&mut self) {
        let images = self.executor.input_mut(self.images);
        images.copy_from_slice(&self.numbers);
        for (label, class) in self.executor.labels_mut(self.labels).iter_mut().zip(0..) {
            *label = class % CLASSES as u32;
        }
    }

    /// Bytes of the planned arena.
    pub fn arena_bytes(&self) -> u64 {
        self.executor.plan().arena_bytes() as u64
    }

    /// Runs forward and backward once.
    pub fn run(&mut self) {
        self.executor.run(&self.parameters, RunKey::default());
    }
}

/// The loss and the gradients of every trained parameter and of the input.
fn gradients(graph: &mut Graph, specs: &Specs, loss: Var, images: Var) -> Result<Vec<Var>> {
    let trained = specs.iter().filter(|(_, spec)| spec.role.is_trainable());
    let mut wrt: Vec<Var> = trained.filter_map(|(id, _)| graph.find_param(id)).collect();
    wrt.push(images);
    let found = differentiate(graph, loss, &wrt)?;
    let mut keep = vec![loss];
    for var in wrt {
        keep.push(found.get(var).context("the loss depends on it")?);
    }
    Ok(keep)
}
