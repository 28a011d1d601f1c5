//! `inception bench`.

mod measure;
mod profile;

use crate::args::{Common, ModelArgs, WeightsArgs, word};
use crate::exit::{Outcome, usage};
use crate::table::pairs;
use crate::{numbers, output};
use anyhow::Result;
use clap::{Args, ValueEnum};
use inception_autograd::{Passes, Storage};
use inception_deploy::{Observer, Weights};
use inception_tensor::{Element, Pool, Stream};
use inception_train::Recompute;
use measure::Measured;
use profile::Profile;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;

/// Measure the speed of inference or training of a model on this machine
#[derive(Args, Debug)]
pub(crate) struct BenchArgs {
    #[command(flatten)]
    weights: WeightsArgs,
    /// Measure with these weights instead of random ones
    #[arg(long = "weights", value_name = "FILE")]
    file: Option<PathBuf>,
    /// What is measured
    #[arg(long, value_enum, default_value = "infer")]
    mode: Mode,
    /// Images in a batch
    #[arg(long, value_name = "N", default_value_t = 1)]
    batch_size: usize,
    /// Type of numbers
    #[arg(long, value_enum, default_value = "f32")]
    precision: Precision,
    /// Maps of a training step that are made again instead of kept: nothing, cheap
    /// (normalisations and pools) or stages (all but those between stages)
    #[arg(long, value_name = "NAME", value_parser = word::<Recompute>, default_value = "nothing")]
    recompute: Recompute,
    /// How often it is measured, after one run to warm up
    #[arg(long, value_name = "N", default_value_t = 10)]
    reps: usize,
    /// Tell the time of each operator and each layer
    #[arg(long)]
    profile: bool,
    /// Passes that rewrite the graph: all, none, or names with commas
    #[arg(long, value_name = "LIST", default_value = "all")]
    passes: String,
    /// What random weights and images are drawn from
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    common: Common,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// Forward pass and probabilities
    Infer,
    /// A whole step: forward, backward, update by SGD with momentum
    Train,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Precision {
    F32,
    F64,
    /// Maps and weights in 16 bits, sums in 32; of a training step the forward pass alone
    Bf16,
    /// Maps and weights in 8 bits; inference alone. Weights that are not calibrated are here,
    /// on a random image
    Int8,
}

impl Precision {
    fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        }
    }
}

#[derive(Serialize)]
struct Report {
    model: &'static str,
    mode: &'static str,
    batch_size: usize,
    input: [usize; 3],
    threads: usize,
    precision: &'static str,
    reps: usize,
    median_ms: f64,
    min_ms: f64,
    images_per_s: f64,
    gflops: f64,
    arena_bytes: u64,
    /// The most memory that the process ever had; absent where the system does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    peak_rss_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<Profile>,
}

pub(crate) fn run(args: &BenchArgs) -> Result<Outcome> {
    if args.reps == 0 {
        return Err(usage("--reps is at least 1"));
    }
    let keeps_all = args.mode == Mode::Infer || args.precision == Precision::Bf16;
    if keeps_all && args.recompute != Recompute::Nothing {
        return Err(usage("--recompute is for --mode train in f32 or f64"));
    }
    let pool = args.common.pool()?;
    let weights = weights(args)?;
    let report = match args.precision {
        Precision::F32 | Precision::Bf16 | Precision::Int8 => {
            measure::<f32>(args, &weights, &pool)?
        }
        Precision::F64 => measure::<f64>(args, &weights, &pool)?,
    };
    if args.common.json {
        output::json(&report)?;
    } else {
        output::print(&show(&report))?;
    }
    Ok(Outcome::Done)
}

fn weights(args: &BenchArgs) -> Result<Weights> {
    let ModelArgs { model: name, .. } = &args.weights.model;
    match (&args.file, name) {
        (Some(file), _) => args.weights.load(file, args.common.talk()),
        (None, Some(name)) => {
            let model = args.weights.model.build(name)?;
            Ok(Weights::random(model, args.seed)?)
        }
        (None, None) => Err(usage(
            "give --model NAME (see `inception models`) or --weights FILE",
        )),
    }
}

