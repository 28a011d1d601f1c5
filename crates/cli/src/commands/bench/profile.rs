//! Where the time goes.

use crate::numbers;
use crate::table::{Align, table, text};
use inception_autograd::StepTime;
use serde::Serialize;
use std::collections::HashMap;
use std::time::Duration;

/// Time, arithmetic and memory traffic, by direction, by operator and by layer.
#[derive(Serialize)]
pub(super) struct Profile {
    /// The most arithmetic that the kernels reach on this machine with these threads, measured
    /// just before.
    peak_gflops: f64,
    /// Forward, backward, update.
    directions: Vec<Entry>,
    /// The slowest first.
    operators: Vec<Entry>,
    /// In the order of the run.
    layers: Vec<Entry>,
}

/// The part of a step that an operator belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
enum Direction {
    Forward,
    Backward,
    Update,
}

impl Direction {
    const ALL: [Self; 3] = [Self::Forward, Self::Backward, Self::Update];

    fn of(op: &str) -> Self {
        match op {
            UPDATE => Self::Update,
            _ if op.contains("backward") => Self::Backward,
            _ => Self::Forward,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Backward => "backward",
            Self::Update => "update",
        }
    }
}

/// What comes after a run: running statistics, optimiser, packing of weights.
const UPDATE: &str = "update";

#[derive(Serialize)]
struct Entry {
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    op: Option<&'static str>,
    direction: Direction,
    #[serde(skip_serializing_if = "Option::is_none")]
    algorithm: Option<String>,
    ms: f64,
    share: f64,
    gflops: f64,
    /// Of the peak; above 1 where an algorithm needs fewer operations than it stands for.
    peak_share: f64,
    bytes: u64,
    gbytes_per_s: f64,
}

#[derive(Clone, Copy, Default)]
struct Sum {
    time: Duration,
    macs: u64,
    bytes: u64,
}

impl Sum {
    fn add(&mut self, other: Self) {
        self.time += other.time;
        self.macs += other.macs;
        self.bytes += other.bytes;
    }
}

/// One step's place in the tables.
struct Layer {
    path: String,
    op: &'static str,
    algorithm: Option<String>,
    sum: Sum,
}

/// Sums of steps over runs.
#[derive(Default)]
pub(super) struct Recorder {
    places: HashMap<(String, &'static str), usize>,
    layers: Vec<Layer>,
}

impl Recorder {
    pub(super) fn add(&mut self, step: StepTime<'_>) {
        let sum = Sum {
            time: step.time,
            macs: step.macs,
            bytes: step.bytes,
        };
        self.note(step.path, step.op, step.algorithm.as_deref(), sum);
    }

    /// Adds the time of what follows a run.
    pub(super) fn add_update(&mut self, time: Duration) {
        let sum = Sum {
            time,
            ..Sum::default()
        };
        self.note("", UPDATE, None, sum);
    }

    fn note(&mut self, path: &str, op: &'static str, algorithm: Option<&str>, sum: Sum) {
        let key = (path.to_owned(), op);
        let place = *self.places.entry(key).or_insert_with(|| {
            self.layers.push(Layer {
                path: path.to_owned(),
                op,
                algorithm: algorithm.map(str::to_owned),
                sum: Sum::default(),
            });
            self.layers.len() - 1
        });
        self.layers[place].sum.add(sum);
    }

    /// The figures of one of `runs` runs, beside the machine's `peak_gflops`.
    pub(super) fn finish(self, runs: usize, peak_gflops: f64) -> Profile {
        let total: Duration = self.layers.iter().map(|layer| layer.sum.time).sum();
        let scale = Scale {
            total: total.as_secs_f64(),
            runs: runs as f64,
            peak_gflops,
        };
        let mut by_op: HashMap<&'static str, Sum> = HashMap::new();
        let mut by_direction: HashMap<Direction, Sum> = HashMap::new();
        for layer in &self.layers {
            by_op.entry(layer.op).or_default().add(layer.sum);
            let direction = Direction::of(layer.op);
            by_direction.entry(direction).or_default().add(layer.sum);
        }
        let mut operators: Vec<Entry> = by_op
            .into_iter()
            .map(|(op, sum)| Entry {
                op: Some(op),
                ..scale.entry(Direction::of(op), sum)
            })
            .collect();
        operators.sort_by(|a, b| b.ms.total_cmp(&a.ms).then(a.op.cmp(&b.op)));
        let directions = Direction::ALL.into_iter();
        Profile {
            peak_gflops,
            directions: directions
                .filter_map(|d| Some(scale.entry(d, *by_direction.get(&d)?)))
                .collect(),
            operators,
            layers: self
                .layers
                .into_iter()
                .map(|layer| Entry {
                    path: Some(layer.path),
                    op: Some(layer.op),
                    algorithm: layer.algorithm,
                    ..scale.entry(Direction::of(layer.op), layer.sum)
                })
                .collect(),
        }
    }
}

/// What sums are divided by.
struct Scale {
    total: f64,
    runs: f64,
    peak_gflops: f64,
}

impl Scale {
    fn entry(&self, direction: Direction, sum: Sum) -> Entry {
        let seconds = sum.time.as_secs_f64();
        let gflops = 2.0 * sum.macs as f64 / seconds / 1e9;
        Entry {
            path: None,
            op: None,
            direction,
            algorithm: None,
            ms: 1e3 * seconds / self.runs,
            share: seconds / self.total,
            gflops,
            peak_share: gflops / self.peak_gflops,
            bytes: (sum.bytes as f64 / self.runs) as u64,
            gbytes_per_s: sum.bytes as f64 / seconds / 1e9,
        }
    }
}

impl Profile {
    /// Tables for people.
    pub(super) fn show(&self) -> String {
        let layers = columns(
            &["layer", "operator", "by"],
            self.layers.iter().map(|entry| {
                let by = entry.algorithm.clone().unwrap_or_default();
                let words = [
                    entry.path.clone().unwrap_or_default(),
                    entry.op.unwrap_or_default().to_owned(),
                    by,
                ];
                (words.to_vec(), entry)
            }),
        );
        let operators = columns(
            &["operator"],
            self.operators
                .iter()
                .map(|entry| (vec![entry.op.unwrap_or_default().to_owned()], entry)),
        );
        let directions = columns(
            &["direction"],
            self.directions
                .iter()
                .map(|entry| (vec![entry.direction.name().to_owned()], entry)),
        );
        let peak = format!(
            "peak: {:.1} GFLOP/s, a product in cache\n",
            self.peak_gflops
        );
        [layers, operators, directions, peak].join("\n")
    }
}

/// A table with the given words in front of the figures.
fn columns<'a>(words: &[&str], rows: impl Iterator<Item = (Vec<String>, &'a Entry)>) -> String {
    use Align::{Left, Right};
    let figures = ["ms", "share", "GFLOP/s", "of peak", "bytes", "GB/s"];
    let words = words.iter().map(|&word| (word, Left));
    let header: Vec<(&str, Align)> = words.chain(figures.map(|name| (name, Right))).collect();
    let mut shown = table(&header);
    for (words, entry) in rows {
        let figures = [
            format!("{:.3}", entry.ms),
            format!("{:.1} %", 100.0 * entry.share),
            format!("{:.1}", entry.gflops),
            format!("{:.0} %", 100.0 * entry.peak_share),
            numbers::bytes(entry.bytes),
            format!("{:.1}", entry.gbytes_per_s),
        ];
        shown.add_row(words.into_iter().chain(figures));
    }
    text(&shown)
}
