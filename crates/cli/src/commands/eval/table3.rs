//! The table of the paper's test: models, crops, cost and error.

use super::{AnswersFile, EvalArgs, measure as evaluate, output};
use crate::numbers;
use crate::table::{Align, table, text};
use anyhow::Result;
use inception_data::{Crops, Opened};
use inception_deploy::Predictor;
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct Row {
    models: usize,
    crops: usize,
    /// Views that networks run on, for each image.
    cost: usize,
    top1_error: f64,
    top5_error: f64,
    images: u64,
}

/// Evaluates the first network alone, and all of them where there are more.
pub(super) fn measure(
    args: &EvalArgs,
    predictors: &mut [Predictor],
    opened: &Opened,
) -> Result<Vec<Row>> {
    let mut groups = vec![1];
    if predictors.len() > 1 {
        groups.push(predictors.len());
    }
    let mut rows = Vec::new();
    for models in groups {
        for crops in [Crops::One, Crops::Ten, Crops::Paper] {
            let mut none = AnswersFile::create(None, opened.dataset.as_ref())?;
            let found = evaluate(args, &mut predictors[..models], opened, crops, &mut none)?;
            rows.push(Row {
                models,
                crops: crops.count(),
                cost: models * crops.count(),
                top1_error: 1.0 - found.top1(),
                top5_error: 1.0 - found.top5(),
                images: found.images,
            });
        }
    }
    Ok(rows)
}

/// Prints the rows as the paper's Table 3 does, with top-1 beside top-5.
pub(super) fn show(args: &EvalArgs, rows: &[Row]) -> Result<()> {
    if args.common.json {
        #[derive(Serialize)]
        struct Table<'a> {
            table: &'a [Row],
        }
        return output::json(&Table { table: rows });
    }
    use Align::Right;
    let mut shown = table(&[
        ("models", Right),
        ("crops", Right),
        ("cost", Right),
        ("top-5 error", Right),
        ("against base", Right),
        ("top-1 error", Right),
    ]);
    let base = rows.first().map_or(0.0, |row| row.top5_error);
    for (i, row) in rows.iter().enumerate() {
        let difference = match i {
            0 => "base".to_owned(),
            _ => format!("{:+.2} %", 100.0 * (row.top5_error - base)),
        };
        shown.add_row([
            row.models.to_string(),
            row.crops.to_string(),
            row.cost.to_string(),
            numbers::percent(row.top5_error),
            difference,
            numbers::percent(row.top1_error),
        ]);
    }
    output::print(&text(&shown))
}
