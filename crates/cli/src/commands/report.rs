//! `inception report`.

use crate::args::Common;
use crate::exit::Outcome;
use crate::output::{self, Talk};
use crate::progress;
use anyhow::{Context, Result};
use clap::Args;
use inception_data::{BadImages, Dataset, escape_path};
use inception_deploy::{
    Answer, EvalConfig, Evaluation, LoadOptions, Predictor, PredictorConfig, Weights, evaluate, top,
};
use inception_report::{Assessment, Bin, History, Mistake, Report, Setting, Tempered, render};
use inception_store::{RealFs, write_atomic};
use inception_tensor::Pool;
use inception_train::{Datasets, TrainConfig, TrainError, Trainer};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The page's name in a run's folder.
const PAGE: &str = "report.html";
/// Images that the page shows because they were answered worst.
const WORST: usize = 24;
/// Images that a network runs on at a time.
const BATCH: usize = 32;

/// Write a page about a run: curves, stability, confusion, calibration, worst images
///
/// The best weights are run over the validation set once more. The page is one file that
/// opens without a network.
#[derive(Args, Debug)]
pub(crate) struct ReportArgs {
    /// The run's folder
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Where the page goes [default: DIR/report.html]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

#[derive(Serialize)]
struct Written {
    report: String,
    bytes: usize,
}

pub(crate) fn run(args: &ReportArgs) -> Result<Outcome> {
    let config = read_config(&args.folder)?;
    let path = args.out.clone().unwrap_or_else(|| args.folder.join(PAGE));
    let source = Source {
        folder: &args.folder,
        config: &config,
        // A page without single images is better than none.
        validation: Datasets::open(&config).ok().and_then(|sets| sets.val),
        pool: args.common.pool()?,
        talk: args.common.talk(),
    };
    let bytes = source.write(&path)?;
    let report = escape_path(&path);
    match args.common.json {
        true => output::json(&Written { report, bytes })?,
        false => output::line(&report)?,
    }
    Ok(Outcome::Done)
}

/// Writes the page of a run that has just ended into its folder.
pub(super) fn of_run(trainer: &Trainer, talk: Talk) -> Result<PathBuf> {
    let threads = trainer.config().threads.unwrap_or_else(Pool::available);
    let path = trainer.folder().join(PAGE);
    let source = Source {
        folder: trainer.folder(),
        config: trainer.config(),
        validation: trainer.validation_set().cloned(),
        pool: Pool::new(threads)?,
        talk,
    };
    source.write(&path)?;
    Ok(path)
}

fn read_config(folder: &Path) -> Result<TrainConfig> {
    let path = folder.join("config.toml");
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("{}: no run is there", escape_path(&path)))?;
    Ok(TrainConfig::from_toml(&text)?)
}

/// What a page is made from.
struct Source<'a> {
    folder: &'a Path,
    config: &'a TrainConfig,
    validation: Option<Arc<dyn Dataset>>,
    pool: Pool,
    talk: Talk,
}

impl Source<'_> {
    /// Writes the page; returns its size.
    fn write(&self, path: &Path) -> Result<usize> {
        let weights = self.folder.join("best.safetensors");
        let mut notes = Vec::new();
        let assessment = match &self.validation {
            Some(validation) if weights.is_file() => Some(self.assess(&weights, validation)?),
            Some(_) => {
                notes.push("There are no best weights yet.".to_owned());
                None
            }
            None => {
                notes.push(
                    "The validation set could not be opened, so nothing is said of single images."
                        .to_owned(),
                );
                None
            }
        };
        let report = Report {
            title: name_of(self.folder),
            subtitle: format!("{} on {}", self.config.model, self.config.data),
            history: read_history(self.folder)?,
            assessment,
            settings: settings(self.config),
            notes,
        };
        let page = render(&report);
        write_atomic(&RealFs, path, page.as_bytes())?;
        Ok(page.len())
    }

    /// Runs the best weights over the validation set.
    fn assess(&self, weights: &Path, validation: &Arc<dyn Dataset>) -> Result<Assessment> {
        let weights = Weights::load(weights, &LoadOptions::default())?;
        let predictor = PredictorConfig {
            pool: self.pool.clone(),
            ..PredictorConfig::default()
        };
        let mut predictors = [Predictor::new(weights, &predictor)?];
        let settings = EvalConfig {
            batch_size: BATCH
                .min(self.config.batch_size)
                .min(validation.len().max(1)),
            workers: self.config.workers.unwrap_or(1),
            bad_images: BadImages::Skip {
                at_most: validation.len() as u64,
            },
            ..EvalConfig::default()
        };
        let bar = progress::bar(self.talk, validation.len() as u64, "images for the report");
        let mut worst = Worst::default();
        let found = evaluate(&mut predictors, validation, &settings, |answer| {
            bar.inc(1);
            worst.enter(answer);
        })?;
        bar.finish_and_clear();
        Ok(assessment(&found, worst.shown(validation.as_ref())))
    }
}

