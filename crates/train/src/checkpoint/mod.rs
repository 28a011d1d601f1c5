//! Checkpoints: everything that a bit-identical continuation needs.

pub(crate) mod files;
mod state;
#[cfg(test)]
mod tests;

pub use state::Best;
pub(crate) use state::{Counters, State};

use crate::{Difference, Differences, TrainConfig, TrainError};
use inception_store::{Archive, ArchiveBuilder, StoreError};
use std::collections::BTreeMap;

/// What a run is besides its state: settings, and facts about model and data that must be
/// the same when it is resumed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Identity {
    /// The settings that change results.
    pub(crate) config: TrainConfig,
    /// Facts by name: the model's options, classes, preprocessing, fingerprints of data.
    pub(crate) facts: BTreeMap<String, String>,
}

const CONFIG: &str = "run.config";
const FACT: &str = "run.fact.";

impl Identity {
    /// Adds everything to an archive.
    pub(crate) fn write(&self, builder: &mut ArchiveBuilder<'_>) -> Result<(), StoreError> {
        builder.metadata(CONFIG, self.config.to_toml())?;
        for (name, value) in &self.facts {
            builder.metadata(format!("{FACT}{name}"), value.clone())?;
        }
        Ok(())
    }

    /// What a checkpoint says of its run.
    ///
    /// # Errors
    /// When there are no settings or they are malformed.
    pub(crate) fn read(archive: &Archive) -> Result<Self, TrainError> {
        let config = files::text(archive, CONFIG)?;
        let config =
            TrainConfig::from_toml(config).map_err(|e| files::fault(archive, e.to_string()))?;
        let facts = archive.metadata().iter();
        let facts = facts.filter_map(|(k, v)| Some((k.strip_prefix(FACT)?.to_owned(), v.clone())));
        Ok(Self {
            config,
            facts: facts.collect(),
        })
    }

    /// Refuses a run `given` that is not this one.
    ///
    /// # Errors
    /// [`TrainError::Differs`] lists every setting and fact that differs.
    pub(crate) fn check(&self, given: &Self, archive: &Archive) -> Result<(), TrainError> {
        let mut fields = self.config.differences(&given.config);
        let value = |facts: &BTreeMap<String, String>, name: &String| {
            facts
                .get(name)
                .cloned()
                .unwrap_or_else(|| "none".to_owned())
        };
        let mut names: Vec<&String> = self.facts.keys().chain(given.facts.keys()).collect();
        names.sort();
        names.dedup();
        let facts = names.into_iter().map(|name| Difference {
            field: name.clone(),
            saved: value(&self.facts, name),
            given: value(&given.facts, name),
        });
        fields.extend(facts.filter(|d| d.saved != d.given));
        if fields.is_empty() {
            return Ok(());
        }
        let path = archive.path().to_path_buf();
        Err(TrainError::Differs(Box::new(Differences { path, fields })))
    }
}
