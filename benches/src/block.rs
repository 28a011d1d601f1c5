//! A part of a network that stands alone.

use crate::cost::Cost;
use anyhow::Result;
use inception_autograd::{
    DType, Executor, Graph, GraphError, Passes, Plan, PlanOptions, RunKey, Var, optimise,
};
use inception_nn::{Builder, Ctx, Mode, Module, Parameters, Specs};
use inception_tensor::{Pool, Shape, Stream, fnv1a};
use std::sync::Arc;

/// A module, recorded for inference on an input of its own.
#[derive(Clone, Debug)]
pub struct Block {
    /// Its parameters, without numbers.
    pub specs: Arc<Specs>,
    /// What was recorded.
    pub graph: Graph,
    /// Images `[n, h, w, c]`.
    pub input: Var,
    /// What the module makes of them.
    pub output: Var,
}

impl Block {
    /// Records the module that `build` makes on an input of shape `input`.
    ///
    /// # Errors
    /// When the module does not fit the input.
    pub fn record<M: Module>(
        input: Shape,
        build: impl FnOnce(&mut Builder<'_>) -> M,
    ) -> Result<Self, GraphError> {
        let mut specs = Specs::default();
        let module = build(&mut Builder::new(&mut specs));
        let mut graph = Graph::new();
        let images = graph.input(input, DType::Real);
        let mut ctx = Ctx {
            graph: &mut graph,
            mode: Mode::Eval,
            specs: &specs,
            frozen: &[],
        };
        let output = module.forward(images, &mut ctx)?;
        Ok(Self {
            specs: Arc::new(specs),
            graph,
            input: images,
            output,
        })
    }

    /// What the block costs; it was recorded for one image.
    pub fn cost(&self) -> Cost {
        Cost::of(&self.graph, &self.specs, |_| true)
    }

    /// The shape of what it makes.
    pub fn output_shape(&self) -> Shape {
        self.graph.shape(self.output)
    }

    /// Makes the block ready to run on random images.
    ///
    /// # Errors
    /// When its memory is not to be had.
    pub fn runner(mut self, pool: &Pool) -> Result<Runner> {
        optimise(&mut self.graph, &[self.output], &Passes::INFERENCE);
        let plan = Plan::compile(&self.graph, &[self.output], &PlanOptions::default());
        let parameters = Parameters::from_specs(self.specs, 0);
        let mut executor = Executor::new(Arc::new(plan), pool)?;
        executor.prepare(&parameters);
        let images = random(executor.input_mut(self.input).len(), "images");
        Ok(Runner {
            executor,
            parameters,
            input: self.input,
            images,
        })
    }
}

/// A block ready to run.
#[derive(Debug)]
pub struct Runner {
    executor: Executor<f32>,
    parameters: Parameters<f32>,
    input: Var,
    images: Vec<f32>,
}

impl Runner {
    /// Writes the images, whose memory may serve other values once a run has read them.
    pub fn load(&mut self) {
        let input = self.executor.input_mut(self.input);
        input.copy_from_slice(&self.images);
    }

    /// Runs once.
    pub fn run(&mut self) {
        self.executor.run(&self.parameters, RunKey::default());
    }
}

/// Numbers spread evenly over `[−1, 1)`, by a stream called `name`.
pub fn random(len: usize, name: &str) -> Vec<f32> {
    let stream = Stream::new(&[0, fnv1a(name.as_bytes())]);
    let number = |i| 2.0 * stream.uniform_at(i) - 1.0;
    (0..len as u64).map(number).collect()
}
