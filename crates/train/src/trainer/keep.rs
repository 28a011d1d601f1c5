//! What a run leaves on the disk.

use super::Trainer;
use super::setup::class_names;
use super::step::Bad;
use crate::checkpoint::{Best, files};
use crate::tensorboard::EventFile;
use crate::{Diverged, Event, Observer, TrainError, ValMetrics, weights};
use inception_nn::WeightsMeta;
use inception_store::{ArchiveBuilder, StoreError};

/// The file of the best weights.
const BEST: &str = "best.safetensors";
/// After how many checkpoints in a row that cannot be written a run ends.
const MOST_UNSAVED: u32 = 3;

impl Trainer {
    /// Writes a checkpoint; a run goes on without, unless it fails for the third time in a
    /// row. A state that is not finite is not kept: the run goes back instead.
    pub(super) fn save(&mut self, observer: &mut dyn Observer) -> Result<(), TrainError> {
        if let Some(bad) = self.non_finite() {
            return self.give_up_or_roll_back(self.steps(), bad, observer);
        }
        match self.save_now() {
            Ok(()) => {
                self.unsaved = 0;
                self.tell_saved(observer);
                Ok(())
            }
            Err(error @ TrainError::Store(StoreError::Io { .. })) => {
                self.unsaved += 1;
                if self.unsaved >= MOST_UNSAVED {
                    return Err(error);
                }
                let text = format!("no checkpoint of step {}: {error}", self.steps());
                observer.event(&Event::Warning(&text));
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Writes a checkpoint that the run cannot go on without.
    pub(super) fn save_for_sure(&mut self, observer: &mut dyn Observer) -> Result<(), TrainError> {
        self.save_now()?;
        self.tell_saved(observer);
        Ok(())
    }

    fn tell_saved(&self, observer: &mut dyn Observer) {
        observer.event(&Event::Saved {
            step: self.steps(),
            path: &self.folder.join(files::LAST),
        });
    }

    pub(super) fn save_now(&mut self) -> Result<(), TrainError> {
        // The lines that the checkpoint counts must outlive a loss of power as it does; where
        // they cannot, resuming finds fewer and goes on.
        if let Err(text) = self.log.sync() {
            self.notes.push(text);
        }
        if let Some(bad) = self.non_finite() {
            return Err(self.diverged(self.steps(), bad));
        }
        let mut builder = ArchiveBuilder::new();
        self.identity.write(&mut builder)?;
        self.state.write(&mut builder)?;
        let content = builder.sealed()?;
        Ok(files::save(
            &*self.fs,
            &self.folder,
            &content,
            self.config.keep,
        )?)
    }

    fn non_finite(&self) -> Option<Bad> {
        self.state.non_finite().map(|what| Bad {
            epoch: self.state.counters.position.epoch,
            what,
            layer: None,
            items: Vec::new(),
        })
    }

    /// Enters a validation: the best weights so far are written out.
    pub(super) fn judge(
        &mut self,
        metrics: &ValMetrics,
        observer: &mut dyn Observer,
    ) -> Result<(), TrainError> {
        let best = metrics.is_better_than(self.state.best.as_ref());
        if best {
            self.state.best = Some(Best {
                step: metrics.step,
                epoch: metrics.epoch,
                top1: metrics.top1,
                top5: metrics.top5,
                loss: metrics.loss,
            });
            self.write_best()?;
        }
        self.state.counters.validated = metrics.step;
        let line = crate::log::val_line(metrics);
        self.write_line(line, observer);
        self.draw(metrics.step, &crate::log::val_scalars(metrics), observer);
        observer.event(&Event::Validation { metrics, best });
        Ok(())
    }

    pub(super) fn write_best(&self) -> Result<(), TrainError> {
        let model = self.plans.model();
        let counters = &self.state.counters;
        let mut training = vec![
            ("data", self.config.data.clone()),
            ("step", counters.step.to_string()),
            ("epochs", counters.position.epoch.to_string()),
            ("seed", self.config.seed.to_string()),
        ];
        if let Some(best) = &self.state.best {
            training.push(("top1", best.top1.to_string()));
            training.push(("top5", best.top5.to_string()));
            training.push(("loss", best.loss.to_string()));
        }
        if let Some(decay) = self.config.ema {
            training.push(("ema", decay.to_string()));
        }
        let training = training.into_iter();
        let meta = WeightsMeta {
            class_names: class_names(model, &self.datasets),
            preprocess: self.datasets.preprocess.to_map(),
            training: training
                .map(|(k, v)| (format!("training.{k}"), v))
                .collect(),
            ..WeightsMeta::of(model)
        };
        let path = self.folder.join(BEST);
        weights::write(&*self.fs, &path, self.state.evaluated(), &meta)
    }

    /// Appends a line to the log; a log that cannot be written stops nothing.
    pub(super) fn write_line(&mut self, line: String, observer: &mut dyn Observer) {
        match self.log.append(line) {
            Ok(()) => self.state.counters.lines = self.log.lines(),
            Err(text) => observer.event(&Event::Warning(&text)),
        }
    }

    /// Begins an event file; a run goes on without.
    pub(super) fn open_events(&mut self, observer: &mut dyn Observer) {
        match EventFile::create(&self.folder, self.steps()) {
            Ok(events) => self.events = Some(events),
            Err(text) => observer.event(&Event::Warning(&text)),
        }
    }

    /// Appends scalars to the event file, which is given up where it cannot be written.
    pub(super) fn draw(
        &mut self,
        step: u64,
        scalars: &[(String, f64)],
        observer: &mut dyn Observer,
    ) {
        let Some(events) = &mut self.events else {
            return;
        };
        if let Err(text) = events.scalars(step, scalars) {
            self.events = None;
            observer.event(&Event::Warning(&text));
        }
    }

    /// Goes back to the newest whole checkpoint, with half the learning rate from there on.
    pub(super) fn roll_back(
        &mut self,
        bad: &Bad,
        observer: &mut dyn Observer,
    ) -> Result<(), TrainError> {
        let from = self.steps();
        let rollbacks = self.state.counters.rollbacks + 1;
        let found = files::load(&*self.fs, &self.folder)?;
        self.state.read(&found.archive)?;
        self.state.counters.rollbacks = rollbacks;
        self.state.counters.bad_in_a_row = 0;
        self.log = crate::log::Log::open(&self.folder, self.state.counters.lines)?;
        self.state.counters.lines = self.log.lines();
        self.loader = None;
        self.open_events(observer);
        observer.event(&Event::RolledBack {
            from,
            to: self.steps(),
            reason: &bad.what,
        });
        self.save_for_sure(observer)
    }

    /// The error that ends a run whose numbers are none.
    pub(super) fn diverged(&self, step: u64, bad: Bad) -> TrainError {
        let counters = &self.state.counters;
        let kept = match files::load(&*self.fs, &self.folder) {
            Ok(found) => {
                let step = files::number(&found.archive, files::STEP).unwrap_or(0);
                let path = inception_data::escape_path(found.archive.path());
                format!("{path} of step {step}")
            }
            Err(error) => format!("nothing: {error}"),
        };
        let tried = format!(
            "{} steps left out in a row, {} times gone back to a checkpoint (on-nonfinite {})",
            counters.bad_in_a_row.saturating_sub(1),
            counters.rollbacks,
            self.config.on_nonfinite
        );
        TrainError::Numeric(Box::new(Diverged {
            step,
            what: bad.what,
            layer: bad.layer,
            items: bad.items,
            norms: self.state.norms.clone(),
            tried,
            kept,
        }))
    }
}

impl ValMetrics {
    /// Whether this is a better network: more right answers, or as many at a lower loss.
    /// Figures that are no numbers are never better.
    pub fn is_better_than(&self, best: Option<&Best>) -> bool {
        if !(self.loss.is_finite() && self.top1.is_finite()) {
            return false;
        }
        best.is_none_or(|best| {
            self.top1 > best.top1 || (self.top1 == best.top1 && self.loss < best.loss)
        })
    }
}
