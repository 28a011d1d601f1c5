//! `inception convert average FILE…`.

use crate::args::{Common, WeightsArgs};
use crate::exit::Outcome;
use crate::output;
use anyhow::Result;
use clap::Args;
use inception_data::escape_path;
use inception_deploy::convert::average;
use serde::Serialize;
use std::path::PathBuf;

/// Average weights of one model, such as checkpoints of a run
#[derive(Args, Debug)]
pub(crate) struct AverageArgs {
    /// Files of weights
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// File to write, as safetensors
    #[arg(long, value_name = "OUT")]
    out: PathBuf,
    #[command(flatten)]
    weights: WeightsArgs,
    #[command(flatten)]
    common: Common,
}

#[derive(Serialize)]
struct Report {
    files: usize,
    out: String,
    model: &'static str,
}

pub(super) fn run(args: &AverageArgs) -> Result<Outcome> {
    let talk = args.common.talk();
    let load = |path: &PathBuf| args.weights.load(path, talk);
    let all = args.files.iter().map(load).collect::<Result<Vec<_>>>()?;
    let mean = average(all)?;
    mean.save(&args.out)?;
    let report = Report {
        files: args.files.len(),
        out: escape_path(&args.out),
        model: mean.model.name(),
    };
    if args.common.json {
        output::json(&report)?;
    } else {
        let Report { files, out, model } = &report;
        output::line(&format!("{out}: the mean of {files} weights of {model}"))?;
    }
    Ok(Outcome::Done)
}
