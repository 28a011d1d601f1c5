//! Where the time goes.

use crate::table::{Align, table, text};
use inception_autograd::StepTime;
use serde::Serialize;
use std::collections::HashMap;
use std::time::Duration;

/// Time by operator and by layer.
#[derive(Serialize)]
pub(super) struct Profile {
    /// The slowest first.
    operators: Vec<Entry>,
    /// In the order of the run.
    layers: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    op: &'static str,
    ms: f64,
    share: f64,
    gflops: f64,
}

#[derive(Default)]
struct Sum {
    time: Duration,
    macs: u64,
}

impl Sum {
    fn add(&mut self, step: StepTime<'_>) {
        self.time += step.time;
        self.macs += step.macs;
    }

    fn entry(&self, op: &'static str, path: Option<String>, total: f64, runs: usize) -> Entry {
        let seconds = self.time.as_secs_f64();
        Entry {
            path,
            op,
            ms: 1e3 * seconds / runs as f64,
            share: seconds / total,
            gflops: 2.0 * self.macs as f64 / seconds / 1e9,
        }
    }
}

/// Sums of steps over runs.
#[derive(Default)]
pub(super) struct Recorder {
    places: HashMap<(String, &'static str), usize>,
    layers: Vec<(String, &'static str, Sum)>,
}

impl Recorder {
    pub(super) fn add(&mut self, step: StepTime<'_>) {
        let key = (step.path.to_owned(), step.op);
        let place = *self.places.entry(key).or_insert_with_key(|(path, op)| {
            self.layers.push((path.clone(), op, Sum::default()));
            self.layers.len() - 1
        });
        self.layers[place].2.add(step);
    }

    /// The figures of one of `runs` runs.
    pub(super) fn finish(self, runs: usize) -> Profile {
        let total = self
            .layers
            .iter()
            .map(|(.., sum)| sum.time.as_secs_f64())
            .sum();
        let mut by_op: HashMap<&'static str, Sum> = HashMap::new();
        for (_, op, sum) in &self.layers {
            let all = by_op.entry(op).or_default();
            all.time += sum.time;
            all.macs += sum.macs;
        }
        let operators = by_op
            .iter()
            .map(|(op, sum)| sum.entry(op, None, total, runs));
        let mut operators: Vec<Entry> = operators.collect();
        operators.sort_by(|a, b| b.ms.total_cmp(&a.ms).then(a.op.cmp(b.op)));
        let layers = self.layers.into_iter();
        let layers = layers.map(|(path, op, sum)| sum.entry(op, Some(path), total, runs));
        Profile {
            operators,
            layers: layers.collect(),
        }
    }
}

impl Profile {
    /// Two tables for people.
    pub(super) fn show(&self) -> String {
        use Align::{Left, Right};
        let figures = |entry: &Entry| {
            [
                format!("{:.3}", entry.ms),
                format!("{:.1} %", 100.0 * entry.share),
                format!("{:.1}", entry.gflops),
            ]
        };
        let mut layers = table(&[
            ("layer", Left),
            ("operator", Left),
            ("ms", Right),
            ("share", Right),
            ("GFLOP/s", Right),
        ]);
        for entry in &self.layers {
            let path = entry.path.clone().unwrap_or_default();
            let words = [path, entry.op.to_owned()];
            layers.add_row(words.into_iter().chain(figures(entry)));
        }
        let mut operators = table(&[
            ("operator", Left),
            ("ms", Right),
            ("share", Right),
            ("GFLOP/s", Right),
        ]);
        for entry in &self.operators {
            operators.add_row([entry.op.to_owned()].into_iter().chain(figures(entry)));
        }
        format!("{}\n{}", text(&layers), text(&operators))
    }
}
