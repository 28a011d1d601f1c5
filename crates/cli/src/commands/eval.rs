//! `inception eval`.

mod answers;
mod report;
mod table3;

use crate::args::{Common, DataArgs, SplitName, StoredPrecision, WeightsArgs, storage};
use crate::exit::{Outcome, usage};
use crate::{output, progress};
use answers::AnswersFile;
use anyhow::Result;
use clap::Args;
use inception_autograd::Passes;
use inception_data::{BadImages, Crops, Opened};
use inception_deploy::{EvalConfig, Evaluation, Predictor, PredictorConfig, evaluate};
use std::path::PathBuf;

/// Measure top-1, top-5, loss, calibration and per-class figures of weights
#[derive(Args, Debug)]
pub(crate) struct EvalArgs {
    /// File of weights; several are averaged as an ensemble
    #[arg(long = "weights", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Part of the data set
    #[arg(long, value_enum, default_value = "val")]
    split: SplitName,
    /// Views of each image whose probabilities are averaged: 1, 2 (the image and
    /// its mirror image), 10 or 144
    #[arg(long, value_name = "N", value_parser = crops, default_value = "1")]
    crops: Crops,
    /// Evaluate the first network alone and all together, with 1, 10 and 144 crops each, and
    /// print the table that the paper prints
    #[arg(long, conflicts_with_all = ["crops", "answers", "confusion"])]
    table: bool,
    /// Write a line for each image into this CSV file: path, class, prediction, probability
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    /// Show which classes are taken for which
    #[arg(long)]
    confusion: bool,
    /// Views in a batch
    #[arg(long, value_name = "N", default_value_t = 64)]
    batch_size: usize,
    /// Threads that read images
    #[arg(long, value_name = "N", default_value_t = 1)]
    workers: usize,
    /// Leave out up to so many images that cannot be read [default: 0]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    skip_bad_images: u64,
    #[command(flatten)]
    data: DataArgs,
    /// Type that maps and weights are kept in [default: int8 of calibrated weights, else f32]
    #[arg(long, value_enum)]
    precision: Option<StoredPrecision>,
    #[command(flatten)]
    weights: WeightsArgs,
    #[command(flatten)]
    common: Common,
}

fn crops(text: &str) -> Result<Crops, String> {
    let count = text.parse().ok();
    let found = count.and_then(Crops::of_count);
    found.ok_or_else(|| "expected 1, 2, 10 or 144".to_owned())
}

pub(crate) fn run(args: &EvalArgs) -> Result<Outcome> {
    let spec = args.data.data.as_deref().ok_or_else(|| {
        usage("give --data SPEC: shapes, fashion-mnist, cifar10, cifar100 or a path")
    })?;
    let mut predictors = load(args)?;
    let (split, talk) = (args.split.split(), args.common.talk());
    let opened = match predictors.first() {
        Some(first) => args
            .data
            .open_for(first.preprocess().input, spec, split, talk)?,
        None => args.data.open(spec, split, talk)?,
    };
    if args.table {
        let rows = table3::measure(args, &mut predictors, &opened)?;
        table3::show(args, &rows)?;
        return Ok(Outcome::Done);
    }
    let mut file = AnswersFile::create(args.answers.as_deref(), opened.dataset.as_ref())?;
    let found = measure(args, &mut predictors, &opened, args.crops, &mut file)?;
    file.finish()?;
    report::show(args, &found)?;
    Ok(Outcome::Done)
}

/// Evaluates `predictors` as one, and says what was odd.
fn measure(
    args: &EvalArgs,
    predictors: &mut [Predictor],
    opened: &Opened,
    crops: Crops,
    file: &mut AnswersFile<'_>,
) -> Result<Evaluation> {
    let talk = args.common.talk();
    let config = EvalConfig {
        batch_size: args.batch_size,
        crops,
        workers: args.workers,
        bad_images: match args.skip_bad_images {
            0 => BadImages::Fail,
            at_most => BadImages::Skip { at_most },
        },
    };
    let bar = progress::bar(talk, opened.dataset.len() as u64, "images");
    let found = evaluate(predictors, &opened.dataset, &config, |answer| {
        bar.inc(1);
        file.add(answer);
    })?;
    bar.finish_and_clear();
    if found.skipped > 0 {
        talk.warn(&format!(
            "{} images could not be read and were left out",
            found.skipped
        ));
    }
    if found.non_finite > 0 {
        talk.warn(&format!(
            "the outputs for {} images are not finite",
            found.non_finite
        ));
    }
    Ok(found)
}

fn load(args: &EvalArgs) -> Result<Vec<Predictor>> {
    let pool = args.common.pool()?;
    let load = |file: &PathBuf| {
        let weights = args.weights.load(file, args.common.talk())?;
        let config = PredictorConfig {
            pool: pool.clone(),
            passes: args.common.passes(Passes::INFERENCE),
            storage: storage(args.precision, &weights, file)?,
        };
        Ok(Predictor::new(weights, &config)?)
    };
    args.files.iter().map(load).collect()
}