fn passes(args: &BenchArgs, all: Passes) -> Result<Passes> {
    let all = args.common.passes(all);
    all.only(&args.passes)
        .map_err(|e| usage(format!("--passes: {e}")))
}

/// How maps are kept.
fn storage(args: &BenchArgs, weights: &Weights, pool: &Pool) -> Result<Storage> {
    match (args.precision, args.mode) {
        (Precision::F32 | Precision::F64, _) => Ok(Storage::Real),
        (Precision::Bf16, _) => Ok(Storage::Bf16),
        (Precision::Int8, Mode::Train) => Err(usage("--precision int8 is for --mode infer")),
        (Precision::Int8, Mode::Infer) => {
            if let Some(storage) = weights.int8() {
                return Ok(storage);
            }
            let parameters = weights.parameters.cast::<f32>();
            let mut observer = Observer::new(&weights.model, &parameters, 1, pool)?;
            let mut stream = Stream::new(&[args.seed, 0]);
            let images = observer.images_mut();
            images.fill_with(|| stream.normal() as f32);
            observer.run();
            Ok(Storage::Int8(Arc::new(observer.into_ranges())))
        }
    }
}

fn measure<T: Element>(args: &BenchArgs, weights: &Weights, pool: &Pool) -> Result<Report> {
    let work = measure::Work {
        model: &weights.model,
        parameters: weights.parameters.cast::<T>(),
        batch_size: args.batch_size,
        reps: args.reps,
        profile: args.profile,
        seed: args.seed,
        pool: pool.clone(),
        storage: storage(args, weights, pool)?,
        recompute: args.recompute,
    };
    let (mode, measured) = match args.mode {
        Mode::Infer => ("infer", work.infer(passes(args, Passes::INFERENCE)?)?),
        Mode::Train => ("train", work.train(passes(args, Passes::TRAINING)?)?),
    };
    let Measured {
        mut times,
        macs,
        arena_bytes,
        profile,
    } = measured;
    times.sort_by(f64::total_cmp);
    let median = median(&times);
    Ok(Report {
        model: weights.model.name(),
        mode,
        batch_size: args.batch_size,
        input: weights.model.options().input,
        threads: pool.threads(),
        precision: args.precision.name(),
        reps: args.reps,
        median_ms: 1e3 * median,
        min_ms: 1e3 * times[0],
        images_per_s: args.batch_size as f64 / median,
        gflops: 2.0 * macs as f64 / median / 1e9,
        arena_bytes,
        peak_rss_bytes: peak_rss(),
        profile,
    })
}

/// Of sorted numbers.
fn median(sorted: &[f64]) -> f64 {
    let n = sorted.len();
    (sorted[(n - 1) / 2] + sorted[n / 2]) / 2.0
}

/// The most memory that this process had so far.
fn peak_rss() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

fn show(report: &Report) -> String {
    let mut text = String::new();
    if let Some(profile) = &report.profile {
        text.push_str(&profile.show());
        text.push('\n');
    }
    let what = format!(
        "{}, {}, batch of {}, {}, {} threads",
        report.model, report.mode, report.batch_size, report.precision, report.threads
    );
    let mut rows = vec![
        ("measured", what),
        ("median", format!("{:.2} ms", report.median_ms)),
        ("least", format!("{:.2} ms", report.min_ms)),
        ("images a second", format!("{:.1}", report.images_per_s)),
        ("GFLOP/s", format!("{:.1}", report.gflops)),
        ("planned arena", numbers::bytes(report.arena_bytes)),
    ];
    if let Some(bytes) = report.peak_rss_bytes {
        rows.push(("most memory of the process", numbers::bytes(bytes)));
    }
    text.push_str(&pairs(&rows));
    text
}
