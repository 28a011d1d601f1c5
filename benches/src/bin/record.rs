//! Measures what the work of this project costs, in units of a product and of a copy that take
//! turns with it; writes it down, or compares it with what was written.
#![forbid(unsafe_code)]

use anyhow::{Context, Result};
use clap::Parser;
use inception_benches::record::{Measure, Record, RecordConfig, compare, measure};
use std::path::Path;
use std::process::ExitCode;

/// Record of speed, and the check against it.
#[derive(Debug, Parser)]
struct Cli {
    /// Compare with the last record of such a machine instead of writing one; a regression is
    /// exit status 1.
    #[arg(long)]
    check: bool,
    /// Threads.
    #[arg(long, value_name = "N", default_value_t = RecordConfig::default().threads)]
    threads: usize,
    /// How often each work is measured.
    #[arg(long, value_name = "N", default_value_t = RecordConfig::default().rounds)]
    rounds: usize,
}

fn main() -> Result<ExitCode> {
    let cli = Cli::parse();
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = manifest
        .parent()
        .context("the benches lie in a workspace")?;
    let folder = manifest.join("record");
    let config = RecordConfig {
        threads: cli.threads,
        rounds: cli.rounds,
    };
    let now = measure(root, &config, |figure| {
        let shown = |Measure { ratio, spread }| format!("{ratio:8.2} ± {:4.1} %", 100.0 * spread);
        let copies = figure.copies.map_or_else(String::new, shown);
        eprintln!(
            "{:32} {} products {copies} copies {:9.2} ms",
            figure.work,
            shown(figure.products),
            figure.median_ms
        );
    })?;
    if !cli.check {
        println!("{}", now.write(&folder)?.display());
        return Ok(ExitCode::SUCCESS);
    }
    let records = Record::read_all(&folder)?;
    let then = now.last_comparable(&records).with_context(|| {
        let (processor, kernel) = (&now.machine.processor, &now.machine.kernel);
        format!(
            "no record of {processor}, {kernel}, {} threads: write one with \
             `cargo xtask bench --record`",
            now.threads
        )
    })?;
    println!(
        "compared with {} of {}",
        then.machine.commit, then.machine.date
    );
    let found = compare(then, &now);
    found.iter().for_each(|finding| println!("{finding}"));
    let worse = found.iter().any(|finding| finding.verdict.is_regression());
    Ok(match worse {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}
