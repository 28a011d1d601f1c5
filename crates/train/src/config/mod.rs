//! Everything that a training run is told.

mod choices;
mod defaults;
mod rule;
#[cfg(test)]
mod tests;
mod validate;

pub use choices::{
    AuxHeads, BadImages, InitMode, InitializerName, Links, NonFinitePolicy, OptimizerName, Order,
    Precision, Recompute, ScheduleName,
};

pub use rule::ParamRule;

use crate::{Curve, OptimizerConfig, OptimizerKind, Schedule, TrainError};
use inception_autograd::Storage;
use inception_data::Mix;
use inception_nn::{Answers, Aux, Initializer, ModelOptions};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Epochs of a run that is told no length.
const DEFAULT_EPOCHS: u64 = 3;

/// The settings of a run: the flags of `inception train`, under the same names in TOML.
///
/// # Examples
/// ```
/// use inception_train::TrainConfig;
///
/// let config = TrainConfig::from_toml("model = 'inception-small'\nlr = 0.1\nepochs = 3")?;
/// assert_eq!(config.batch_size, 64);
/// let error = TrainConfig::from_toml("lr = nan").unwrap().validate().unwrap_err();
/// assert_eq!(error.to_string(), "lr: expected a finite number above 0, found NaN");
/// # Ok::<(), inception_train::TrainError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct TrainConfig {
    /// A data set's name or path.
    pub data: String,
    /// Where named data sets live.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<PathBuf>,
    /// Which symbolic links in folders of images are followed.
    pub follow_symlinks: Links,
    /// Share of each class of the training set that is validated on instead of trained on;
    /// the data set's own validation set where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holdout: Option<f64>,
    /// The model's name in the registry.
    pub model: String,
    /// `[c, h, w]` of the model's input; the data set's or the model's own where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<[usize; 3]>,
    /// How many classes the model tells apart; the data set's where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<usize>,
    /// Whether auxiliary classifiers are trained too.
    pub aux: AuxHeads,
    /// Dropout in front of the logits; the model's own where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropout: Option<f64>,
    /// Passes over the training set; 3 where `steps` is absent too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<u64>,
    /// Updates of the weights, instead of `epochs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// Images in a batch.
    pub batch_size: usize,
    /// Batches whose gradients one update takes the mean of.
    pub accumulate: u64,
    /// Which maps are made again in the backward pass to save memory. Changes no result.
    pub recompute: Recompute,
    /// The update rule.
    pub optimizer: OptimizerName,
    /// The highest learning rate.
    pub lr: f64,
    /// Momentum of SGD, nesterov and RMSProp.
    pub momentum: f64,
    /// Weight decay; of weights alone, unless a rule says otherwise.
    pub weight_decay: f64,
    /// Rates and decays of parameters that differ from the others'.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rule: Vec<ParamRule>,
    /// β₁ of AdamW.
    pub beta1: f64,
    /// β₂ of AdamW.
    pub beta2: f64,
    /// Decay of RMSProp's mean of squares.
    pub alpha: f64,
    /// ε of AdamW and RMSProp; 1e-8 where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eps: Option<f64>,
    /// The learning rate's curve.
    pub schedule: ScheduleName,
    /// Factor of the step schedule.
    pub step_factor: f64,
    /// Epochs between the factors of the step schedule.
    pub step_every: u64,
    /// Exponent of the poly schedule.
    pub poly_power: f64,
    /// Epochs of linear rise at the beginning.
    pub warmup_epochs: f64,
    /// Share of the target that is spread over all classes.
    pub label_smoothing: f64,
    /// Weight of each auxiliary loss.
    pub aux_weight: f64,
    /// Random changes of training images: `none`, `basic`, `crop` or `paper`, and what is
    /// added to it ([`inception_data::Augment::from_name`]).
    pub augment: String,
    /// α of mixup; 0 for none.
    pub mixup: f64,
    /// α of cutmix; 0 for none.
    pub cutmix: f64,
    /// Decay of the moving average of weights that is validated and kept; none where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ema: Option<f64>,
    /// The largest norm of all gradients together; unlimited where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_grad: Option<f64>,
    /// How first weights are drawn.
    pub initializer: InitializerName,
    /// A file of weights to begin with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<PathBuf>,
    /// Whether that file must fit the model exactly.
    pub init_mode: InitMode,
    /// Patterns of parameters that keep their value.
    pub freeze: Vec<String>,
    /// Factor of the learning rate from each stage of the network to the one before; all
    /// stages learn alike where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer_decay: Option<f64>,
    /// What all random numbers are drawn from.
    pub seed: u64,
    /// The order of training images.
    pub order: Order,
    /// Epochs between validations; 0 validates at the end alone.
    pub val_every: u64,
    /// Steps between lines of the log.
    pub log_every: u64,
    /// Steps between close looks at rectifiers and gradients of stages; 0 for none.
    pub doctor_every: u64,
    /// Steps between checkpoints beside those after each epoch; none where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub save_every: Option<u64>,
    /// Checkpoints that are kept, the newest included. Changes no result.
    pub keep: u64,
    /// Passes that rewrite graphs: `all`, `none` or names.
    pub passes: String,
    /// What maps are kept in between forward and backward pass.
    pub precision: Precision,
    /// What happens to training images that cannot be read.
    pub on_bad_image: BadImages,
    /// What happens when losses or gradients stop being numbers.
    pub on_nonfinite: NonFinitePolicy,
    /// Threads that compute; all cores where absent. Changes no result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// Threads that decode images; as many as compute, at most 4, where absent. Changes no
    /// result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers: Option<usize>,
}

