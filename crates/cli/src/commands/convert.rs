//! `inception convert`.

mod average;
mod diff;

use crate::args::{Common, WeightsArgs};
use crate::exit::{self, Outcome, usage};
use crate::output;
use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use inception_data::{DatasetSpec, OpenOptions, Split, escape_path};
use inception_deploy::convert::{Difference, compare};
use inception_deploy::onnx::{ExportOptions, FoldBatchNorm, Head, InputScale, export};
use inception_deploy::{LoadOptions, PredictorConfig, Weights};
use inception_store::{RealFs, write_atomic};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Read one format of weights and write another
///
/// Reads safetensors, PyTorch's .pth in both forms, ONNX and Caffe's .caffemodel of
/// GoogLeNet; writes safetensors and ONNX.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct ConvertCommand {
    #[command(subcommand)]
    command: Option<Which>,
    #[command(flatten)]
    convert: ConvertArgs,
}

#[derive(Debug, Subcommand)]
enum Which {
    Diff(diff::DiffArgs),
    Average(average::AverageArgs),
}

#[derive(Args, Debug)]
struct ConvertArgs {
    /// File of weights
    #[arg(long = "weights", value_name = "IN", required = true)]
    file: Option<PathBuf>,
    /// File to write
    #[arg(long, value_name = "OUT", required = true)]
    out: Option<PathBuf>,
    /// What to write [default: by the name of OUT]
    #[arg(long, value_enum)]
    format: Option<Target>,
    /// End an ONNX graph in probabilities instead of logits
    #[arg(long)]
    softmax: bool,
    /// Begin an ONNX graph with pixels from 0 to 255: it subtracts the mean and divides
    #[arg(long)]
    preprocess: bool,
    /// Put batch normalisation into the convolutions of an ONNX graph
    #[arg(long)]
    fold_batch_norm: bool,
    /// Note between which numbers the network's values lie, so that it runs on bytes
    #[arg(long, value_enum, requires = "calibrate")]
    precision: Option<Quantised>,
    /// Data set on whose training images the ranges are noted: a name or a path
    #[arg(long, value_name = "SPEC", requires = "precision")]
    calibrate: Option<String>,
    /// Images to calibrate with, spread evenly over the data set
    #[arg(long, value_name = "N", default_value_t = 512)]
    calibrate_images: usize,
    /// Where named data sets live
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Run both files on the same pictures and tell the largest difference
    #[arg(long)]
    verify: bool,
    /// Pictures to verify with
    #[arg(long, value_name = "N", default_value_t = 3)]
    verify_images: usize,
    #[command(flatten)]
    weights: WeightsArgs,
    #[command(flatten)]
    common: Common,
}

/// What a calibrated file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Quantised {
    /// Maps and weights of 8 bits
    Int8,
}

/// What can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Target {
    /// Weights that describe themselves
    Safetensors,
    /// A state dict for PyTorch, as safetensors
    Torch,
    /// An ONNX graph
    Onnx,
}

#[derive(Serialize)]
struct Report {
    weights: String,
    out: String,
    format: &'static str,
    model: &'static str,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    verify: Option<Verified>,
}

#[derive(Serialize)]
struct Verified {
    images: usize,
    max_abs: f64,
    max_rel: f64,
}

/// The largest difference of logits, over the largest logit, that is put down to rounding.
const TOLERANCE: f64 = 1e-3;

pub(crate) fn run(command: &ConvertCommand) -> Result<Outcome> {
    match &command.command {
        Some(Which::Diff(args)) => diff::run(args),
        Some(Which::Average(args)) => average::run(args),
        None => convert(&command.convert),
    }
}

