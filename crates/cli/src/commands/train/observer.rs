//! What a person sees of a run.

use crate::numbers;
use crate::output::{Talk, is_watched};
use crate::progress;
use inception_train::{Event, Observer, Started, StepMetrics, ValMetrics};
use indicatif::ProgressBar;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How often a line tells where the run is, where there is no bar.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// How slowly the shown speed and loss follow the last step.
const SMOOTH: f64 = 0.9;

/// A bar on a terminal, plain lines elsewhere.
pub(super) struct Progress {
    talk: Talk,
    bar: ProgressBar,
    steps: u64,
    told: Instant,
    recent: Option<Recent>,
    images: usize,
    /// Images that could not be read, each told once.
    left_out: BTreeSet<usize>,
}

/// Means over the last steps, for the eye.
#[derive(Clone, Copy)]
struct Recent {
    loss: f64,
    top1: f64,
    speed: f64,
}

impl Recent {
    fn after(before: Option<Self>, m: &StepMetrics) -> Self {
        let now = Self {
            loss: m.loss_main,
            top1: m.top1,
            speed: m.images_per_s,
        };
        let Some(before) = before else { return now };
        let mix = |old: f64, new: f64| SMOOTH * old + (1.0 - SMOOTH) * new;
        Self {
            loss: mix(before.loss, now.loss),
            top1: mix(before.top1, now.top1),
            speed: mix(before.speed, now.speed),
        }
    }
}

impl Progress {
    pub(super) fn new(talk: Talk) -> Self {
        Self {
            talk,
            bar: ProgressBar::hidden(),
            steps: 0,
            told: Instant::now(),
            recent: None,
            images: 0,
            left_out: BTreeSet::new(),
        }
    }

    /// Takes the bar away.
    pub(super) fn end(&mut self) {
        self.bar.finish_and_clear();
    }

    fn say(&self, text: &str) {
        self.bar.suspend(|| self.talk.say(text));
    }

    fn warn(&self, text: &str) {
        self.bar.suspend(|| self.talk.warn(text));
    }

    fn started(&mut self, started: &Started) {
        self.steps = started.steps;
        self.say(&format!(
            "{} images to train on, {} to validate; {} parameters; {} of memory for a step; \
             {} steps, {} an epoch; {} threads",
            numbers::grouped(started.train_images as u64),
            numbers::grouped(started.val_images as u64),
            numbers::scaled(started.params),
            numbers::bytes(started.arena_bytes as u64),
            numbers::grouped(started.steps),
            numbers::grouped(started.steps_per_epoch),
            started.threads
        ));
        self.images = started.train_images;
        if started.step > 0 {
            self.say(&format!(
                "resuming after step {}",
                numbers::grouped(started.step)
            ));
        }
        self.bar = progress::bar(self.talk, started.steps, "steps");
        self.bar.set_position(started.step);
        self.bar.reset_eta();
    }

    fn step(&mut self, metrics: &StepMetrics) {
        let recent = Recent::after(self.recent, metrics);
        self.recent = Some(recent);
        let text = format!(
            "epoch {}  loss {:.3}  top-1 {}  lr {:.4}  {:.0} images/s",
            metrics.epoch,
            recent.loss,
            numbers::percent(recent.top1),
            metrics.lr,
            recent.speed
        );
        self.bar.set_position(metrics.step);
        if !is_watched() && self.told.elapsed() >= LINE_EVERY {
            self.told = Instant::now();
            let left = self.left(metrics);
            self.say(&format!(
                "step {}/{}  {text}  {left} left",
                metrics.step, self.steps
            ));
        }
        self.bar.set_message(text);
    }

    /// How long the steps that are left will take at the speed of the last ones.
    fn left(&self, metrics: &StepMetrics) -> String {
        let steps = self.steps.saturating_sub(metrics.step) as f64;
        let speed = self.recent.map_or(metrics.images_per_s, |r| r.speed);
        numbers::duration(steps * metrics.images as f64 / speed)
    }

    fn validation(&mut self, metrics: &ValMetrics, best: bool) {
        self.told = Instant::now();
        self.say(&format!(
            "epoch {}  step {}  validation: top-1 {}  top-5 {}  loss {:.4}{}",
            metrics.epoch,
            metrics.step,
            numbers::percent(metrics.top1),
            numbers::percent(metrics.top5),
            metrics.loss,
            if best { "  best so far" } else { "" }
        ));
    }
}

impl Observer for Progress {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Started(started) => self.started(started),
            Event::Step(metrics) => self.step(metrics),
            Event::Validation { metrics, best } => self.validation(metrics, *best),
            Event::Skipped {
                step,
                reason,
                layer,
            } => {
                let first = layer.map_or_else(String::new, |l| format!(", first in {l}"));
                self.warn(&format!("step {step} was left out: {reason}{first}"));
            }
            Event::RolledBack { from, to, reason } => self.warn(&format!(
                "step {from}: {reason}; back to step {to} with half the learning rate"
            )),
            Event::BadImage(item) if self.left_out.insert(item.item) => {
                let (origin, reason) = (&item.origin, &item.reason);
                self.warn(&format!("{origin} was left out: {reason}"));
            }
            Event::Warning(text) => self.warn(text),
            Event::Finished { .. } if !self.left_out.is_empty() => {
                let (count, images) = (self.left_out.len(), self.images);
                self.warn(&format!("{count} of {images} images were left out"));
            }
            _ => {}
        }
    }
}
