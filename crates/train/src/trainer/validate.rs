//! Validation.

use super::setup::batches_ahead;
use super::{Trainer, bad_images};
use crate::{Hits, TrainError, ValMetrics, cross_entropy};
use inception_data::{Loader, LoaderConfig};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

impl Trainer {
    /// Runs the weights that would be kept over the validation set; `None` where `stop`
    /// asked to leave off.
    ///
    /// Sums are taken image by image in the set's order, so figures do not depend on the
    /// size of batches.
    pub(super) fn validate(&mut self, stop: &AtomicBool) -> Result<Option<ValMetrics>, TrainError> {
        let Some(val) = self.datasets.val.clone() else {
            return Ok(None);
        };
        let start = Instant::now();
        let config = LoaderConfig {
            workers: self.workers,
            prefetch: batches_ahead(self.workers),
            bad_images: bad_images(self.config.on_bad_image),
            ..LoaderConfig::evaluation(self.config.batch_size)
        };
        let mut loss = 0.0;
        let mut hits = Hits::default();
        self.plans.weights_changed();
        for batch in Loader::new(val, self.datasets.evaluation()?, config)? {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let batch = batch?;
            let plan = self.plans.eval(batch.len())?;
            plan.run(&batch, self.state.evaluated());
            let logits = plan.executor.output(plan.program.logits);
            for (i, &label) in batch.labels.iter().enumerate() {
                hits.add(logits.row(i), label);
                loss += cross_entropy(logits.row(i), label);
            }
        }
        Ok(Some(ValMetrics {
            step: self.state.counters.step,
            epoch: self.state.counters.position.epoch,
            loss: loss / hits.total as f64,
            top1: hits.top1(),
            top5: hits.top5(),
            images: hits.total,
            images_per_s: hits.total as f64 / start.elapsed().as_secs_f64(),
        }))
    }
}
