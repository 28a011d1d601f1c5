//! What a run tells while it runs.

use crate::{Best, Stability};
use inception_data::SkippedItem;
use std::path::Path;

/// What is known before the first step.
#[derive(Clone, Debug, PartialEq)]
pub struct Started {
    /// Steps that were made already.
    pub step: u64,
    /// Steps of the whole run.
    pub steps: u64,
    /// Steps of an epoch.
    pub steps_per_epoch: u64,
    /// Numbers that are trained, auxiliary heads included.
    pub params: u64,
    /// Memory of a step's values, without parameters.
    pub arena_bytes: usize,
    /// Threads that compute.
    pub threads: usize,
    /// Images of the training set.
    pub train_images: usize,
    /// Images of the validation set.
    pub val_images: usize,
}

/// A step of training.
#[derive(Clone, Debug, PartialEq)]
pub struct StepMetrics {
    /// Its number, from 1.
    pub step: u64,
    /// The epoch it belongs to, from 1.
    pub epoch: u64,
    /// Mean total loss.
    pub loss: f64,
    /// Mean loss of the main classifier.
    pub loss_main: f64,
    /// Mean loss of each auxiliary classifier, by name: `aux1`.
    pub loss_aux: Vec<(&'static str, f64)>,
    /// Share of right answers.
    pub top1: f64,
    /// Share of labels among the five best.
    pub top5: f64,
    /// The learning rate.
    pub lr: f64,
    /// Norm of all gradients together, before clipping.
    pub grad_norm: f64,
    /// How many images.
    pub images: u64,
    /// Images a second, waiting for them included.
    pub images_per_s: f64,
    /// What a close look found, in one step of `doctor_every`.
    pub stability: Option<Stability>,
}

/// A validation.
#[derive(Clone, Debug, PartialEq)]
pub struct ValMetrics {
    /// Steps made.
    pub step: u64,
    /// Epochs complete.
    pub epoch: u64,
    /// Mean cross-entropy, without smoothing.
    pub loss: f64,
    /// Share of right answers.
    pub top1: f64,
    /// Share of labels among the five best.
    pub top5: f64,
    /// How many images.
    pub images: u64,
    /// Images a second, waiting for them included.
    pub images_per_s: f64,
}

/// Something that happened in a run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The run begins or goes on.
    Started(&'a Started),
    /// A step was made.
    Step(&'a StepMetrics),
    /// A step was left out, because something was not finite.
    Skipped {
        /// Its number, from 1.
        step: u64,
        /// What was not finite.
        reason: &'a str,
        /// Path and operator of the first layer that computed something not finite.
        layer: Option<&'a str>,
    },
    /// The run went back to a checkpoint, and goes on with half the learning rate.
    RolledBack {
        /// The step at which it gave up.
        from: u64,
        /// The step of the checkpoint.
        to: u64,
        /// What was not finite.
        reason: &'a str,
    },
    /// A training image could not be read and was left out.
    BadImage(&'a SkippedItem),
    /// The network was validated.
    Validation {
        /// The figures.
        metrics: &'a ValMetrics,
        /// Whether they are the best so far.
        best: bool,
    },
    /// A checkpoint is on the disk for good.
    Saved {
        /// Steps made.
        step: u64,
        /// The file.
        path: &'a Path,
    },
    /// The run goes on, but somebody should know.
    Warning(&'a str),
    /// All steps were made.
    Finished {
        /// The best validation.
        best: Option<&'a Best>,
    },
}

/// Whoever is told.
pub trait Observer {
    /// Something happened.
    fn event(&mut self, event: &Event<'_>);
}

impl<F: FnMut(&Event<'_>)> Observer for F {
    fn event(&mut self, event: &Event<'_>) {
        self(event);
    }
}

/// Nobody is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&mut self, _event: &Event<'_>) {}
}
