//! Other engines at the same work, in turns with this one, a process for each measurement.

mod command;
mod document;
mod process;
mod table;
mod works;

pub use command::{Programs, peer_command};
pub use document::{README_BEGIN, README_END, replace_block, show, write};
pub use process::{Outcome, Sample, run};
pub use works::{Mode, Peer, WORKS, Work};

use crate::machine::Machine;
use crate::statistics::median;
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// How peers are measured.
#[derive(Clone, Debug, PartialEq)]
pub struct PeersConfig {
    /// Works whose name holds one of these; all where there is none.
    pub only: Vec<String>,
    /// Numbers of threads.
    pub threads: Vec<usize>,
    /// Rounds: each measures this engine, every peer, and this engine again.
    pub rounds: usize,
    /// Runs of a measurement, where the work's own number is not wanted.
    pub reps: Option<usize>,
    /// Leaves out what takes long and never wins: compilers' first runs, slow engines.
    pub scope: Scope,
    /// When a measurement is given up.
    pub limit: Duration,
}

/// Which peers take part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those that may be the fastest.
    Leaders,
    /// All.
    Everybody,
}

/// Everything that was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What it was measured on.
    pub machine: Machine,
    /// The command that measures it again.
    pub command: String,
    /// One for each work and number of threads.
    pub rows: Vec<Row>,
}

/// A work with a number of threads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The work's name.
    pub work: String,
    /// What it is.
    pub title: String,
    /// Threads.
    pub threads: usize,
    /// How many times the speed of the fastest peer is aimed at.
    pub target: f64,
    /// This engine.
    pub ours: Entry,
    /// The others.
    pub peers: BTreeMap<Peer, Entry>,
}

/// One engine at one work.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The engine and its version.
    pub name: String,
    /// The median of each measurement, in ms; none where the engine could not be measured.
    pub medians_ms: Vec<f64>,
    /// The most memory of the process.
    pub peak_rss_bytes: Option<u64>,
    /// Memory of the process when libraries were loaded and nothing else.
    pub import_rss_bytes: Option<u64>,
    /// Why there is no figure.
    pub absent: Option<String>,
}

impl Entry {
    /// The median of the measurements.
    pub fn ms(&self) -> Option<f64> {
        (!self.medians_ms.is_empty()).then(|| median(&self.medians_ms))
    }

    /// The most memory without what the libraries took.
    pub fn own_bytes(&self) -> Option<u64> {
        let peak = self.peak_rss_bytes?;
        Some(peak.saturating_sub(self.import_rss_bytes.unwrap_or(0)))
    }

    fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Measured(sample) => {
                self.name = sample.peer.unwrap_or_else(|| "inception".to_owned());
                self.medians_ms.push(sample.median_ms);
                self.peak_rss_bytes = self.peak_rss_bytes.max(sample.peak_rss_bytes);
                self.import_rss_bytes = self.import_rss_bytes.max(sample.import_rss_bytes);
            }
            Outcome::Absent(reason) => self.absent = Some(reason),
        }
    }
}

impl Row {
    /// The fastest of the peers whose figure is there.
    pub fn best(&self) -> Option<(Peer, f64)> {
        let peers = self.peers.iter();
        let times = peers.filter_map(|(&peer, entry)| Some((peer, entry.ms()?)));
        times.min_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// How many times as fast as the fastest of them this engine is.
    pub fn ratio(&self) -> Option<f64> {
        Some(self.best()?.1 / self.ours.ms()?)
    }
}

/// Measures all works; `said` hears of each finished row.
///
/// # Errors
/// When no work fits `only`.
pub fn measure(
    programs: &Programs,
    config: &PeersConfig,
    mut said: impl FnMut(&Row),
) -> Result<Vec<Row>> {
    let fits = |work: &&Work| {
        config.only.is_empty() || config.only.iter().any(|text| work.name.contains(&**text))
    };
    let works: Vec<&Work> = WORKS.iter().filter(fits).collect();
    if works.is_empty() {
        let names: Vec<&str> = WORKS.iter().map(|work| work.name).collect();
        anyhow::bail!(
            "no work is called {:?}; there are {}",
            config.only,
            names.join(", ")
        );
    }
    let mut rows = Vec::new();
    for &threads in &config.threads {
        for work in &works {
            let row = row(programs, config, work, threads);
            said(&row);
            rows.push(row);
        }
    }
    Ok(rows)
}

fn row(programs: &Programs, config: &PeersConfig, work: &Work, threads: usize) -> Row {
    let mut row = Row {
        work: work.name.to_owned(),
        title: work.title.to_owned(),
        threads,
        target: work.target,
        ours: Entry::default(),
        peers: BTreeMap::new(),
    };
    let reps = config.reps.unwrap_or(work.reps);
    let once = |peer: Option<Peer>| match peer_command(programs, work, peer, threads, reps) {
        Ok(mut command) => run(&mut command, config.limit),
        Err(reason) => Outcome::Absent(format!("{reason:#}")),
    };
    let peers = work.peers.iter().copied();
    let peers: Vec<Peer> = peers
        .filter(|peer| config.scope == Scope::Everybody || peer.leads())
        .collect();
    row.ours.add(once(None));
    for _ in 0..config.rounds {
        for &peer in &peers {
            let entry = row.peers.entry(peer).or_default();
            if entry.absent.is_none() {
                entry.add(once(Some(peer)));
            }
        }
        if row.ours.absent.is_none() {
            row.ours.add(once(None));
        }
    }
    row
}
