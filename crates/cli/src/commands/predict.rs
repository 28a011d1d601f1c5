//! `inception predict IMAGE…`.

use crate::args::{Common, StoredPrecision, WeightsArgs, storage};
use crate::exit::{self, Outcome, usage};
use crate::pictures::{adapt_resize, files, read};
use crate::{numbers, output, progress};
use anyhow::Result;
use clap::Args;
use inception_autograd::Passes;
use inception_data::escape_path;
use inception_deploy::{Prediction, Predictor, PredictorConfig};
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
    /// Type that maps and weights are kept in [default: int8 of calibrated weights, else f32]
    #[arg(long, value_enum)]
    precision: Option<StoredPrecision>,
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
    adapt_resize(&mut weights.preprocess, args.no_resize);
    let config = PredictorConfig {
        pool: args.common.pool()?,
        passes: args.common.passes(Passes::INFERENCE),
        storage: storage(args.precision, &weights, &args.file)?,
    };
    let mut predictor = Predictor::new(weights, &config)?;
    let files = files(&args.images)?;
    let bar = progress::bar(talk, files.len() as u64, "images");
    let mut worst = None;
    for chunk in files.chunks(args.batch_size) {
        let (good, pictures) = read(chunk, predictor.preprocess(), &mut worst);
        if !pictures.is_empty() {
            let answers = predictor.classify(&pictures)?;
            bar.suspend(|| show(args, &predictor, &good, &answers))?;
        }
        bar.inc(chunk.len() as u64);
    }
    bar.finish_and_clear();
    Ok(worst.map_or(Outcome::Done, Outcome::Found))
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
