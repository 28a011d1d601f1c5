//! Engines written in Rust at the work that `inception bench` measures: one JSON object a run,
//! with the fields that `benches/peers/peers.py` prints.
#![forbid(unsafe_code)]

mod burn_nets;
mod onnx;

use anyhow::{Result, ensure};
use clap::{Args, Parser, Subcommand};
use serde::Serialize;
use std::path::PathBuf;
use std::time::Instant;

#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    engine: Engine,
}

#[derive(Debug, Subcommand)]
enum Engine {
    /// tract on an ONNX file.
    Tract {
        #[arg(long)]
        file: PathBuf,
        #[command(flatten)]
        run: Run,
    },
    /// rten on an ONNX file.
    Rten {
        #[arg(long)]
        file: PathBuf,
        #[command(flatten)]
        run: Run,
    },
    /// burn on its flex backend.
    Burn {
        #[arg(long)]
        model: String,
        #[arg(long)]
        mode: String,
        #[command(flatten)]
        run: Run,
    },
}

/// What every engine is told.
#[derive(Clone, Copy, Debug, Args)]
pub struct Run {
    /// Images in a batch.
    #[arg(long, default_value_t = 1)]
    pub batch_size: usize,
    /// Threads.
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
    /// Runs that are measured, after one that warms up.
    #[arg(long, default_value_t = 5)]
    pub reps: usize,
}

#[derive(Serialize)]
struct Report {
    peer: &'static str,
    batch_size: usize,
    threads: usize,
    reps: usize,
    median_ms: f64,
    min_ms: f64,
    images_per_s: f64,
    peak_rss_bytes: Option<u64>,
    import_rss_bytes: Option<u64>,
}

fn main() -> Result<()> {
    let import_rss_bytes = memory("VmRSS:");
    let (peer, run, times) = match Cli::parse().engine {
        Engine::Tract { file, run } => ("tract 0.23.9", run, onnx::tract(&file, run)?),
        Engine::Rten { file, run } => ("rten 0.27", run, onnx::rten(&file, run)?),
        Engine::Burn { model, mode, run } => (
            "burn-flex 0.22.1",
            run,
            burn_nets::time(&model, &mode, run)?,
        ),
    };
    let mut sorted = times;
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    let median_ms = (sorted[(n - 1) / 2] + sorted[n / 2]) / 2.0;
    let report = Report {
        peer,
        batch_size: run.batch_size,
        threads: run.threads,
        reps: run.reps,
        median_ms,
        min_ms: sorted[0],
        images_per_s: 1e3 * run.batch_size as f64 / median_ms,
        peak_rss_bytes: memory("VmHWM:"),
        import_rss_bytes,
    };
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

/// Milliseconds of each run but the first.
pub fn times(run: Run, mut work: impl FnMut() -> Result<()>) -> Result<Vec<f64>> {
    ensure!(run.reps > 0, "--reps is at least 1");
    work()?;
    let mut times = Vec::new();
    for _ in 0..run.reps {
        let start = Instant::now();
        work()?;
        times.push(1e3 * start.elapsed().as_secs_f64());
    }
    Ok(times)
}

/// Bytes of a field of this process's status.
fn memory(field: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
