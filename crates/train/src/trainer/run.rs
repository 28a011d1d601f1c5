//! From the first step to the last.

use super::setup::batches_ahead;
use super::step::{Bad, StepEnd};
use super::{Trainer, bad_images};
use crate::log;
use crate::{Best, Event, Observer, Order, Started, StepMetrics, TrainError};
use inception_data::{Batch, Loader, LoaderConfig};
use std::sync::atomic::{AtomicBool, Ordering};

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// All steps were made.
    Finished {
        /// The best validation.
        best: Option<Best>,
    },
    /// It was asked to stop, and can be resumed.
    Stopped {
        /// Steps made.
        step: u64,
    },
}

impl Trainer {
    /// Trains until all steps are made or `stop` is set; then the step or validation in
    /// work is ended or left off, and a checkpoint written.
    ///
    /// # Errors
    /// When data cannot be read, numbers stop being numbers, or the file system refuses
    /// again and again. The last checkpoint stays.
    pub fn run(
        &mut self,
        observer: &mut dyn Observer,
        stop: &AtomicBool,
    ) -> Result<Outcome, TrainError> {
        self.tell_started(observer)?;
        self.open_events(observer);
        loop {
            for note in std::mem::take(&mut self.notes) {
                observer.event(&Event::Warning(&note));
            }
            if stop.load(Ordering::Relaxed) {
                return self.stopped(observer);
            }
            if self.validation_is_due() {
                match self.validate(stop)? {
                    Some(metrics) => {
                        self.judge(&metrics, observer)?;
                        self.save(observer)?;
                    }
                    None => return self.stopped(observer),
                }
            }
            if self.steps() >= self.span.total_steps {
                return self.finished(observer);
            }
            self.advance(observer)?;
        }
    }

    fn tell_started(&mut self, observer: &mut dyn Observer) -> Result<(), TrainError> {
        let plan = self.plans.train(self.config.batch_size)?;
        let arena_bytes = plan.executor.plan().arena_bytes();
        let trained = self.state.optimizer.trained().iter();
        let started = Started {
            step: self.steps(),
            steps: self.span.total_steps,
            steps_per_epoch: self.span.steps_per_epoch,
            params: trained.map(|t| t.len as u64).sum(),
            arena_bytes,
            threads: self.pool.threads(),
            train_images: self.datasets.train.len(),
            val_images: self.datasets.val.as_ref().map_or(0, |val| val.len()),
        };
        observer.event(&Event::Started(&started));
        for report in &self.datasets.reports {
            for line in report.lines() {
                observer.event(&Event::Warning(&line));
            }
        }
        Ok(())
    }

    fn stopped(&mut self, observer: &mut dyn Observer) -> Result<Outcome, TrainError> {
        self.save_for_sure(observer)?;
        Ok(Outcome::Stopped { step: self.steps() })
    }

    fn finished(&mut self, observer: &mut dyn Observer) -> Result<Outcome, TrainError> {
        if self.datasets.val.is_none() {
            self.write_best()?;
        }
        self.save_for_sure(observer)?;
        let best = self.state.best;
        observer.event(&Event::Finished {
            best: best.as_ref(),
        });
        Ok(Outcome::Finished { best })
    }

    /// Whether the network as it is now has to be validated: at the end, and after every so
    /// many epochs.
    fn validation_is_due(&self) -> bool {
        let counters = &self.state.counters;
        if self.datasets.val.is_none() || counters.validated == counters.step {
            return false;
        }
        let every = self.config.val_every;
        let epoch_ends = self.epoch_ends() && counters.position.epoch.is_multiple_of(every);
        epoch_ends || counters.step >= self.span.total_steps
    }

    /// Whether the next batch begins an epoch that is not the first.
    fn epoch_ends(&self) -> bool {
        let position = self.state.counters.position;
        position.batch == 0 && position.epoch > 0
    }

    /// Makes a step, and does what follows from how it ended.
    fn advance(&mut self, observer: &mut dyn Observer) -> Result<(), TrainError> {
        match self.step()? {
            StepEnd::Made(metrics) => self.made(&metrics, observer),
            StepEnd::Bad(bad) => {
                let step = self.steps();
                if self.state.counters.bad_in_a_row > self.config.on_nonfinite.skip {
                    return self.give_up_or_roll_back(step, bad, observer);
                }
                observer.event(&Event::Skipped {
                    step,
                    reason: &bad.what,
                    layer: bad.layer.as_deref(),
                });
                let line = log::skip_line(step, bad.epoch, &bad.what, bad.layer.as_deref());
                self.write_line(line, observer);
            }
            StepEnd::Poisoned(bad) => {
                return self.give_up_or_roll_back(self.steps() + 1, bad, observer);
            }
        }
        self.tell_bad_images(observer);
        let every = self.config.save_every;
        let save_is_due = every.is_some_and(|every| self.steps().is_multiple_of(every));
        if self.epoch_ends() || save_is_due {
            self.save(observer)?;
        }
        Ok(())
    }

    fn made(&mut self, metrics: &StepMetrics, observer: &mut dyn Observer) {
        if metrics.step.is_multiple_of(self.config.log_every) || metrics.stability.is_some() {
            self.write_line(log::step_line(metrics), observer);
            self.draw(metrics.step, &log::step_scalars(metrics), observer);
        }
        observer.event(&Event::Step(metrics));
        let concerns = metrics.stability.as_ref().map(|found| found.concerns());
        for (text, told) in concerns.into_iter().flatten().zip(&mut self.concerned) {
            if let Some(text) = text.filter(|_| !std::mem::replace(told, true)) {
                observer.event(&Event::Warning(&format!("step {}: {text}", metrics.step)));
            }
        }
    }

    /// Goes back to the last checkpoint, where that is still allowed.
    pub(super) fn give_up_or_roll_back(
        &mut self,
        step: u64,
        bad: Bad,
        observer: &mut dyn Observer,
    ) -> Result<(), TrainError> {
        if self.state.counters.rollbacks < self.config.on_nonfinite.rollback {
            return self.roll_back(&bad, observer);
        }
        Err(self.diverged(step, bad))
    }

    fn tell_bad_images(&mut self, observer: &mut dyn Observer) {
        let Some(loader) = &self.loader else { return };
        let skipped = &loader.skipped().examples;
        for item in skipped.iter().skip(self.told) {
            observer.event(&Event::BadImage(item));
        }
        self.told = skipped.len();
    }

    /// The next batch of the training set, epoch after epoch.
    pub(super) fn next_batch(&mut self) -> Result<Batch, TrainError> {
        if self.loader.is_none() {
            self.loader = Some(self.open_loader()?);
            self.told = 0;
        }
        let loader = self.loader.as_mut().expect("it was just opened");
        let batch = loader.next().expect("training goes on epoch after epoch")?;
        self.state.counters.position = Loader::position(loader);
        Ok(batch)
    }

    fn open_loader(&self) -> Result<Loader, TrainError> {
        let config = LoaderConfig {
            batch_size: self.config.batch_size,
            order: match self.config.order {
                Order::Shuffled => inception_data::Order::Shuffled,
                Order::Sequential => inception_data::Order::Sequential,
                Order::Shards(mix) => inception_data::Order::Runs { mix },
            },
            workers: self.workers,
            prefetch: batches_ahead(self.workers),
            seed: self.config.seed,
            bad_images: bad_images(self.config.on_bad_image),
            start: self.state.counters.position,
            ..LoaderConfig::default()
        };
        let transform = self.datasets.training(&self.config)?;
        Ok(Loader::new(self.datasets.train.clone(), transform, config)?)
    }
}
