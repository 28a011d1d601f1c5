//! Measuring for a record.

use super::works::{Ready, WORKS};
use super::{Figure, Record};
use crate::machine::Machine;
use crate::statistics::{median, spread};
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

/// How much of a work's time the calibration takes on either side of it.
const SHARE: f64 = 0.5;

/// Measures every work, in turns with the calibration product; `said` hears of each.
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
    let mut figures = Vec::new();
    for work in WORKS {
        let figure = figure(work.ready(&pool)?, &mut calibration, config.rounds);
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

/// One work's figure: in each round the product runs before and after the work, for about as
/// long as the work does, so that both meet the same disturbances.
fn figure(mut work: Ready, calibration: &mut Calibration<f32>, rounds: usize) -> Figure {
    let expected = seconds(work.time());
    let count = (SHARE * expected / seconds(calibration.time())).ceil() as u32;
    let mut products = || -> f64 {
        let total: Duration = (0..count).map(|_| calibration.time()).sum();
        seconds(total) / f64::from(count)
    };
    let (mut ratios, mut times) = (Vec::new(), Vec::new());
    let mut before = products();
    for _ in 0..rounds {
        let time = seconds(work.time());
        let after = products();
        ratios.push(time / ((before + after) / 2.0));
        times.push(1e3 * time);
        before = after;
    }
    Figure {
        work: work.name,
        ratio: median(&ratios),
        spread: spread(&ratios),
        median_ms: median(&times),
        arena_bytes: work.arena_bytes,
    }
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}
