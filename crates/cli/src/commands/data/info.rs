//! `inception data info`.

use super::About;
use crate::args::SplitName;
use crate::exit::Outcome;
use crate::table::{Align, pairs, table, text};
use crate::{numbers, output, progress};
use anyhow::Result;
use clap::Args;
use inception_data::{Dataset, MeasureOptions, Stats, measure};
use serde::Serialize;

/// Show what a data set holds: classes, sizes, mean and deviation
#[derive(Args, Debug)]
pub(crate) struct InfoArgs {
    #[command(flatten)]
    about: About,
    /// Part of the data set
    #[arg(long, value_enum, default_value = "train")]
    split: SplitName,
    /// Measure so many images, evenly spread; 0 measures all
    #[arg(long, value_name = "N", default_value_t = 1000)]
    sample: usize,
}

#[derive(Serialize)]
struct Report<'a> {
    data: &'a str,
    split: &'static str,
    images: usize,
    classes: Vec<Class>,
    measured: u64,
    unreadable: u64,
    mean: Vec<f64>,
    std: Vec<f64>,
    /// The most frequent first.
    sizes: Vec<Size>,
    fingerprint: String,
}

#[derive(Serialize)]
struct Class {
    class: String,
    /// What it is in words, where a list says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    images: u64,
}

#[derive(Serialize)]
struct Size {
    width: usize,
    height: usize,
    images: u64,
}

pub(crate) fn run(args: &InfoArgs) -> Result<Outcome> {
    let talk = args.about.common.talk();
    let pool = args.about.common.pool()?;
    let spec = args.about.spec();
    let opened = args.about.data.open(spec, args.split.split(), talk)?;
    let dataset = opened.dataset.as_ref();
    let options = MeasureOptions {
        at_most: (args.sample > 0).then_some(args.sample),
    };
    let total = options.at_most.unwrap_or(usize::MAX).min(dataset.len());
    let bar = progress::bar(talk, total as u64, "images");
    let stats = measure(dataset, &pool, options, |n| bar.inc(n as u64))?;
    bar.finish_and_clear();
    let report = Report {
        data: spec,
        split: args.split.name(),
        images: stats.items,
        classes: classes(dataset, &stats),
        measured: stats.measured,
        unreadable: stats.unreadable,
        mean: stats.mean.clone(),
        std: stats.std.clone(),
        sizes: sizes(&stats),
        fingerprint: format!("{:016x}", dataset.fingerprint()),
    };
    if args.about.common.json {
        output::json(&report)?;
    } else {
        output::print(&show(&report))?;
    }
    Ok(Outcome::Done)
}

fn classes(dataset: &dyn Dataset, stats: &Stats) -> Vec<Class> {
    let titles = dataset.titles();
    let named = dataset.classes().iter().zip(&stats.class_counts);
    let class = |(label, (name, &images)): (usize, (&String, &u64))| Class {
        class: name.clone(),
        title: titles.get(label).cloned(),
        images,
    };
    named.enumerate().map(class).collect()
}

fn sizes(stats: &Stats) -> Vec<Size> {
    let size = |found: &inception_data::SizeCount| Size {
        width: found.size.width,
        height: found.size.height,
        images: found.count,
    };
    stats.sizes.iter().map(size).collect()
}

/// How many different sizes are shown.
const SIZES: usize = 5;

fn show(report: &Report<'_>) -> String {
    let mut classes = table(&[("class", Align::Left), ("images", Align::Right)]);
    for class in &report.classes {
        let name = match &class.title {
            Some(title) => format!("{}: {title}", class.class),
            None => class.class.clone(),
        };
        classes.add_row([output::printable(&name), numbers::grouped(class.images)]);
    }
    let channels = |values: &[f64]| {
        let values: Vec<String> = values.iter().map(|v| format!("{v:.4}")).collect();
        values.join(", ")
    };
    let sizes = report.sizes.iter().take(SIZES);
    let sizes = sizes.map(|s| format!("{}×{} ({})", s.width, s.height, numbers::grouped(s.images)));
    let mut sizes: Vec<String> = sizes.collect();
    if report.sizes.len() > SIZES {
        sizes.push(format!("and {} more", report.sizes.len() - SIZES));
    }
    let mut rows = vec![
        (
            "data",
            format!("{} ({})", output::printable(report.data), report.split),
        ),
        ("images", numbers::grouped(report.images as u64)),
        ("classes", report.classes.len().to_string()),
        ("measured on", numbers::grouped(report.measured)),
    ];
    if report.unreadable > 0 {
        rows.push(("unreadable", numbers::grouped(report.unreadable)));
    }
    rows.push(("width × height", sizes.join(", ")));
    rows.push(("mean", channels(&report.mean)));
    rows.push(("deviation", channels(&report.std)));
    format!("{}\n{}", text(&classes), pairs(&rows))
}
