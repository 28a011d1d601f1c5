//! `inception data`.

mod baseline;
mod check;
mod fetch;
mod info;
mod preview;

use crate::args::{Common, DataArgs};
use crate::exit::Outcome;
use anyhow::Result;
use clap::{Args, Subcommand};

/// Get, describe and verify data sets
#[derive(Args, Debug)]
pub(crate) struct DataCommand {
    #[command(subcommand)]
    command: Which,
}

#[derive(Debug, Subcommand)]
enum Which {
    Info(info::InfoArgs),
    Check(check::CheckArgs),
    Fetch(fetch::FetchArgs),
    Preview(preview::PreviewArgs),
    Baseline(baseline::BaselineArgs),
}

/// Flags of all commands about data sets.
#[derive(Args, Debug)]
struct About {
    /// Data set, as for --data
    #[arg(value_name = "SPEC")]
    spec: Option<String>,
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    common: Common,
}

impl About {
    /// The data set that is named, `shapes` where none is.
    fn spec(&self) -> &str {
        let named = self.spec.as_deref().or(self.data.data.as_deref());
        named.unwrap_or("shapes")
    }
}

pub(crate) fn run(command: &DataCommand) -> Result<Outcome> {
    match &command.command {
        Which::Info(args) => info::run(args),
        Which::Check(args) => check::run(args),
        Which::Fetch(args) => fetch::run(args),
        Which::Preview(args) => preview::run(args),
        Which::Baseline(args) => baseline::run(args),
    }
}
