//! Files of weights.

use super::{ModelArgs, Numbers};
use crate::output::Talk;
use anyhow::Result;
use clap::Args;
use inception_deploy::{LoadOptions, Weights};
use inception_nn::{LoadMode, StateDictDifference};
use inception_store::FinitePolicy;
use std::path::Path;

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Weights")]
pub(crate) struct WeightsArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// Load what fits and leave the rest random, instead of refusing
    #[arg(long)]
    pub(crate) allow_partial: bool,
    /// Load weights with NaN or infinity
    #[arg(long)]
    pub(crate) allow_nonfinite: bool,
    /// What is subtracted from each channel, in units where white is 1
    #[arg(long, value_name = "X,…", allow_hyphen_values = true)]
    pub(crate) mean: Option<Numbers>,
    /// What each channel is divided by then
    #[arg(long, value_name = "X,…")]
    pub(crate) std: Option<Numbers>,
}

impl WeightsArgs {
    /// Loads a file, of a hub where its name says so, and says what is odd about it.
    pub(crate) fn load(&self, path: &Path, talk: Talk) -> Result<Weights> {
        let path = &*crate::hub::resolve(path, talk)?;
        let options = LoadOptions {
            model: self.model.model.clone(),
            model_options: self.model.options(),
            mode: if self.allow_partial {
                LoadMode::Partial
            } else {
                LoadMode::Strict
            },
            non_finite: if self.allow_nonfinite {
                FinitePolicy::Allow
            } else {
                FinitePolicy::Refuse
            },
            ..LoadOptions::default()
        };
        let mut weights = Weights::load(path, &options)?;
        let file = inception_data::escape_path(path);
        for warning in &weights.warnings {
            talk.warn(&format!("{file}: {warning}"));
        }
        for found in &weights.non_finite {
            talk.warn(&format!("{file}: {found}"));
        }
        if !weights.report.difference.is_empty() {
            warn_partial(&file, &weights.report.difference, talk);
        }
        if let Some(mean) = &self.mean {
            weights.preprocess.mean.clone_from(&mean.0);
        }
        if let Some(std) = &self.std {
            weights.preprocess.std.clone_from(&std.0);
        }
        weights.preprocess.validate()?;
        Ok(weights)
    }
}

/// Says what a partial load left random.
pub(crate) fn warn_partial(file: &str, difference: &StateDictDifference, talk: Talk) {
    talk.warn(&format!(
        "{file}: loaded in part, what is missing stays random: {difference}"
    ));
}
