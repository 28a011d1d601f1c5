//! `inception data baseline`.

use super::About;
use crate::args::SplitName;
use crate::exit::Outcome;
use crate::table::pairs;
use crate::{numbers, output};
use anyhow::Result;
use clap::Args;
use inception_data::Split;
use inception_data::baseline::{BaselineOptions, Baselines, baselines};
use serde::Serialize;

/// Measure what simple models reach: the least that a network must beat
#[derive(Args, Debug)]
pub(crate) struct BaselineArgs {
    #[command(flatten)]
    about: About,
    /// What the models are scored on
    #[arg(long, value_enum, default_value = "val")]
    split: SplitName,
    /// Training images at most
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    train_images: usize,
    /// Scored images at most
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    test_images: usize,
    /// Which images are drawn
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

#[derive(Serialize)]
struct Report<'a> {
    data: &'a str,
    split: &'static str,
    train_images: usize,
    test_images: usize,
    classes: usize,
    majority: f64,
    linear_pixels: f64,
    linear_histogram: f64,
    nearest_neighbour: f64,
}

pub(crate) fn run(args: &BaselineArgs) -> Result<Outcome> {
    let talk = args.about.common.talk();
    let spec = args.about.spec();
    let train = args.about.data.open(spec, Split::Train, talk)?;
    let test = args.about.data.open(spec, args.split.split(), talk)?;
    let options = BaselineOptions {
        train_items: args.train_images,
        test_items: args.test_images,
        seed: args.seed,
        ..BaselineOptions::default()
    };
    let pool = args.about.common.pool()?;
    talk.say("fitting simple models …");
    let found = baselines(
        train.dataset.as_ref(),
        test.dataset.as_ref(),
        &options,
        &pool,
    )?;
    let report = report(spec, args.split.name(), &found);
    if args.about.common.json {
        output::json(&report)?;
    } else {
        output::print(&show(&report))?;
    }
    Ok(Outcome::Done)
}

fn report<'a>(data: &'a str, split: &'static str, found: &Baselines) -> Report<'a> {
    Report {
        data,
        split,
        train_images: found.train_items,
        test_images: found.test_items,
        classes: found.classes,
        majority: found.majority,
        linear_pixels: found.linear_pixels,
        linear_histogram: found.linear_histogram,
        nearest_neighbour: found.nearest_neighbour,
    }
}

fn show(report: &Report<'_>) -> String {
    pairs(&[
        ("trained on", numbers::grouped(report.train_images as u64)),
        ("scored on", numbers::grouped(report.test_images as u64)),
        ("most frequent class", numbers::percent(report.majority)),
        (
            "linear on a colour histogram",
            numbers::percent(report.linear_histogram),
        ),
        ("linear on pixels", numbers::percent(report.linear_pixels)),
        (
            "nearest neighbour",
            numbers::percent(report.nearest_neighbour),
        ),
    ])
}
