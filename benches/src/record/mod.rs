//! Recorded speed: what the work of this project costs in two units that take turns with it,
//! kept from commit to commit.
//!
//! A time alone says little about a machine that others use. The product of
//! [`Calibration`](inception_tensor::Calibration), which stays in cache, and a copy of
//! [`Copies`], which waits for memory, are slowed down by the same neighbours and the same
//! clock. A work is some of both, so whatever happens to the machine moves the work's time by
//! something between what it does to one and to the other: a work that takes longer in *both*
//! units has itself become slower. What is left is the spread of the ratios, from which the
//! tolerance of a comparison follows.

mod compare;
mod copies;
mod measure;
mod works;

pub use compare::{Finding, Verdict, compare};
pub use copies::Copies;
pub use measure::{RecordConfig, measure};

use crate::machine::Machine;
use crate::statistics::{median, spread};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Figures of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// What was measured where and when.
    pub machine: Machine,
    /// Threads.
    pub threads: usize,
    /// GFLOP/s of the calibration product.
    pub calibration_gflops: f64,
    /// Each work.
    pub figures: Vec<Figure>,
}

/// One work's cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// The work.
    pub work: String,
    /// Its time in calibration products.
    pub products: Measure,
    /// Its time in copies of memory; the first records lack it.
    pub copies: Option<Measure>,
    /// Its own median, in ms: for people, never compared.
    pub median_ms: f64,
    /// Bytes of the planned arena, which no neighbour changes.
    pub arena_bytes: u64,
}

/// A work's time in a unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// Median over the rounds.
    pub ratio: f64,
    /// Median distance of a round from that, relative.
    pub spread: f64,
}

impl Measure {
    /// Of the ratios of all rounds.
    fn of(ratios: &[f64]) -> Self {
        Self {
            ratio: median(ratios),
            spread: spread(ratios),
        }
    }
}

impl Record {
    /// Writes the record into `folder` as one line of JSON, in a file named after day, commit
    /// and threads.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, folder: &Path) -> Result<PathBuf> {
        let Machine { date, commit, .. } = &self.machine;
        let name = format!("{date}-{commit}-{}.jsonl", self.threads);
        let path = folder.join(name);
        let line = serde_json::to_string(self)? + "\n";
        std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(&path, line))
            .with_context(|| path.display().to_string())?;
        Ok(path)
    }

    /// Every record in `folder`, oldest first; none where there is no folder.
    ///
    /// # Errors
    /// When the folder or a record cannot be read.
    pub fn read_all(folder: &Path) -> Result<Vec<Self>> {
        let shown = |path: &Path| path.display().to_string();
        let entries = match std::fs::read_dir(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.with_context(|| shown(folder))?,
        };
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|e| e == "jsonl") {
                paths.push(path);
            }
        }
        paths.sort();
        let mut records = Vec::new();
        for path in paths {
            let text = std::fs::read_to_string(&path).with_context(|| shown(&path))?;
            for line in text.lines() {
                records.push(serde_json::from_str(line).with_context(|| shown(&path))?);
            }
        }
        Ok(records)
    }

    /// The last of `records` that was measured on such a machine, with as many threads.
    pub fn last_comparable<'a>(&self, records: &'a [Self]) -> Option<&'a Self> {
        records.iter().rev().find(|other| {
            let (a, b) = (&self.machine, &other.machine);
            (&a.processor, &a.kernel, self.threads) == (&b.processor, &b.kernel, other.threads)
        })
    }
}