fn name_of(folder: &Path) -> String {
    let real = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let name = real.file_name().map(|n| n.to_string_lossy().into_owned());
    name.unwrap_or_else(|| "run".to_owned())
}

fn read_history(folder: &Path) -> Result<History> {
    let path = folder.join("metrics.jsonl");
    match std::fs::read(&path) {
        // A crash may have torn the last line anywhere.
        Ok(bytes) => Ok(History::read(&String::from_utf8_lossy(&bytes))),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(History::default()),
        Err(source) => {
            let action = "read";
            Err(TrainError::Io {
                action,
                path,
                source,
            }
            .into())
        }
    }
}

fn settings(config: &TrainConfig) -> Vec<Setting> {
    let text = config.to_toml();
    let pairs = text.lines().filter_map(|line| line.split_once(" = "));
    let setting = |(name, value): (&str, &str)| Setting {
        name: name.to_owned(),
        value: value.trim_matches('"').to_owned(),
    };
    pairs.map(setting).collect()
}

fn assessment(found: &Evaluation, worst: Vec<Mistake>) -> Assessment {
    let calibration = &found.calibration;
    let bins = calibration.bins().iter().map(|bin| Bin {
        images: bin.images,
        confidence: bin.confidence().unwrap_or(0.0),
        accuracy: bin.correct as f64 / bin.images.max(1) as f64,
    });
    Assessment {
        images: found.images,
        top1: found.top1(),
        top5: found.top5(),
        loss: found.loss(),
        classes: found.per_class.iter().map(|c| c.class.clone()).collect(),
        confusion: found.confusion().map(<[u64]>::to_vec).collect(),
        calibration_error: calibration.error(),
        tempered: (found.images > 1).then(|| Tempered {
            temperature: calibration.temperature(),
            error: calibration.error_at_temperature(),
        }),
        bins: bins.collect(),
        worst,
    }
}

/// The wrong answers with the least probability for the right one.
#[derive(Default)]
struct Worst(Vec<Wrong>);

struct Wrong {
    item: usize,
    label: usize,
    answer: usize,
    label_log_prob: f64,
    answer_log_prob: f64,
}

impl Worst {
    fn enter(&mut self, answer: &Answer<'_>) {
        let log_prob = answer.log_probs[answer.label];
        let Some(best) = top(answer.log_probs, 1).next() else {
            return;
        };
        if best.index == answer.label || !log_prob.is_finite() {
            return;
        }
        let at = self.0.partition_point(|w| w.label_log_prob <= log_prob);
        if at < WORST {
            let wrong = Wrong {
                item: answer.item,
                label: answer.label,
                answer: best.index,
                label_log_prob: log_prob,
                answer_log_prob: best.score,
            };
            self.0.insert(at, wrong);
            self.0.truncate(WORST);
        }
    }

    fn shown(self, data: &dyn Dataset) -> Vec<Mistake> {
        let name = |class: usize| data.classes().get(class).cloned().unwrap_or_default();
        let shown = |wrong: Wrong| Mistake {
            origin: data.origin(wrong.item),
            label: name(wrong.label),
            answer: name(wrong.answer),
            label_probability: wrong.label_log_prob.exp(),
            answer_probability: wrong.answer_log_prob.exp(),
            picture: data
                .get(wrong.item)
                .ok()
                .and_then(|sample| inception_report::thumbnail(&sample.image)),
        };
        self.0.into_iter().map(shown).collect()
    }
}
