//! `inception models`.

use crate::args::Common;
use crate::exit::Outcome;
use crate::table::{Align, table, text};
use crate::{numbers, output};
use anyhow::Result;
use clap::Args;
use inception_nn::{Model, ModelInfo, ModelOptions, Summary, SummaryConfig, registry};
use serde::Serialize;

/// List the models: name, input, parameters, multiply-adds, FLOPs, source
#[derive(Args, Debug)]
pub(crate) struct ModelsArgs {
    #[command(flatten)]
    common: Common,
}

#[derive(Serialize)]
struct Report {
    models: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: &'static str,
    input: [usize; 3],
    classes: usize,
    params: u64,
    params_aux: u64,
    macs: u64,
    flops: u64,
    source: &'static str,
    about: &'static str,
}

pub(crate) fn run(args: &ModelsArgs) -> Result<Outcome> {
    let models = registry().iter().map(row).collect::<Result<Vec<Row>>>()?;
    if args.common.json {
        output::json(&Report { models })?;
    } else {
        output::print(&show(&models))?;
    }
    Ok(Outcome::Done)
}

fn row(info: &ModelInfo) -> Result<Row> {
    let model = Model::build(info.name, &ModelOptions::default())?;
    let summary = Summary::of(&model, &SummaryConfig::default())?;
    Ok(Row {
        name: info.name,
        input: info.input,
        classes: info.classes,
        params: summary.params,
        params_aux: summary.params_aux,
        macs: summary.macs,
        flops: summary.flops(),
        source: info.source,
        about: info.about,
    })
}

fn show(models: &[Row]) -> String {
    use Align::{Left, Right};
    let mut table = table(&[
        ("model", Left),
        ("input", Left),
        ("classes", Right),
        ("params", Right),
        ("aux", Right),
        ("MACs", Right),
        ("FLOPs", Right),
        ("about", Left),
        ("source", Left),
    ]);
    for row in models {
        let aux = match row.params_aux {
            0 => "–".to_owned(),
            n => numbers::scaled(n),
        };
        table.add_row([
            row.name.to_owned(),
            numbers::shape(&row.input),
            row.classes.to_string(),
            numbers::scaled(row.params),
            aux,
            numbers::scaled(row.macs),
            numbers::scaled(row.flops),
            row.about.to_owned(),
            row.source.to_owned(),
        ]);
    }
    text(&table)
}
