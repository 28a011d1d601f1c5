//! What is recorded.

use crate::block::random;
use crate::training::{Training, TrainingConfig};
use anyhow::{Context, Result};
use inception_autograd::{Executor, Passes, RunKey, Var};
use inception_nn::models::TABLE1;
use inception_nn::modules::ConvStyle;
use inception_nn::{EvalProgram, Model, ModelOptions, Parameters, TrainConfig, TrainProgram};
use inception_tensor::{Pool, Shape};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A work, ready to run.
pub(super) struct Ready {
    pub(super) name: String,
    pub(super) arena_bytes: u64,
    time: Box<dyn FnMut() -> Duration>,
}

impl Ready {
    /// How long the work takes now.
    pub(super) fn time(&mut self) -> Duration {
        (self.time)()
    }
}

/// Every work: small enough to be measured often, large enough to be typical.
pub(super) const WORKS: [Work; 7] = [
    Work::Infer("googlenet-torchvision", 1),
    Work::Infer("googlenet-torchvision", 8),
    Work::Train("googlenet-torchvision", 8),
    Work::Train("googlenet", 8),
    Work::Train("inception-small", 64),
    Work::Train("simple-inception", 32),
    Work::Module(16),
];

/// A model or a module, and images in a batch.
#[derive(Clone, Copy, Debug)]
pub(super) enum Work {
    /// Inference.
    Infer(&'static str, usize),
    /// Forward and backward, without an update.
    Train(&'static str, usize),
    /// Forward and backward of 3a alone.
    Module(usize),
}

impl Work {
    pub(super) fn name(self) -> String {
        match self {
            Self::Infer(model, batch) => format!("infer {model} b{batch}"),
            Self::Train(model, batch) => format!("train {model} b{batch}"),
            Self::Module(batch) => format!("train module 3a b{batch}"),
        }
    }

    /// Records, plans and allocates.
    pub(super) fn ready(self, pool: &Pool) -> Result<Ready> {
        let (arena_bytes, time): (u64, Box<dyn FnMut() -> Duration>) = match self {
            Self::Infer(model, batch) => {
                let model = Model::build(model, &ModelOptions::default())?;
                let program = EvalProgram::record(&model, batch, Passes::INFERENCE)?;
                let executor = Executor::new(Arc::new(program.compile::<f32>()), pool)?;
                network(&model, executor, program.images, None)
            }
            Self::Train(model, batch_size) => {
                let model = Model::build(model, &ModelOptions::default())?;
                let config = TrainConfig {
                    batch_size,
                    ..TrainConfig::default()
                };
                let program = TrainProgram::record(&model, &config)?;
                let executor = Executor::new(Arc::new(program.compile::<f32>()), pool)?;
                network(&model, executor, program.images, program.targets.labels())
            }
            Self::Module(batch) => {
                let row = TABLE1.first().context("the paper has modules")?;
                let config = TrainingConfig {
                    input: Shape::new(batch, 28, 28, 192),
                    style: ConvStyle::BatchNorm,
                    third_kernel: 5,
                    config: row.config,
                };
                let mut training = Training::new(&config, pool)?;
                let arena_bytes = training.arena_bytes();
                let time = move || {
                    training.load();
                    let start = Instant::now();
                    training.run();
                    start.elapsed()
                };
                (arena_bytes, Box::new(time))
            }
        };
        Ok(Ready {
            name: self.name(),
            arena_bytes,
            time,
        })
    }
}

/// Arena and stopwatch of a network's program.
fn network(
    model: &Model,
    mut executor: Executor<f32>,
    images: Var,
    labels: Option<Var>,
) -> (u64, Box<dyn FnMut() -> Duration>) {
    let parameters = Parameters::<f32>::from_specs(Arc::clone(model.specs()), 0);
    executor.prepare(&parameters);
    let arena_bytes = executor.plan().arena_bytes() as u64;
    let numbers = random(executor.input_mut(images).len(), "images");
    let classes = model.options().classes as u32;
    let time = move || {
        executor.input_mut(images).copy_from_slice(&numbers);
        if let Some(labels) = labels {
            let labels = executor.labels_mut(labels).iter_mut();
            labels.zip(0..).for_each(|(label, i)| *label = i % classes);
        }
        let start = Instant::now();
        executor.run(&parameters, RunKey::default());
        start.elapsed()
    };
    (arena_bytes, Box::new(time))
}
