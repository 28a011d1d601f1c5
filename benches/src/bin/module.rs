//! Times module 3a alone, with batch norm and torchvision's 3×3 third branch: inference, or
//! forward and backward. Prints one JSON object with the fields of `inception bench --json`.
#![forbid(unsafe_code)]

use anyhow::{Context, Result, ensure};
use clap::{Parser, ValueEnum};
use inception_benches::block::Block;
use inception_benches::statistics::median;
use inception_benches::training::{Training, TrainingConfig};
use inception_nn::models::TABLE1;
use inception_nn::modules::{self, ConvStyle};
use inception_tensor::{Pool, Shape};
use serde::Serialize;
use std::time::Instant;

/// Time of module 3a.
#[derive(Debug, Parser)]
struct Cli {
    /// What is timed.
    #[arg(long, value_enum, default_value = "infer")]
    mode: Mode,
    /// Images in a batch.
    #[arg(long, value_name = "N", default_value_t = 32)]
    batch_size: usize,
    /// Threads.
    #[arg(long, value_name = "N", default_value_t = Pool::available())]
    threads: usize,
    /// How often it is timed, after one run to warm up.
    #[arg(long, value_name = "N", default_value_t = 10)]
    reps: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    /// Forward, batch norm folded.
    Infer,
    /// Forward and backward behind a global average and a small classifier.
    Train,
}

#[derive(Serialize)]
struct Report {
    model: &'static str,
    mode: Mode,
    batch_size: usize,
    threads: usize,
    reps: usize,
    median_ms: f64,
    min_ms: f64,
    images_per_s: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    peak_rss_bytes: Option<u64>,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    ensure!(cli.reps > 0, "--reps is at least 1");
    ensure!(cli.batch_size > 0, "--batch-size is at least 1");
    let pool = Pool::new(cli.threads)?;
    let row = TABLE1.first().context("the paper has modules")?;
    let input = Shape::new(cli.batch_size, 28, 28, 192);
    let times = match cli.mode {
        Mode::Infer => {
            let block = Block::record(input, |b| {
                modules::Block::new(b, ConvStyle::BatchNorm, input.c, &row.config.branches(3))
            })?;
            let mut runner = block.runner(&pool)?;
            times(cli.reps, || {
                runner.load();
                let start = Instant::now();
                runner.run();
                start.elapsed().as_secs_f64()
            })
        }
        Mode::Train => {
            let config = TrainingConfig {
                input,
                style: ConvStyle::BatchNorm,
                third_kernel: 3,
                config: row.config,
            };
            let mut training = Training::new(&config, &pool)?;
            times(cli.reps, || {
                training.load();
                let start = Instant::now();
                training.run();
                start.elapsed().as_secs_f64()
            })
        }
    };
    let seconds = median(&times);
    let report = Report {
        model: "module-3a",
        mode: cli.mode,
        batch_size: cli.batch_size,
        threads: cli.threads,
        reps: cli.reps,
        median_ms: 1e3 * seconds,
        min_ms: 1e3 * times.iter().copied().fold(f64::INFINITY, f64::min),
        images_per_s: cli.batch_size as f64 / seconds,
        peak_rss_bytes: inception_benches::machine::peak_rss(),
    };
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

/// Seconds of each run but the first.
fn times(reps: usize, mut run: impl FnMut() -> f64) -> Vec<f64> {
    run();
    (0..reps).map(|_| run()).collect()
}
