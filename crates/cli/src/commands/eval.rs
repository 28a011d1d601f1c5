//! `inception eval`.

use crate::args::{Common, DataArgs, SplitName, WeightsArgs};
use crate::exit::{Outcome, usage};
use crate::table::{Align, pairs, table, text};
use crate::{numbers, output, progress};
use anyhow::Result;
use clap::Args;
use inception_data::BadImages;
use inception_deploy::{EvalConfig, Evaluation, Predictor, PredictorConfig, evaluate};
use serde::Serialize;
use std::path::PathBuf;

/// Measure top-1, top-5, loss and per-class figures of weights
#[derive(Args, Debug)]
pub(crate) struct EvalArgs {
    /// File of weights; several are averaged as an ensemble
    #[arg(long = "weights", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Part of the data set
    #[arg(long, value_enum, default_value = "val")]
    split: SplitName,
    /// Crops of each image that are averaged: 1; 10 and 144 are not there yet
    #[arg(long, value_name = "N", default_value_t = 1)]
    crops: u32,
    /// Images in a batch
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
    #[command(flatten)]
    weights: WeightsArgs,
    #[command(flatten)]
    common: Common,
}

#[derive(Serialize)]
struct Report<'a> {
    top1: f64,
    top5: f64,
    /// `null` where a network gave numbers that are not finite.
    loss: f64,
    images: u64,
    crops: u32,
    models: usize,
    skipped: u64,
    non_finite: u64,
    split: &'static str,
    per_class: Vec<Class<'a>>,
}

#[derive(Serialize)]
struct Class<'a> {
    class: &'a str,
    index: usize,
    images: u64,
    top1: Option<f64>,
    top5: Option<f64>,
    precision: Option<f64>,
}

pub(crate) fn run(args: &EvalArgs) -> Result<Outcome> {
    let talk = args.common.talk();
    if args.crops != 1 {
        return Err(usage(format!(
            "--crops {}: only 1 crop is supported yet; leave --crops away",
            args.crops
        )));
    }
    let spec = args.data.data.as_deref().ok_or_else(|| {
        usage("give --data SPEC: shapes, fashion-mnist, cifar10, cifar100 or a path")
    })?;
    let mut predictors = load(args)?;
    let opened = args.data.open(spec, args.split.split(), talk)?;
    let config = EvalConfig {
        batch_size: args.batch_size,
        crops: args.crops,
        workers: args.workers,
        bad_images: match args.skip_bad_images {
            0 => BadImages::Fail,
            at_most => BadImages::Skip { at_most },
        },
    };
    let bar = progress::bar(talk, opened.dataset.len() as u64, "images");
    let found = evaluate(&mut predictors, &opened.dataset, &config, |done| {
        bar.set_position(done)
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
    show(args, &found)?;
    Ok(Outcome::Done)
}

fn load(args: &EvalArgs) -> Result<Vec<Predictor>> {
    let config = PredictorConfig {
        pool: args.common.pool()?,
        ..PredictorConfig::default()
    };
    let load = |file: &PathBuf| {
        let weights = args.weights.load(file, args.common.talk())?;
        Ok(Predictor::new(weights, &config)?)
    };
    args.files.iter().map(load).collect()
}

fn show(args: &EvalArgs, found: &Evaluation) -> Result<()> {
    let per_class = found.per_class.iter().enumerate();
    let report = Report {
        top1: found.top1(),
        top5: found.top5(),
        loss: found.loss(),
        images: found.images,
        crops: found.crops,
        models: found.models,
        skipped: found.skipped,
        non_finite: found.non_finite,
        split: args.split.name(),
        per_class: per_class
            .map(|(index, tally)| Class {
                class: &tally.class,
                index,
                images: tally.images,
                top1: tally.top1(),
                top5: tally.top5(),
                precision: tally.precision(),
            })
            .collect(),
    };
    if args.common.json {
        return output::json(&report);
    }
    let mut text = classes(&report);
    text.push('\n');
    text.push_str(&pairs(&[
        (
            "images",
            format!("{} ({})", numbers::grouped(report.images), report.split),
        ),
        ("top-1", numbers::percent(report.top1)),
        ("top-5", numbers::percent(report.top5)),
        ("loss", format!("{:.4}", report.loss)),
    ]));
    output::print(&text)
}

fn classes(report: &Report<'_>) -> String {
    use Align::{Left, Right};
    let mut table = table(&[
        ("class", Left),
        ("images", Right),
        ("top-1", Right),
        ("top-5", Right),
        ("precision", Right),
    ]);
    let percent = |share: Option<f64>| share.map_or_else(|| "–".to_owned(), numbers::percent);
    for class in &report.per_class {
        table.add_row([
            output::printable(class.class),
            numbers::grouped(class.images),
            percent(class.top1),
            percent(class.top5),
            percent(class.precision),
        ]);
    }
    text(&table)
}
