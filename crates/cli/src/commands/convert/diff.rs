//! `inception convert diff A B`.

use crate::args::Common;
use crate::exit::Outcome;
use crate::output;
use crate::table::{Align, table, text};
use anyhow::Result;
use clap::Args;
use inception_deploy::convert::{TensorDifference, diff};
use inception_store::Limits;
use serde::Serialize;
use std::path::PathBuf;

/// Compare the tensors of two files, by name
///
/// Ends with status 0 where all are the same and with 1 where one differs.
#[derive(Args, Debug)]
pub(crate) struct DiffArgs {
    /// One file of weights, in any format
    #[arg(value_name = "A")]
    first: PathBuf,
    /// The other
    #[arg(value_name = "B")]
    second: PathBuf,
    /// List tensors that are the same as well
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Serialize)]
struct Report<'a> {
    tensors: usize,
    same: usize,
    different: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    first: &'a Option<Vec<usize>>,
    second: &'a Option<Vec<usize>>,
    max_abs: Option<f64>,
    max_rel: Option<f64>,
    rms: Option<f64>,
}

impl<'a> Row<'a> {
    fn new(found: &'a TensorDifference) -> Self {
        Self {
            name: &found.name,
            first: &found.first,
            second: &found.second,
            max_abs: found.numbers.map(|n| n.max_abs),
            max_rel: found.numbers.map(|n| n.max_rel),
            rms: found.numbers.map(|n| n.rms),
        }
    }
}

pub(super) fn run(args: &DiffArgs) -> Result<Outcome> {
    let read = |path| inception_formats::read(path, &Limits::default());
    let (first, second) = (read(&args.first)?, read(&args.second)?);
    let found = diff(&first.tensors, &second.tensors)?;
    let same = found.iter().filter(|t| t.is_same()).count();
    let listed = found.iter().filter(|t| args.all || !t.is_same());
    let report = Report {
        tensors: found.len(),
        same,
        different: listed.map(Row::new).collect(),
    };
    if args.common.json {
        output::json(&report)?;
    } else {
        show(&report)?;
    }
    Ok(if same == found.len() {
        Outcome::Done
    } else {
        Outcome::Found(1)
    })
}

fn show(report: &Report<'_>) -> Result<()> {
    let right = Align::Right;
    let columns = [
        ("tensor", Align::Left),
        ("first", Align::Left),
        ("second", Align::Left),
        ("largest", right),
        ("relative", right),
        ("rms", right),
    ];
    let mut rows = table(&columns);
    let shape = |shape: &Option<Vec<usize>>| match shape {
        Some(shape) => format!("{shape:?}"),
        None => "absent".to_owned(),
    };
    let number = |x: Option<f64>| x.map_or_else(|| "–".to_owned(), |x| format!("{x:.3e}"));
    for row in &report.different {
        rows.add_row([
            output::printable(row.name),
            shape(row.first),
            shape(row.second),
            number(row.max_abs),
            number(row.max_rel),
            number(row.rms),
        ]);
    }
    if !report.different.is_empty() {
        output::print(&text(&rows))?;
    }
    output::line(&format!(
        "{} of {} tensors are the same",
        report.same, report.tensors
    ))
}
