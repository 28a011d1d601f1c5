//! `cargo xtask bench`: the tables of the paper's claims.

use crate::cargo;
use crate::step::exec;
use anyhow::Result;
use std::path::Path;

/// Options of `cargo xtask bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Count only; keep the times that were written last.
    #[arg(long)]
    no_timing: bool,
    /// Images in a batch while timing.
    #[arg(long, value_name = "N")]
    batch_size: Option<usize>,
    /// Threads while timing [default: all cores].
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// How often each form is timed.
    #[arg(long, value_name = "N")]
    reps: Option<usize>,
}

/// Builds and runs `paper-claims` of the benches: optimised where time is measured, else in
/// the profile of the tests, which is there already.
pub(crate) fn run(root: &Path, args: &Args) -> Result<()> {
    let mut command = cargo(root);
    command.args(["run", "--quiet", "--locked"]);
    if !args.no_timing {
        command.arg("--release");
    }
    command.args([
        "--package",
        "inception-benches",
        "--bin",
        "paper-claims",
        "--",
    ]);
    if args.no_timing {
        command.arg("--no-timing");
    }
    let numbers = [
        ("--batch-size", args.batch_size),
        ("--threads", args.threads),
        ("--reps", args.reps),
    ];
    for (flag, value) in numbers {
        if let Some(value) = value {
            command.args([flag, &value.to_string()]);
        }
    }
    exec(&mut command)
}
