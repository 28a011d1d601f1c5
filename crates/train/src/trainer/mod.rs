//! The training loop.

mod keep;
#[cfg(test)]
mod kill_points;
mod plans;
mod run;
mod setup;
mod step;
#[cfg(test)]
mod tests;
mod validate;

pub use run::Outcome;
pub use setup::{OnDifference, ResumeOptions, batches_held};

use crate::checkpoint::{Identity, State};
use crate::log::Log;
use crate::tensorboard::EventFile;
use crate::{BadImages, Datasets, Schedule, Span, TrainConfig};
use inception_data::Loader;
use inception_store::{Fs, RunLock};
use inception_tensor::Pool;
use plans::Plans;
use std::path::PathBuf;
use step::Scratch;

/// A training run in a folder of its own.
///
/// - **The folder** holds `config.toml`, `metrics.jsonl`, an event file for TensorBoard from
///   each start, `last.ckpt` (with `previous.ckpt` behind it) and `best.safetensors`. It is locked while a trainer lives.
/// - **Bits.** The state after each step is a function of settings and data alone: neither
///   the number of threads, nor of workers, nor where the run was interrupted and resumed
///   changes a bit of weights, optimiser, averages or log (except for speeds).
/// - **Interruption.** Whenever the process is killed, the newest whole checkpoint is found
///   by [`Trainer::resume`], and the log is cut back to it.
/// - **Numbers that are none.** Losses, gradients, running statistics, weights and buffers
///   are looked at in the step that makes them; see
///   [`NonFinitePolicy`](crate::NonFinitePolicy) for what follows.
pub struct Trainer {
    folder: PathBuf,
    config: TrainConfig,
    datasets: Datasets,
    identity: Identity,
    schedule: Schedule,
    span: Span,
    pool: Pool,
    workers: usize,
    plans: Plans,
    scratch: Scratch,
    state: State,
    loader: Option<Loader>,
    /// Items that the loader has left out and that were told.
    told: usize,
    log: Log,
    fs: Box<dyn Fs>,
    /// The same figures for TensorBoard; `None` where they cannot be written.
    events: Option<EventFile>,
    /// Which concerns of the doctor were told.
    concerned: [bool; 2],
    /// Checkpoints in a row that could not be written.
    unsaved: u32,
    /// What is to be told when the run starts.
    notes: Vec<String>,
    _lock: RunLock,
}

impl std::fmt::Debug for Trainer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trainer")
            .field("folder", &self.folder)
            .field("counters", &self.state.counters)
            .finish_non_exhaustive()
    }
}

impl Trainer {
    /// The run's folder.
    pub fn folder(&self) -> &std::path::Path {
        &self.folder
    }

    /// The settings.
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// What the best weights are chosen by.
    pub fn validation_set(&self) -> Option<&std::sync::Arc<dyn inception_data::Dataset>> {
        self.datasets.val.as_ref()
    }

    /// The network.
    pub fn model(&self) -> &inception_nn::Model {
        self.plans.model()
    }

    /// The weights that are being trained.
    pub fn params(&self) -> &inception_nn::Parameters<f32> {
        &self.state.params
    }

    /// Gives the memory of plans and of images read ahead back; another run takes it again.
    pub fn release(&mut self) {
        self.loader = None;
        self.plans.release();
    }

    /// How many steps were made.
    pub fn steps(&self) -> u64 {
        self.state.counters.step
    }

    /// Length of the run.
    pub fn span(&self) -> Span {
        self.span
    }

    /// The best validation so far.
    pub fn best(&self) -> Option<&crate::Best> {
        self.state.best.as_ref()
    }
}

/// A policy in the words of the loader.
fn bad_images(policy: BadImages) -> inception_data::BadImages {
    match policy {
        BadImages::Fail => inception_data::BadImages::Fail,
        BadImages::Skip(at_most) => inception_data::BadImages::Skip { at_most },
    }
}
