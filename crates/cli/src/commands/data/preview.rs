//! `inception data preview`.

use super::About;
use crate::args::{InputShape, SplitName};
use crate::exit::{Outcome, usage};
use crate::output;
use anyhow::{Context, Result};
use clap::Args;
use inception_data::{
    Augment, Image, Loader, LoaderConfig, Mix, Opened, Pipeline, encode_png, escape_path, restore,
    sheet,
};
use inception_tensor::Shape;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;

/// Write a contact sheet of what a network would see in training
#[derive(Args, Debug)]
pub(crate) struct PreviewArgs {
    #[command(flatten)]
    about: About,
    /// Part of the data set
    #[arg(long, value_enum, default_value = "train")]
    split: SplitName,
    /// The file to write, a PNG
    #[arg(long, value_name = "FILE", default_value = "preview.png")]
    out: PathBuf,
    /// How many images
    #[arg(long, value_name = "N", default_value_t = 64)]
    images: usize,
    /// How many stand in a row
    #[arg(long, value_name = "N", default_value_t = 8)]
    columns: usize,
    /// Random changes, as for `inception train`
    #[arg(long, value_name = "NAMES", default_value = "basic")]
    augment: String,
    /// Blend each image with another
    #[arg(long, value_name = "X", default_value_t = 0.0)]
    mixup: f64,
    /// Paste a part of another image into each
    #[arg(long, value_name = "X", default_value_t = 0.0)]
    cutmix: f64,
    /// Channels, height and width of an image [default: the data set's, or 3,224,224]
    #[arg(long, value_name = "C,H,W")]
    input: Option<InputShape>,
    /// What all random numbers are drawn from, as for `inception train`
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

#[derive(Serialize)]
struct Report {
    file: String,
    images: usize,
    width: usize,
    height: usize,
}

/// The input of photographs where nothing says otherwise.
const PHOTOGRAPH: [usize; 3] = [3, 224, 224];

pub(crate) fn run(args: &PreviewArgs) -> Result<Outcome> {
    if args.images == 0 || args.columns == 0 {
        return Err(usage("a sheet has at least 1 image and 1 column, found 0"));
    }
    let (about, talk) = (&args.about, args.about.common.talk());
    let opened = about.data.open(about.spec(), args.split.split(), talk)?;
    let sheet = sheet(&pictures(args, opened)?, args.columns);
    std::fs::write(&args.out, encode_png(&sheet)?)
        .with_context(|| format!("{}: cannot write the sheet", escape_path(&args.out)))?;
    let report = Report {
        file: escape_path(&args.out),
        images: args.images,
        width: sheet.width,
        height: sheet.height,
    };
    if about.common.json {
        output::json(&report)?;
    } else {
        output::line(&format!(
            "{}: {} images, {}×{} pixels",
            report.file, report.images, report.width, report.height
        ))?;
    }
    Ok(Outcome::Done)
}

/// The first batch of a run with these settings.
fn pictures(args: &PreviewArgs, opened: Opened) -> Result<Vec<Image>> {
    let input = args.input.map(|shape| shape.0).or(opened.native);
    let preprocess = opened.preprocess(input.unwrap_or(PHOTOGRAPH));
    let augment = Augment::from_name(&args.augment, &preprocess)?;
    let mix = Mix {
        mixup: args.mixup,
        cutmix: args.cutmix,
    };
    mix.validate()?;
    let config = LoaderConfig {
        batch_size: args.images,
        seed: args.seed,
        epochs: Some(1),
        prefetch: 1,
        ..LoaderConfig::default()
    };
    let pipeline = Pipeline::new(preprocess.clone(), augment)?;
    let mut loader = Loader::new(opened.dataset, Arc::new(pipeline), config)?;
    let batch = loader.next().transpose()?;
    let mut batch = batch.ok_or_else(|| usage("the data set has no images"))?;
    let image = Shape {
        n: 1,
        ..batch.shape()
    };
    mix.draw(args.seed, 0, image)
        .apply(&mut batch.images, image);
    let images = batch.images.chunks_exact(image.len());
    Ok(images
        .map(|numbers| restore(&preprocess, numbers))
        .collect())
}
