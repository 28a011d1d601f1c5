//! Counts, and times, what the paper claims: prints it and writes `docs/paper-claims.*`.
#![forbid(unsafe_code)]

use anyhow::{Context, Result};
use clap::Parser;
use inception_benches::claims::Claims;
use inception_benches::report::Report;
use inception_benches::timing::{TimingConfig, measure};
use inception_tensor::Pool;
use std::path::Path;

/// Tables of what the paper claims about its modules.
#[derive(Debug, Parser)]
struct Cli {
    /// Count only; keep the times that were written last.
    #[arg(long)]
    no_timing: bool,
    /// Images in a batch while timing.
    #[arg(long, value_name = "N", default_value_t = TimingConfig::default().batch_size)]
    batch_size: usize,
    /// Threads while timing.
    #[arg(long, value_name = "N", default_value_t = Pool::available())]
    threads: usize,
    /// How often each form is timed.
    #[arg(long, value_name = "N", default_value_t = TimingConfig::default().reps)]
    reps: usize,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let root = root.context("the benches lie in the workspace")?;
    let counts = Claims::count()?;
    let times = match cli.no_timing {
        true => Report::written_times(root)?,
        false => Some(measure(&TimingConfig {
            batch_size: cli.batch_size,
            threads: cli.threads,
            reps: cli.reps,
        })?),
    };
    let report = Report { counts, times };
    print!("{report}");
    report.write(root)
}
