//! What `inception eval` prints.

use super::{EvalArgs, output};
use crate::numbers;
use crate::table::{Align, pairs, table, text};
use anyhow::Result;
use inception_deploy::Evaluation;
use serde::Serialize;

#[derive(Serialize)]
struct Report<'a> {
    top1: f64,
    top5: f64,
    /// `null` where a network gave numbers that are not finite.
    loss: f64,
    images: u64,
    crops: usize,
    models: usize,
    skipped: u64,
    non_finite: u64,
    split: &'static str,
    calibration: Calibration,
    per_class: Vec<Class<'a>>,
    /// By class, and in each row by answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    confusion: Option<Vec<&'a [u64]>>,
}

#[derive(Serialize)]
struct Calibration {
    /// Expected calibration error.
    ece: f64,
    /// What logits are to be divided by, fitted on every second image.
    temperature: f64,
    /// The error after that, on the other images.
    ece_at_temperature: f64,
    bins: Vec<Bin>,
}

#[derive(Serialize)]
struct Bin {
    images: u64,
    correct: u64,
    confidence: Option<f64>,
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

/// Prints the figures.
pub(super) fn show(args: &EvalArgs, found: &Evaluation) -> Result<()> {
    let report = report(args, found);
    if args.common.json {
        return output::json(&report);
    }
    let mut text = classes(&report);
    if let Some(confusion) = &report.confusion {
        text.push('\n');
        text.push_str(&matrix(&report, confusion));
    }
    text.push('\n');
    let calibration = &report.calibration;
    text.push_str(&pairs(&[
        (
            "images",
            format!("{} ({})", numbers::grouped(report.images), report.split),
        ),
        ("top-1", numbers::percent(report.top1)),
        ("top-5", numbers::percent(report.top5)),
        ("loss", format!("{:.4}", report.loss)),
        (
            "ECE",
            format!(
                "{}, {} at temperature {:.2}",
                numbers::percent(calibration.ece),
                numbers::percent(calibration.ece_at_temperature),
                calibration.temperature
            ),
        ),
    ]));
    output::print(&text)
}

fn report<'a>(args: &EvalArgs, found: &'a Evaluation) -> Report<'a> {
    let per_class = found.per_class.iter().enumerate();
    let calibration = &found.calibration;
    let bin = |bin: &inception_deploy::Bin| Bin {
        images: bin.images,
        correct: bin.correct,
        confidence: bin.confidence(),
    };
    Report {
        top1: found.top1(),
        top5: found.top5(),
        loss: found.loss(),
        images: found.images,
        crops: found.crops.count(),
        models: found.models,
        skipped: found.skipped,
        non_finite: found.non_finite,
        split: args.split.name(),
        calibration: Calibration {
            ece: calibration.error(),
            temperature: calibration.temperature(),
            ece_at_temperature: calibration.error_at_temperature(),
            bins: calibration.bins().iter().map(bin).collect(),
        },
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
        confusion: args.confusion.then(|| found.confusion().collect()),
    }
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

/// A row for each class, a column for each answer, by number.
fn matrix(report: &Report<'_>, confusion: &[&[u64]]) -> String {
    let numbers: Vec<String> = (0..confusion.len()).map(|i| i.to_string()).collect();
    let columns = numbers.iter().map(|n| (n.as_str(), Align::Right));
    let columns: Vec<_> = [("class", Align::Left), ("", Align::Right)]
        .into_iter()
        .chain(columns)
        .collect();
    let mut table = table(&columns);
    for (class, row) in report.per_class.iter().zip(confusion) {
        let counts = row.iter().map(|&n| match n {
            0 => "·".to_owned(),
            n => numbers::grouped(n),
        });
        let head = [output::printable(class.class), class.index.to_string()];
        table.add_row(head.into_iter().chain(counts));
    }
    text(&table)
}
