//! Developer commands: `cargo xtask help`.
//!
//! This package uses no crate of the workspace, so it builds in seconds and works while they
//! do not.
#![forbid(unsafe_code)]

mod bench;
mod check;
mod cross;
mod fuzz;
mod manifest;
mod models;
mod step;
mod test;
mod tidy;

use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Developer commands of the Inception workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the tests of every crate, those of the lowest layers first.
    Test(test::Args),
    /// Everything that a change must pass: format, tidy, clippy, docs, tests.
    Check,
    /// Check that the workspace compiles for ARM processors, and test it there.
    Cross(cross::Args),
    /// Give random inputs to every parser, guided by what they reach.
    Fuzz(fuzz::Args),
    /// Check the rules of this workspace that no compiler knows.
    Tidy,
    /// Count, and time, what the paper claims about its modules.
    Bench(bench::Args),
    /// Draw every network into docs/models.md.
    Models,
}

fn main() -> ExitCode {
    let root = root();
    let result = match Cli::parse().command {
        Command::Test(args) => test::run(&root, &args),
        Command::Check => check::run(&root),
        Command::Cross(args) => cross::run(&root, &args),
        Command::Fuzz(args) => fuzz::run(&root, &args),
        Command::Tidy => tidy::run(&root),
        Command::Bench(args) => bench::run(&root, &args),
        Command::Models => models::run(&root),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The workspace.
fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_path_buf()
}

/// The cargo that runs this program.
fn cargo(root: &Path) -> std::process::Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = std::process::Command::new(cargo);
    command.current_dir(root);
    command
}