impl TrainConfig {
    /// Reads settings; what is absent keeps its default.
    ///
    /// # Errors
    /// [`TrainError::Usage`] says where the text is no TOML, or names an unknown setting.
    pub fn from_toml(text: &str) -> Result<Self, TrainError> {
        toml::from_str(text).map_err(|e| TrainError::Usage(format!("configuration: {e}")))
    }

    /// The settings as TOML.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("settings are a flat table of plain values")
    }

    /// The settings with the length of the run filled in where they name none.
    pub fn resolved(self) -> Self {
        let epochs = match self.steps {
            None => self.epochs.or(Some(DEFAULT_EPOCHS)),
            Some(_) => self.epochs,
        };
        Self { epochs, ..self }
    }

    /// The settings without those that change no result: `threads`, `workers`, `keep` and
    /// `recompute`.
    pub fn essential(&self) -> Self {
        Self {
            threads: None,
            workers: None,
            keep: Self::default().keep,
            recompute: Self::default().recompute,
            ..self.clone()
        }
    }

    /// The update rule with its settings.
    pub fn optimizer_config(&self) -> OptimizerConfig {
        let momentum = self.momentum;
        let eps = self.eps.unwrap_or(1e-8);
        let kind = match self.optimizer {
            OptimizerName::Sgd => OptimizerKind::Sgd {
                momentum,
                nesterov: false,
            },
            OptimizerName::Nesterov => OptimizerKind::Sgd {
                momentum,
                nesterov: true,
            },
            OptimizerName::Adamw => OptimizerKind::AdamW {
                beta1: self.beta1,
                beta2: self.beta2,
                eps,
            },
            OptimizerName::Muon => OptimizerKind::Muon {
                momentum,
                beta1: self.beta1,
                beta2: self.beta2,
                eps,
            },
            OptimizerName::Rmsprop => OptimizerKind::RmsProp {
                alpha: self.alpha,
                eps,
                momentum,
            },
            OptimizerName::RmspropTf => OptimizerKind::RmsPropTf {
                alpha: self.alpha,
                eps,
                momentum,
            },
        };
        OptimizerConfig {
            kind,
            weight_decay: self.weight_decay,
        }
    }

    /// The learning rate's schedule.
    pub fn schedule(&self) -> Schedule {
        let curve = match self.schedule {
            ScheduleName::Constant => Curve::Constant,
            ScheduleName::Step => Curve::Step {
                factor: self.step_factor,
                every: self.step_every,
            },
            ScheduleName::Poly => Curve::Poly {
                power: self.poly_power,
            },
            ScheduleName::Cosine => Curve::Cosine,
            ScheduleName::Onecycle => Curve::OneCycle {
                up: 0.3,
                div: 25.0,
                final_div: 1e4,
            },
            ScheduleName::Paper => Curve::Paper,
        };
        Schedule {
            curve,
            lr: self.lr,
            warmup_epochs: self.warmup_epochs,
        }
    }

    /// What the model is built for, where images have `input` `[c, h, w]` and the data set
    /// has so many `classes`.
    pub fn model_options(&self, input: [usize; 3], classes: usize) -> ModelOptions {
        ModelOptions {
            input: Some(input),
            classes: Some(self.classes.unwrap_or(classes)),
            aux: match self.aux {
                AuxHeads::Keep => Aux::Keep,
                AuxHeads::Drop => Aux::Drop,
            },
            dropout: self.dropout,
            ..ModelOptions::default()
        }
    }

    /// How the images of a batch are mixed.
    pub fn mix(&self) -> Mix {
        Mix {
            mixup: self.mixup,
            cutmix: self.cutmix,
        }
    }

    /// How a step of one batch is recorded.
    ///
    /// # Errors
    /// [`TrainError::Usage`] when a pass is unknown.
    pub fn program_config(&self) -> Result<inception_nn::TrainConfig, TrainError> {
        Ok(inception_nn::TrainConfig {
            batch_size: self.batch_size,
            label_smoothing: self.label_smoothing,
            aux_weight: self.aux_weight,
            frozen: self.freeze.clone(),
            passes: self.training_passes()?,
            answers: match self.mix().is_none() {
                true => Answers::Labels,
                false => Answers::Shares,
            },
            storage: match self.precision {
                Precision::F32 => Storage::Real,
                Precision::Bf16 => Storage::Bf16,
            },
            recompute: self.recompute.into(),
        })
    }

    /// The rule that first weights are drawn by.
    pub fn initializer(&self) -> Initializer {
        match self.initializer {
            InitializerName::He => Initializer::He,
            InitializerName::Xavier => Initializer::Xavier,
            InitializerName::Normal => Initializer::Normal,
        }
    }

    /// The two configurations' settings that differ, with both values as TOML writes them.
    pub fn differences(&self, given: &Self) -> Vec<crate::Difference> {
        let table = |config: &Self| {
            toml::Table::try_from(config).expect("settings are a flat table of plain values")
        };
        let (saved, given) = (table(self), table(given));
        let mut fields: Vec<&String> = saved.keys().chain(given.keys()).collect();
        fields.sort();
        fields.dedup();
        let text = |table: &toml::Table, field: &str| match table.get(field) {
            Some(value) => value.to_string(),
            None => "none".to_owned(),
        };
        fields
            .into_iter()
            .map(|field| crate::Difference {
                saved: text(&saved, field),
                given: text(&given, field),
                field: field.clone(),
            })
            .filter(|d| d.saved != d.given)
            .collect()
    }
}
