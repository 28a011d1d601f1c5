//! Measuring for a record.

use super::works::{Ready, WORKS};
use super::{Copies, Figure, Measure, Record};
use crate::machine::Machine;
use crate::statistics::median;
use anyhow::{Result, ensure};
use inception_tensor::{Calibration, Pool};
use std::path::Path;
use std::time::Duration;

/// How a record is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordConfig {
    /// Threads of the pool.
    pub threads: usize,
    /// How often each work is measured.
    pub rounds: usize,
}

impl Default for RecordConfig {
    fn default() -> Self {
        Self {
            threads: Pool::available(),
            rounds: 11,
        }
    }
}

/// How much of a work's time each unit takes on either side of it.
const SHARE: f64 = 0.5;

/// Measures every work, in turns with both units; `said` hears of each.
///
/// # Errors
/// When a setting is 0 or memory is not to be had.
pub fn measure(
    root: &Path,
    config: &RecordConfig,
    mut said: impl FnMut(&Figure),
) -> Result<Record> {
    ensure!(config.rounds > 0, "each work is measured at least once");
    let pool = Pool::new(config.threads)?;
    let mut calibration = Calibration::<f32>::new(&pool);
    let calibration_gflops = calibration.peak_gflops(20);
    let mut copies = Copies::new(&pool);
    let mut figures = Vec::new();
    for work in WORKS {
        let units: [Unit<'_>; 2] = [&mut || calibration.time(), &mut || copies.time()];
        let figure = figure(work.ready(&pool)?, units, config.rounds);
        said(&figure);
        figures.push(figure);
    }
    Ok(Record {
        machine: Machine::here(root),
        threads: config.threads,
        calibration_gflops,
        figures,
    })
}

/// What times are measured in: runs once and says how long that took.
type Unit<'a> = &'a mut dyn FnMut() -> Duration;

/// Seconds of one, of as many as take about `seconds`.
fn mean(unit: Unit<'_>, seconds: f64) -> f64 {
    let first = unit().as_secs_f64();
    let more = (seconds / first).ceil() as u32 - 1;
    let rest: Duration = (0..more).map(|_| unit()).sum();
    (first + rest.as_secs_f64()) / f64::from(more + 1)
}

/// One work's figure: in each round both units run before and after the work, each for about
/// half as long as the work does, so that all meet the same disturbances.
fn figure(mut work: Ready, units: [Unit<'_>; 2], rounds: usize) -> Figure {
    let expected = work.time().as_secs_f64();
    let [products, copies] = units;
    let mut units = || [&mut *products, &mut *copies].map(|unit| mean(unit, SHARE * expected));
    let (mut in_products, mut in_copies, mut times) = (Vec::new(), Vec::new(), Vec::new());
    let mut before = units();
    for _ in 0..rounds {
        let time = work.time().as_secs_f64();
        let after = units();
        let [product, copy] = [0, 1].map(|i| (before[i] + after[i]) / 2.0);
        in_products.push(time / product);
        in_copies.push(time / copy);
        times.push(1e3 * time);
        before = after;
    }
    Figure {
        work: work.name,
        products: Measure::of(&in_products),
        copies: Some(Measure::of(&in_copies)),
        median_ms: median(&times),
        arena_bytes: work.arena_bytes,
    }
}