fn convert(args: &ConvertArgs) -> Result<Outcome> {
    let (Some(file), Some(out)) = (&args.file, &args.out) else {
        return Err(usage("--weights and --out are needed; see --help"));
    };
    let target = target(args, out)?;
    let talk = args.common.talk();
    let mut weights = args.weights.load(file, talk)?;
    if let Some(spec) = &args.calibrate {
        calibrate(args, target, &mut weights, spec)?;
    }
    match target {
        Target::Safetensors => weights.save(out)?,
        Target::Torch => weights.save_state_dict(out)?,
        Target::Onnx => {
            let model = export(&weights, &options(args))?;
            write_atomic(&RealFs, out, &model.to_bytes())?;
        }
    }
    let report = Report {
        weights: escape_path(file),
        out: escape_path(out),
        format: match target {
            Target::Safetensors => "safetensors",
            Target::Torch => "torch",
            Target::Onnx => "onnx",
        },
        model: weights.model.name(),
        bytes: std::fs::metadata(out)?.len(),
        verify: match args.verify {
            true => Some(verify(args, weights, target, out)?),
            false => None,
        },
    };
    show(args, &report)?;
    let within = report.verify.is_none_or(|found| found.max_rel <= TOLERANCE);
    if within {
        return Ok(Outcome::Done);
    }
    Err(exit::numeric(format!(
        "{}: its logits are not those of {}",
        report.out, report.weights
    )))
}

/// Notes the ranges of the network's values on training images of `spec`.
fn calibrate(args: &ConvertArgs, target: Target, weights: &mut Weights, spec: &str) -> Result<()> {
    if target != Target::Safetensors {
        return Err(usage("--calibrate is for --format safetensors alone"));
    }
    let options = OpenOptions {
        data_dir: args.data_dir.clone(),
        ..OpenOptions::default()
    };
    let options = options.for_input(weights.preprocess.input);
    let opened = DatasetSpec::parse(spec)?.open(Split::Train, &options)?;
    let (images, pool) = (args.calibrate_images, args.common.pool()?);
    Ok(weights.calibrate(opened.dataset.as_ref(), images, &pool)?)
}

fn options(args: &ConvertArgs) -> ExportOptions {
    ExportOptions {
        head: if args.softmax {
            Head::Probabilities
        } else {
            Head::Logits
        },
        input: if args.preprocess {
            InputScale::Pixels
        } else {
            InputScale::Normalised
        },
        fold: if args.fold_batch_norm {
            FoldBatchNorm::Fold
        } else {
            FoldBatchNorm::Keep
        },
    }
}

/// What to write, by flag or by name; flags of ONNX go with nothing else.
fn target(args: &ConvertArgs, out: &Path) -> Result<Target> {
    let by_name = || match out.extension()?.to_str()? {
        "safetensors" => Some(Target::Safetensors),
        "onnx" => Some(Target::Onnx),
        _ => None,
    };
    let Some(target) = args.format.or_else(by_name) else {
        return Err(usage(format!(
            "{}: give --format, or a name that ends in .safetensors or .onnx",
            escape_path(out)
        )));
    };
    let of_onnx = args.softmax || args.preprocess || args.fold_batch_norm;
    if of_onnx && target != Target::Onnx {
        return Err(usage(
            "--softmax, --preprocess and --fold-batch-norm are for ONNX alone",
        ));
    }
    if args.verify && args.verify_images == 0 {
        return Err(usage("--verify-images is at least 1"));
    }
    Ok(target)
}

/// Reads the file that was written and runs it beside what was read.
fn verify(args: &ConvertArgs, weights: Weights, target: Target, out: &Path) -> Result<Verified> {
    let mut reading = LoadOptions::default();
    if target == Target::Torch {
        let built = weights.model.options();
        reading.model = Some(weights.model.name().to_owned());
        reading.model_options.input = Some(built.input);
        reading.model_options.classes = Some(built.classes);
        reading.model_options.aux = built.aux;
    }
    let mut written = Weights::load(out, &reading)?;
    if target == Target::Torch {
        // A state dict does not say how pictures are prepared.
        written.preprocess.clone_from(&weights.preprocess);
    }
    let config = PredictorConfig {
        pool: args.common.pool()?,
        ..PredictorConfig::default()
    };
    let images = args.verify_images;
    let Difference {
        max_abs, max_rel, ..
    } = compare(weights, written, images, 0, &config)?;
    Ok(Verified {
        images,
        max_abs,
        max_rel,
    })
}

fn show(args: &ConvertArgs, report: &Report) -> Result<()> {
    if args.common.json {
        return output::json(report);
    }
    let Report {
        out,
        format,
        model,
        bytes,
        ..
    } = report;
    output::line(&format!("{out}: {model} as {format}, {bytes} bytes"))?;
    match &report.verify {
        None => Ok(()),
        Some(found) => output::line(&format!(
            "largest difference of logits over {} pictures: {:.3e}, {:.3e} of the largest",
            found.images, found.max_abs, found.max_rel
        )),
    }
}
