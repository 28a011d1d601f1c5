//! Flags of every command.

use crate::output::{Format, Talk};
use anyhow::Result;
use clap::Args;
use inception_autograd::Passes;
use inception_tensor::Pool;
use std::path::PathBuf;

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "General")]
pub(crate) struct Common {
    /// Threads that compute [default: all cores]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Direct sums in all convolutions: slower, with smaller rounding errors
    #[arg(long)]
    pub(crate) precise: bool,
    /// Print one JSON object to standard output
    #[arg(long)]
    pub(crate) json: bool,
    /// No progress and no remarks, errors and warnings alone
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// How errors, warnings and remarks are written to standard error
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    #[allow(
        dead_code,
        reason = "taken from the words of the command line, whose failures are told in it"
    )]
    log_format: Format,
    /// Take flags that are not given from this TOML file
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

impl Common {
    pub(crate) fn pool(&self) -> Result<Pool> {
        Ok(Pool::new(self.threads.unwrap_or_else(Pool::available))?)
    }

    /// The passes of `all` that these flags leave.
    pub(crate) fn passes(&self, all: Passes) -> Passes {
        match self.precise {
            true => all.precise(),
            false => all,
        }
    }

    pub(crate) fn talk(&self) -> Talk {
        Talk { quiet: self.quiet }
    }
}
