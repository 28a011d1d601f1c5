//! The time that each form of a module takes on this machine.

use crate::block::{Block, Runner};
use crate::forms;
use crate::machine::processor;
use anyhow::{Context, Result, ensure};
use inception_nn::models::TABLE1;
use inception_tensor::{Pool, Shape};
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// How time is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimingConfig {
    /// Images in a batch.
    pub batch_size: usize,
    /// Threads of the pool.
    pub threads: usize,
    /// How often each form runs.
    pub reps: usize,
}

impl Default for TimingConfig {
    fn default() -> Self {
        Self {
            batch_size: 8,
            threads: Pool::available(),
            reps: 9,
        }
    }
}

/// Measured times, and what they were measured on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Times {
    /// The processor, as the system calls it.
    pub processor: String,
    /// The module.
    pub module: String,
    /// `[h, w, c]` of its input.
    pub input: [usize; 3],
    /// Images in a batch.
    pub batch_size: usize,
    /// Threads.
    pub threads: usize,
    /// How often each form ran.
    pub reps: usize,
    /// Each form; the first is the one that others are compared with.
    pub forms: Vec<FormTime>,
}

/// The time of one form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FormTime {
    /// The form.
    pub form: String,
    /// Multiply-adds for one image.
    pub macs: u64,
    /// Median over the runs, in ms.
    pub median_ms: f64,
    /// The shortest run, in ms.
    pub min_ms: f64,
}

/// The module that is timed: the first of Table 1.
const INPUT: Shape = Shape::new(1, 28, 28, 192);

/// Times the forms of module 3a, taking turns so that a disturbance hits all of them.
///
/// # Errors
/// When a setting is 0 or memory is not to be had.
pub fn measure(config: &TimingConfig) -> Result<Times> {
    ensure!(config.batch_size > 0, "a batch has at least 1 image");
    ensure!(config.reps > 0, "each form runs at least once");
    let pool = Pool::new(config.threads)?;
    let module = TABLE1.first().context("the paper has modules")?;
    let mut forms = forms_of_3a(config.batch_size)?
        .into_iter()
        .map(|(name, block)| Timed::new(name, block, config.batch_size, &pool))
        .collect::<Result<Vec<_>>>()?;
    for round in 0..=config.reps {
        for form in &mut forms {
            form.runner.load();
            let start = Instant::now();
            form.runner.run();
            // The first round warms up.
            if round > 0 {
                form.ms.push(start.elapsed().as_secs_f64() * 1e3);
            }
        }
    }
    Ok(Times {
        processor: processor(),
        module: module.name.to_owned(),
        input: [INPUT.h, INPUT.w, INPUT.c],
        batch_size: config.batch_size,
        threads: config.threads,
        reps: config.reps,
        forms: forms.into_iter().map(Timed::time).collect(),
    })
}

fn forms_of_3a(batch_size: usize) -> Result<[(&'static str, Block); 4]> {
    let config = TABLE1.first().context("the paper has modules")?.config;
    let input = Shape {
        n: batch_size,
        ..INPUT
    };
    Ok([
        ("with reductions", forms::reduced(input, &config)?),
        ("naive", forms::naive(input, &config)?),
        ("one 5×5", forms::plain(input, 5, config.c_out())?),
        ("one 10×10", forms::plain(input, 10, config.c_out())?),
    ])
}

struct Timed {
    name: &'static str,
    macs: u64,
    runner: Runner,
    ms: Vec<f64>,
}

impl Timed {
    fn new(name: &'static str, block: Block, batch_size: usize, pool: &Pool) -> Result<Self> {
        Ok(Self {
            name,
            macs: block.cost().macs / batch_size as u64,
            runner: block.runner(pool)?,
            ms: Vec::new(),
        })
    }

    fn time(mut self) -> FormTime {
        self.ms.sort_by(f64::total_cmp);
        FormTime {
            form: self.name.to_owned(),
            macs: self.macs,
            median_ms: self.ms[self.ms.len() / 2],
            min_ms: self.ms[0],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_timed_as_often_as_asked_and_reads_what_the_network_gives_3a() {
        let config = TimingConfig {
            batch_size: 1,
            threads: 1,
            reps: 1,
        };
        let times = measure(&config).unwrap();
        assert_eq!(times.forms.len(), 4);
        let claims = crate::claims::Claims::count().unwrap();
        let counted = &claims.modules[0];
        assert_eq!(times.input, counted.input);
        let macs: Vec<u64> = times.forms.iter().map(|form| form.macs).collect();
        let forms = [
            counted.reduced,
            counted.naive,
            counted.plain5,
            counted.plain10,
        ];
        assert_eq!(macs, forms.map(|cost| cost.macs));
        assert!(times.forms.iter().all(|form| form.median_ms > 0.0));
    }
}
