//! Checks of settings, each naming the setting, its value and its range.

use crate::range::{Range, check_count};
use crate::{Precision, Recompute, TrainConfig, TrainError};
use inception_autograd::Passes;
use inception_data::{Augment, Preprocess};
use inception_tensor::Pool;

/// Images that one batch may have.
const MAX_BATCH: u64 = 65_536;
impl TrainConfig {
    /// Checks every setting that can be checked without the model and the data.
    ///
    /// # Errors
    /// [`TrainError::Usage`] names the first that is out of range.
    pub fn validate(&self) -> Result<(), TrainError> {
        self.validate_length()?;
        self.optimizer_config().validate()?;
        self.schedule().validate()?;
        self.validate_loss()?;
        self.validate_words()?;
        if self.precision == Precision::Bf16 && self.recompute != Recompute::Nothing {
            return Err(TrainError::Usage(
                "recompute: maps that are kept in bf16 are not made again: expected nothing".into(),
            ));
        }
        if let Some(threads) = self.threads {
            check_count("threads", threads as u64, 1..=Pool::MAX_THREADS as u64)?;
        }
        if let Some(workers) = self.workers {
            check_count("workers", workers as u64, 0..=Pool::MAX_THREADS as u64)?;
        }
        Ok(())
    }

    fn validate_length(&self) -> Result<(), TrainError> {
        if let (Some(epochs), Some(steps)) = (self.epochs, self.steps) {
            return Err(TrainError::Usage(format!(
                "epochs, steps: expected one of them, found epochs {epochs} and steps {steps}"
            )));
        }
        for (field, value) in [("epochs", self.epochs), ("steps", self.steps)] {
            if let Some(value) = value {
                check_count(field, value, 1..=u64::from(u32::MAX))?;
            }
        }
        check_count("batch-size", self.batch_size as u64, 1..=MAX_BATCH)?;
        check_count("accumulate", self.accumulate, 1..=MAX_BATCH)?;
        check_count("keep", self.keep, 1..=crate::checkpoint::files::MOST)?;
        check_count("log-every", self.log_every, 1..=u64::MAX)?;
        if let Some(steps) = self.save_every {
            check_count("save-every", steps, 1..=u64::MAX)?;
        }
        // Whole numbers of TOML have a sign.
        check_count("seed", self.seed, 0..=i64::MAX as u64)
    }

    fn validate_loss(&self) -> Result<(), TrainError> {
        Range::BELOW_ONE.check("label-smoothing", self.label_smoothing)?;
        Range::NOT_NEGATIVE.check("aux-weight", self.aux_weight)?;
        if let Some(dropout) = self.dropout {
            Range::BELOW_ONE.check("dropout", dropout)?;
        }
        if let Some(share) = self.holdout {
            Range::INSIDE_UNIT.check("holdout", share)?;
        }
        if let Some(decay) = self.ema {
            Range::INSIDE_UNIT.check("ema", decay)?;
        }
        if let Some(factor) = self.layer_decay {
            Range::UP_TO_ONE.check("layer-decay", factor)?;
        }
        if let Some(norm) = self.clip_grad {
            Range::POSITIVE.check("clip-grad", norm)?;
        }
        if let Some(classes) = self.classes {
            check_count("classes", classes as u64, 1..=1 << 24)?;
        }
        Ok(())
    }

    fn validate_words(&self) -> Result<(), TrainError> {
        // Which pictures they are changes what `basic` means, not whether it is a word.
        Augment::from_name(&self.augment, &Preprocess::photograph(224, 224))?;
        self.mix().validate()?;
        self.training_passes()?;
        Ok(())
    }

    /// The passes of training graphs.
    ///
    /// # Errors
    /// [`TrainError::Usage`] when a name is unknown.
    pub fn training_passes(&self) -> Result<Passes, TrainError> {
        self.passes_of(Passes::TRAINING)
    }

    /// The passes of graphs for validation.
    ///
    /// # Errors
    /// [`TrainError::Usage`] when a name is unknown.
    pub fn eval_passes(&self) -> Result<Passes, TrainError> {
        self.passes_of(Passes::INFERENCE)
    }

    fn passes_of(&self, all: Passes) -> Result<Passes, TrainError> {
        let passes = all.only(&self.passes);
        passes.map_err(|e| TrainError::Usage(format!("passes: {e}")))
    }
}
