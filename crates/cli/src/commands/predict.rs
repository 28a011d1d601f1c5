//! `inception predict IMAGE…`.

use crate::args::{Common, WeightsArgs};
use crate::exit::{self, Outcome, usage};
use crate::{numbers, output, progress};
use anyhow::Result;
use clap::Args;
use inception_autograd::Passes;
use inception_data::{DecodeOptions, Image, ResizeSpec, escape_path, read_image};
use inception_deploy::{Prediction, Predictor, PredictorConfig, Weights};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Classify images
#[derive(Args, Debug)]
pub(crate) struct PredictArgs {
    /// JPEG, PNG or WebP images, or folders of them
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<PathBuf>,
    /// File of weights
    #[arg(long = "weights", value_name = "FILE")]
    file: PathBuf,
    /// How many classes are told for each image
    #[arg(long, value_name = "K", default_value_t = 5)]
    top: usize,
    /// Tell what the last layer gives for every class
    #[arg(long)]
    logits: bool,
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

#[derive(Serialize)]
struct Line {
    image: String,
    top: Vec<Top>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logits: Option<Vec<f32>>,
}

#[derive(Serialize)]
struct Top {
    class: String,
    index: usize,
    prob: f32,
}

pub(crate) fn run(args: &PredictArgs) -> Result<Outcome> {
    if args.batch_size == 0 || args.top == 0 {
        return Err(usage("--batch-size and --top are at least 1"));
    }
    let talk = args.common.talk();
    let mut weights = args.weights.load(&args.file, talk)?;
    adapt_resize(&mut weights, args);
    let config = PredictorConfig {
        pool: args.common.pool()?,
        passes: args.common.passes(Passes::INFERENCE),
    };
    let mut predictor = Predictor::new(weights, &config)?;
    let files = files(&args.images)?;
    let bar = progress::bar(talk, files.len() as u64, "images");
    let mut worst = None;
    for chunk in files.chunks(args.batch_size) {
        let (good, pictures) = read(chunk, &predictor, &mut worst);
        if !pictures.is_empty() {
            let answers = predictor.classify(&pictures)?;
            bar.suspend(|| show(args, &predictor, &good, &answers))?;
        }
        bar.inc(chunk.len() as u64);
    }
    bar.finish_and_clear();
    Ok(worst.map_or(Outcome::Done, Outcome::Found))
}

/// Weights of a data set of small images know no resize, but a user's picture has any size.
fn adapt_resize(weights: &mut Weights, args: &PredictArgs) {
    let [_, height, width] = weights.preprocess.input;
    if args.no_resize {
        weights.preprocess.resize = None;
    } else if weights.preprocess.resize.is_none() {
        weights.preprocess.resize = Some(ResizeSpec::Shorter(height.max(width)));
    }
}

/// The files that the user named, and those in the folders that the user named.
fn files(named: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in named {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let entries = std::fs::read_dir(path)?.collect::<Result<Vec<_>, _>>()?;
        let mut inside: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
        inside.retain(|p| p.is_file() && inception_data::Format::of_name(p).is_some());
        inside.sort();
        if inside.is_empty() {
            return Err(usage(format!(
                "{}: no .jpg, .png or .webp file in this folder",
                escape_path(path)
            )));
        }
        files.extend(inside);
    }
    Ok(files)
}

/// The pictures that can be read and have a size that the network takes. The others are
/// complained about, each in a line; the first one's status is the command's.
fn read<'a>(
    files: &'a [PathBuf],
    predictor: &Predictor,
    worst: &mut Option<u8>,
) -> (Vec<&'a Path>, Vec<Image>) {
    let mut good = Vec::new();
    let mut pictures = Vec::new();
    for file in files {
        let picture = read_image(file, &DecodeOptions::default()).and_then(|decoded| {
            let size = inception_data::Size::of(&decoded.image);
            predictor.preprocess().place(size)?;
            Ok(decoded.image)
        });
        match picture {
            Ok(picture) => {
                good.push(file.as_path());
                pictures.push(picture);
            }
            Err(error) => {
                let file = escape_path(file);
                let text = error.to_string();
                let named = if text.starts_with(&file) {
                    text
                } else {
                    format!("{file}: {text}")
                };
                let code = exit::report(&anyhow::Error::new(error).context(named));
                worst.get_or_insert(code);
            }
        }
    }
    (good, pictures)
}

fn show(
    args: &PredictArgs,
    predictor: &Predictor,
    files: &[&Path],
    answers: &[Prediction],
) -> Result<()> {
    for (file, answer) in files.iter().zip(answers) {
        if !answer.is_finite() {
            return Err(exit::numeric(format!(
                "{}: the network's output is not finite",
                escape_path(file)
            )));
        }
        let top = answer.top(args.top).map(|best| Top {
            class: predictor.class_name(best.index),
            index: best.index,
            prob: best.score,
        });
        let line = Line {
            image: escape_path(file),
            top: top.collect(),
            logits: args.logits.then(|| answer.logits.clone()),
        };
        if args.common.json {
            output::json(&line)?;
        } else {
            output::line(&plain(&line))?;
        }
    }
    Ok(())
}

/// `dog.jpg  dog 93.1 %, wolf 4.0 %`.
fn plain(line: &Line) -> String {
    let classes = line.top.iter().map(|top| {
        let class = output::printable(&top.class);
        format!("{class} {}", numbers::percent(f64::from(top.prob)))
    });
    let mut text = format!("{}  {}", line.image, classes.collect::<Vec<_>>().join(", "));
    if let Some(logits) = &line.logits {
        let logits: Vec<String> = logits.iter().map(ToString::to_string).collect();
        text.push_str(&format!("\n  logits: {}", logits.join(" ")));
    }
    text
}
