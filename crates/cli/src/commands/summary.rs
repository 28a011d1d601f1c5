//! `inception summary`.

use crate::args::{Common, ModelArgs, WeightsArgs};
use crate::exit::{Outcome, usage};
use crate::table::{Align, pairs, table, text};
use crate::{numbers, output};
use anyhow::Result;
use clap::Args;
use inception_autograd::Passes;
use inception_nn::{Mode, Model, Summary, SummaryConfig};
use inception_tensor::{Pool, Shape};
use inception_train::batches_held;
use serde::Serialize;
use std::path::PathBuf;

/// Show layers, shapes, parameters, FLOPs and memory of a model
#[derive(Args, Debug)]
pub(crate) struct SummaryArgs {
    #[command(flatten)]
    weights: WeightsArgs,
    /// Summarise the model of a file of weights
    #[arg(long = "weights", value_name = "FILE")]
    file: Option<PathBuf>,
    /// Images in a batch
    #[arg(long, value_name = "N", default_value_t = 1)]
    batch_size: usize,
    /// Memory of a whole training step
    #[arg(long)]
    train: bool,
    /// A line for each operator instead of each module
    #[arg(long)]
    layers: bool,
    /// Passes that rewrite the graph: all, none, or names with commas
    #[arg(long, value_name = "LIST", default_value = "all")]
    passes: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Serialize)]
struct Report {
    model: &'static str,
    input: [usize; 3],
    classes: usize,
    batch_size: usize,
    train: bool,
    params: u64,
    params_aux: u64,
    macs: u64,
    flops: u64,
    activation_bytes: u64,
    arena_bytes: u64,
    parameter_bytes: u64,
    /// Momentum of SGD: one number for each that is trained.
    #[serde(skip_serializing_if = "Option::is_none")]
    optimizer_bytes: Option<u64>,
    /// Images that are loaded ahead.
    #[serde(skip_serializing_if = "Option::is_none")]
    loader_bytes: Option<u64>,
    resident_bytes: u64,
    layers: Vec<Layer>,
}

#[derive(Serialize)]
struct Layer {
    path: String,
    op: &'static str,
    output: [usize; 4],
    params: u64,
    macs: u64,
}

pub(crate) fn run(args: &SummaryArgs) -> Result<Outcome> {
    let model = model(args)?;
    let all = if args.train {
        Passes::TRAINING
    } else {
        Passes::INFERENCE
    };
    let all = args.common.passes(all);
    let passes = all
        .only(&args.passes)
        .map_err(|e| usage(format!("--passes: {e}")))?;
    let config = SummaryConfig {
        batch_size: args.batch_size,
        mode: if args.train { Mode::Train } else { Mode::Eval },
        passes,
    };
    let summary = Summary::of(&model, &config)?;
    let report = report(args, &model, &summary);
    if args.common.json {
        output::json(&report)?;
    } else {
        let mut text = if args.layers {
            layers(&summary)
        } else {
            modules(&summary)
        };
        text.push('\n');
        text.push_str(&totals(&report));
        output::print(&text)?;
    }
    Ok(Outcome::Done)
}

fn model(args: &SummaryArgs) -> Result<Model> {
    let ModelArgs { model: name, .. } = &args.weights.model;
    match (&args.file, name) {
        (Some(file), _) => Ok(args.weights.load(file, args.common.talk())?.model),
        (None, Some(name)) => args.weights.model.build(name),
        (None, None) => Err(usage(
            "give --model NAME (see `inception models`) or --weights FILE",
        )),
    }
}

fn report(args: &SummaryArgs, model: &Model, summary: &Summary) -> Report {
    let specs = model.specs();
    let numbers: usize = specs.iter().map(|(_, spec)| spec.shape.len()).sum();
    let parameter_bytes = 4 * numbers as u64;
    let trained = summary.params + summary.params_aux;
    let optimizer_bytes = args.train.then_some(4 * trained);
    let image: usize = model.options().input.iter().product();
    let held = batches_held(Pool::available()) * args.batch_size;
    let loader_bytes = args.train.then_some((4 * image * held) as u64);
    let training_bytes = optimizer_bytes.unwrap_or(0) + loader_bytes.unwrap_or(0);
    Report {
        model: summary.model,
        input: model.options().input,
        classes: model.options().classes,
        batch_size: args.batch_size,
        train: args.train,
        params: summary.params,
        params_aux: summary.params_aux,
        macs: summary.macs,
        flops: summary.flops(),
        activation_bytes: summary.activation_bytes,
        arena_bytes: summary.arena_bytes,
        parameter_bytes,
        optimizer_bytes,
        loader_bytes,
        resident_bytes: summary.arena_bytes + parameter_bytes + training_bytes,
        layers: summary
            .layers
            .iter()
            .map(|row| Layer {
                path: row.path.clone(),
                op: row.op,
                output: channels_first(row.output),
                params: row.params,
                macs: row.macs,
            })
            .collect(),
    }
}

/// `[n, c, h, w]`, as the field writes shapes.
fn channels_first(shape: Shape) -> [usize; 4] {
    [shape.n, shape.c, shape.h, shape.w]
}

fn modules(summary: &Summary) -> String {
    use Align::{Left, Right};
    let mut table = table(&[
        ("module", Left),
        ("output", Left),
        ("params", Right),
        ("MACs", Right),
    ]);
    for row in summary.modules() {
        table.add_row([
            row.path.clone(),
            numbers::shape(&channels_first(row.output)),
            numbers::grouped(row.params),
            numbers::grouped(row.macs),
        ]);
    }
    text(&table)
}

fn layers(summary: &Summary) -> String {
    use Align::{Left, Right};
    let mut table = table(&[
        ("layer", Left),
        ("operator", Left),
        ("output", Left),
        ("params", Right),
        ("MACs", Right),
    ]);
    for row in &summary.layers {
        table.add_row([
            row.path.clone(),
            row.op.to_owned(),
            numbers::shape(&channels_first(row.output)),
            numbers::grouped(row.params),
            numbers::grouped(row.macs),
        ]);
    }
    text(&table)
}

fn totals(report: &Report) -> String {
    let mut rows = vec![
        (
            "model",
            format!("{}, input {}", report.model, numbers::shape(&report.input)),
        ),
        ("parameters", numbers::grouped(report.params)),
    ];
    if report.params_aux > 0 {
        rows.push(("auxiliary parameters", numbers::grouped(report.params_aux)));
    }
    rows.push(("multiply-adds an image", numbers::scaled(report.macs)));
    rows.push(("FLOPs an image", numbers::scaled(report.flops)));
    let what = if report.train {
        "a training step"
    } else {
        "inference"
    };
    let batch = format!("{what}, batch of {}", report.batch_size);
    rows.push(("memory for", batch));
    rows.push((
        "  activations, all kept",
        numbers::bytes(report.activation_bytes),
    ));
    rows.push(("  planned arena", numbers::bytes(report.arena_bytes)));
    rows.push(("  parameters", numbers::bytes(report.parameter_bytes)));
    if let Some(bytes) = report.optimizer_bytes {
        rows.push(("  momentum", numbers::bytes(bytes)));
    }
    if let Some(bytes) = report.loader_bytes {
        rows.push(("  images loaded ahead", numbers::bytes(bytes)));
    }
    rows.push(("  resident in all", numbers::bytes(report.resident_bytes)));
    pairs(&rows)
}
