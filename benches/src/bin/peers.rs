//! Measures this engine and others in turns, and writes `docs/peers.md`, `docs/peers.json` and
//! the block of the README.
#![forbid(unsafe_code)]

use anyhow::{Context, Result};
use clap::Parser;
use inception_benches::machine::Machine;
use inception_benches::peers::{PeersConfig, Programs, Report, Row, Scope, measure, show, write};
use inception_tensor::Pool;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Comparison with other engines.
#[derive(Debug, Parser)]
struct Cli {
    /// Only works whose name holds this; repeatable.
    #[arg(long, value_name = "WORK")]
    only: Vec<String>,
    /// The fastest engines alone, in one round: some minutes.
    #[arg(long)]
    quick: bool,
    /// Numbers of threads [default: all cores, and one].
    #[arg(long, value_name = "N", value_delimiter = ',')]
    threads: Vec<usize>,
    /// How often each engine takes its turn [default: 3, or 1 with --quick].
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// Runs of each measurement [default: the work's own].
    #[arg(long, value_name = "N")]
    reps: Option<usize>,
    /// A Python with what benches/peers/requirements.txt lists.
    #[arg(
        long,
        value_name = "PROGRAM",
        default_value = "python3",
        env = "INCEPTION_PYTHON"
    )]
    python: PathBuf,
    /// Seconds after which a measurement is given up.
    #[arg(long, value_name = "N", default_value_t = 300)]
    limit: u64,
    /// Print the table only.
    #[arg(long)]
    dry: bool,
    /// Measure nothing, and write the tables of docs/peers.json again.
    #[arg(long, conflicts_with_all = ["dry", "only"])]
    show: bool,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let root = root.context("the benches lie in a workspace")?;
    if cli.show {
        return show(root);
    }
    let me = std::env::current_exe()?;
    let programs = Programs {
        root: root.to_path_buf(),
        binaries: me
            .parent()
            .context("a program lies in a folder")?
            .to_path_buf(),
        python: cli.python.clone(),
        exports: root.join("target/peers/onnx"),
    };
    let mut threads = cli.threads.clone();
    if threads.is_empty() {
        threads = vec![Pool::available(), 1];
        threads.dedup();
    }
    let config = PeersConfig {
        only: cli.only.clone(),
        threads,
        rounds: cli.rounds.unwrap_or(if cli.quick { 1 } else { 3 }),
        reps: cli.reps,
        scope: if cli.quick {
            Scope::Leaders
        } else {
            Scope::Everybody
        },
        limit: Duration::from_secs(cli.limit),
    };
    let report = Report {
        machine: Machine::here(root),
        rows: measure(&programs, &config, say)?,
        command: command(&cli),
    };
    let report = match cli.dry {
        true => report,
        false => write(root, &report)?,
    };
    println!("{}", report.full());
    Ok(())
}

fn say(row: &Row) {
    let shown = |ms: Option<f64>| ms.map_or_else(|| "–".to_owned(), |ms| format!("{ms:.2} ms"));
    eprintln!(
        "{}, {} threads: {}",
        row.work,
        row.threads,
        shown(row.ours.ms())
    );
    for (peer, entry) in &row.peers {
        let reason = entry.absent.as_deref().unwrap_or_default();
        eprintln!("    {:24} {} {reason}", peer.title(), shown(entry.ms()));
    }
    if let Some(ratio) = row.ratio() {
        eprintln!("    ratio {ratio:.2}, aim {:.1}", row.target);
    }
}

/// What measures the same again.
fn command(cli: &Cli) -> String {
    let mut command = "cargo xtask bench --peers".to_owned();
    if cli.quick {
        command.push_str(" --quick");
    }
    for (flag, number) in [("--rounds", cli.rounds), ("--reps", cli.reps)] {
        if let Some(number) = number {
            command.push_str(&format!(" {flag} {number}"));
        }
    }
    command
}
