//! What is said when a run has ended.

use super::TrainArgs;
use crate::table::pairs;
use crate::{numbers, output};
use anyhow::Result;
use inception_data::escape_path;
use inception_train::{Best, Trainer};
use serde::Serialize;
use std::path::Path;

#[derive(Serialize)]
struct Report {
    run: String,
    model: String,
    data: String,
    steps: u64,
    seconds: f64,
    /// Absent where nothing was validated.
    #[serde(skip_serializing_if = "Option::is_none")]
    best: Option<BestReport>,
    weights: String,
    /// Absent where it could not be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<String>,
}

#[derive(Serialize)]
struct BestReport {
    step: u64,
    epoch: u64,
    top1: f64,
    top5: f64,
    loss: f64,
}

/// Tells what the run reached and what to try next.
pub(super) fn finished(
    args: &TrainArgs,
    trainer: &Trainer,
    best: Option<Best>,
    seconds: f64,
    page: Option<&Path>,
) -> Result<()> {
    let config = trainer.config();
    let weights = trainer.folder().join("best.safetensors");
    let report = Report {
        run: escape_path(trainer.folder()),
        model: config.model.clone(),
        data: config.data.clone(),
        steps: trainer.steps(),
        seconds,
        best: best.map(|b| BestReport {
            step: b.step,
            epoch: b.epoch,
            top1: b.top1,
            top5: b.top5,
            loss: b.loss,
        }),
        weights: escape_path(&weights),
        report: page.map(escape_path),
    };
    if args.common.json {
        return output::json(&report);
    }
    output::print(&show(&report, config.data_dir.as_deref()))
}

fn show(report: &Report, data_dir: Option<&std::path::Path>) -> String {
    let mut rows = Vec::new();
    if let Some(best) = &report.best {
        let text = format!(
            "{} top-1, {} top-5 on the validation set, after step {}",
            numbers::percent(best.top1),
            numbers::percent(best.top5),
            numbers::grouped(best.step)
        );
        rows.push(("accuracy", text));
    }
    rows.push(("time", numbers::duration(report.seconds)));
    rows.push(("weights", report.weights.clone()));
    if let Some(page) = &report.report {
        rows.push(("report", page.clone()));
    }
    let data_dir = data_dir.map_or_else(String::new, |dir| {
        format!(" --data-dir {}", escape_path(dir))
    });
    let (weights, data) = (&report.weights, output::printable(&report.data));
    rows.push((
        "try next",
        format!("inception eval --weights {weights} --data {data}{data_dir} --split test"),
    ));
    rows.push((
        "",
        format!("inception predict --weights {weights} IMAGE.jpg"),
    ));
    pairs(&rows)
}
