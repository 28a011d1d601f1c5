//! `cargo xtask bench`: the tables of the paper's claims, the comparison with other engines, and
//! the record of speed.

use crate::cargo;
use crate::step::exec;
use anyhow::Result;
use std::path::Path;
use std::process::Command;

/// Options of `cargo xtask bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Compare with other engines and write docs/peers.md and the README's table.
    #[arg(long, conflicts_with_all = ["record", "check"])]
    peers: bool,
    /// Only works whose name holds this; repeatable.
    #[arg(long, value_name = "WORK", requires = "peers")]
    only: Vec<String>,
    /// The fastest engines alone, in one round: some minutes.
    #[arg(long, requires = "peers")]
    quick: bool,
    /// Measure and write a record of speed into benches/record.
    #[arg(long)]
    record: bool,
    /// Compare with the last record of such a machine; slower is a failure.
    #[arg(long, conflicts_with = "record")]
    check: bool,
    /// Count only; keep the times that were written last.
    #[arg(long, conflicts_with_all = ["peers", "record", "check"])]
    no_timing: bool,
    /// Images in a batch while timing the paper's claims.
    #[arg(long, value_name = "N", conflicts_with_all = ["peers", "record", "check"])]
    batch_size: Option<usize>,
    /// Threads while timing [default: all cores; all cores and one for --peers].
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Rounds of turns of --peers, --record, --check.
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// How often each form is timed, or runs of each measurement of --peers.
    #[arg(long, value_name = "N", conflicts_with_all = ["record", "check"])]
    reps: Option<usize>,
}

/// Builds and runs a program of the benches.
pub(crate) fn run(root: &Path, args: &Args) -> Result<()> {
    match args {
        Args { peers: true, .. } => peers(root, args),
        Args { record: true, .. } => exec(&mut record(root, args, None)),
        Args { check: true, .. } => exec(&mut record(root, args, Some("--check"))),
        _ => claims(root, args),
    }
}

/// `cargo run` of a program of the benches, optimised or in the profile of the tests, which is
/// there already.
fn program(root: &Path, profile: &[&str], name: &str) -> Command {
    let mut command = cargo(root);
    command.args(["run", "--quiet", "--locked"]).args(profile);
    command.args(["--package", "inception-benches", "--bin", name, "--"]);
    command
}

fn numbers(command: &mut Command, numbers: &[(&str, Option<usize>)]) {
    for (flag, value) in numbers {
        if let Some(value) = value {
            command.args([flag, &&*value.to_string()]);
        }
    }
}

fn claims(root: &Path, args: &Args) -> Result<()> {
    let profile: &[&str] = if args.no_timing { &[] } else { &["--release"] };
    let mut command = program(root, profile, "paper-claims");
    if args.no_timing {
        command.arg("--no-timing");
    }
    let flags = [
        ("--batch-size", args.batch_size),
        ("--threads", args.threads),
        ("--reps", args.reps),
    ];
    numbers(&mut command, &flags);
    exec(&mut command)
}

fn record(root: &Path, args: &Args, check: Option<&str>) -> Command {
    let mut command = program(root, &["--release"], "record");
    command.args(check);
    let flags = [("--threads", args.threads), ("--rounds", args.rounds)];
    numbers(&mut command, &flags);
    command
}

fn peers(root: &Path, args: &Args) -> Result<()> {
    let build = ["build", "--quiet", "--locked", "--release"];
    let ours = [
        "--package",
        "inception-cli",
        "--package",
        "inception-benches",
        "--bins",
    ];
    exec(cargo(root).args(build).args(ours))?;
    if !args.quick {
        let manifest = ["--manifest-path", "benches/peers/rust/Cargo.toml"];
        let target = ["--target-dir", "target/peers"];
        // Engines that cannot be built are reported as missing beside those that can.
        if let Err(error) = exec(cargo(root).args(build).args(manifest).args(target)) {
            eprintln!("warning: {error:#}");
        }
    }
    let mut command = program(root, &["--release"], "peers");
    for work in &args.only {
        command.args(["--only", work]);
    }
    if args.quick {
        command.arg("--quick");
    }
    let flags = [
        ("--threads", args.threads),
        ("--rounds", args.rounds),
        ("--reps", args.reps),
    ];
    numbers(&mut command, &flags);
    exec(&mut command)
}
