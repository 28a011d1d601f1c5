//! Recorded speed: what the work of this project costs in units of a calibration product that
//! takes turns with it, kept from commit to commit.
//!
//! A time alone says little about a machine that others use. The product of
//! [`Calibration`](inception_tensor::Calibration) is slowed down by the same neighbours and
//! the same clock, so the ratio of both stays where the time does not; what is left is the
//! spread of the ratios, from which the tolerance of a comparison follows.

mod compare;
mod measure;
mod works;

pub use compare::{Finding, Verdict, compare};
pub use measure::{RecordConfig, measure};

use crate::machine::Machine;
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
    /// Median over the rounds of its time in calibration products.
    pub ratio: f64,
    /// Median distance of a round from that, relative.
    pub spread: f64,
    /// Its own median, in ms: for people, never compared.
    pub median_ms: f64,
    /// Bytes of the planned arena, which no neighbour changes.
    pub arena_bytes: u64,
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
