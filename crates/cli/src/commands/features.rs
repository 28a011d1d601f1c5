//! `inception features IMAGE…`.

use crate::args::{Common, WeightsArgs};
use crate::exit::{Outcome, usage};
use crate::pictures::{adapt_resize, files, read};
use crate::{output, progress};
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use inception_autograd::Passes;
use inception_data::escape_path;
use inception_deploy::{FeatureExtractor, PredictorConfig};
use inception_store::{RealFs, write_atomic};
use serde::Serialize;
use std::path::PathBuf;

/// Write what the last layer of a network reads, for each image
///
/// The features are those of the average over all pixels; of AlexNet and VGG-16 those of the
/// last hidden layer.
#[derive(Args, Debug)]
pub(crate) struct FeaturesArgs {
    /// JPEG, PNG or WebP images, or folders of them
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<PathBuf>,
    /// File of weights
    #[arg(long = "weights", value_name = "FILE")]
    file: PathBuf,
    /// How features are written
    #[arg(long, value_name = "NAME", value_enum, default_value_t = Format::Jsonl)]
    format: Format,
    /// The file that is written; standard output where absent, but for npy
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Images have exactly the input's size and are taken as they are
    #[arg(long)]
    no_resize: bool,
    /// Images in a batch
    #[arg(long, value_name = "N", default_value_t = 16)]
    batch_size: usize,
    #[command(flatten)]
    weights: WeightsArgs,
    #[command(flatten)]
    common: Common,
}

/// A form of the features of several images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A JSON object a line: image, features
    Jsonl,
    /// A line of comma-separated values for each image, its path first
    Csv,
    /// A NumPy array of `f32`, a row for each image that could be read
    Npy,
}

#[derive(Serialize)]
struct Row {
    image: String,
    features: Vec<f32>,
}

pub(crate) fn run(args: &FeaturesArgs) -> Result<Outcome> {
    if args.batch_size == 0 {
        return Err(usage("--batch-size is at least 1"));
    }
    if args.format == Format::Npy && args.out.is_none() {
        return Err(usage("--format npy needs --out FILE"));
    }
    let talk = args.common.talk();
    let mut weights = args.weights.load(&args.file, talk)?;
    adapt_resize(&mut weights.preprocess, args.no_resize);
    let config = PredictorConfig {
        pool: args.common.pool()?,
        passes: args.common.passes(Passes::INFERENCE),
        ..PredictorConfig::default()
    };
    let mut extractor = FeatureExtractor::new(weights, config)?;
    let files = files(&args.images)?;
    let bar = progress::bar(talk, files.len() as u64, "images");
    let (mut rows, mut worst) = (Vec::new(), None);
    for chunk in files.chunks(args.batch_size) {
        let (good, pictures) = read(chunk, extractor.preprocess(), &mut worst);
        if !pictures.is_empty() {
            let found = extractor.extract(&pictures)?;
            rows.extend(good.iter().zip(found).map(|(image, features)| Row {
                image: escape_path(image),
                features,
            }));
        }
        bar.inc(chunk.len() as u64);
    }
    bar.finish_and_clear();
    let bytes = match args.format {
        Format::Jsonl => jsonl(&rows)?,
        Format::Csv => csv(&rows)?,
        Format::Npy => npy(&rows),
    };
    match &args.out {
        Some(path) => write_atomic(&RealFs, path, &bytes)?,
        None => output::print(&String::from_utf8(bytes).context("text is UTF-8")?)?,
    }
    Ok(worst.map_or(Outcome::Done, Outcome::Found))
}

fn jsonl(rows: &[Row]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for row in rows {
        serde_json::to_writer(&mut bytes, row)?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}

fn csv(rows: &[Row]) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        let numbers = row.features.iter().map(ToString::to_string);
        writer.write_record([row.image.clone()].into_iter().chain(numbers))?;
    }
    Ok(writer.into_inner()?)
}

/// An array `[rows, features]` of little-endian `f32` in NumPy's format 1.0.
///
/// # Sources
/// NumPy, `numpy.lib.format`.
fn npy(rows: &[Row]) -> Vec<u8> {
    /// Length of the magic string, the version and the header's own length.
    const PREFIX: usize = 10;
    /// The numbers begin at a multiple of this.
    const ALIGNMENT: usize = 64;
    let width = rows.first().map_or(0, |row| row.features.len());
    let mut header = format!(
        "{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {width}), }}",
        rows.len()
    );
    let end = (PREFIX + header.len() + 1).next_multiple_of(ALIGNMENT);
    header.push_str(&" ".repeat(end - PREFIX - header.len() - 1));
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    let numbers = rows.iter().flat_map(|row| &row.features);
    bytes.extend(numbers.flat_map(|x| x.to_le_bytes()));
    bytes
}
