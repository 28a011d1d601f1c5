//! `inception data check`.

use super::About;
use crate::args::SplitName;
use crate::exit::{MALFORMED, Outcome};
use crate::{numbers, output, progress};
use anyhow::Result;
use clap::Args;
use inception_data::check;
use serde::Serialize;

/// Read every item of a data set and list those that cannot be used
#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    about: About,
    /// Part of the data set [default: train and val]
    #[arg(long, value_enum)]
    split: Vec<SplitName>,
}

#[derive(Serialize)]
struct Report<'a> {
    data: &'a str,
    ok: bool,
    splits: Vec<Split>,
}

#[derive(Serialize)]
struct Split {
    split: &'static str,
    items: usize,
    bad: u64,
    notes: Vec<Note>,
    bad_items: Vec<Bad>,
}

#[derive(Serialize)]
struct Note {
    note: String,
    items: u64,
}

#[derive(Serialize)]
struct Bad {
    item: usize,
    origin: String,
    reason: String,
}

pub(crate) fn run(args: &CheckArgs) -> Result<Outcome> {
    let asked = match args.split.as_slice() {
        [] => &[SplitName::Train, SplitName::Val][..],
        asked => asked,
    };
    let splits = asked.iter().map(|&split| check_split(args, split));
    let splits = splits.collect::<Result<Vec<Split>>>()?;
    let report = Report {
        data: args.about.spec(),
        ok: splits.iter().all(|s| s.bad == 0),
        splits,
    };
    if args.about.common.json {
        output::json(&report)?;
    } else {
        output::print(&show(&report))?;
    }
    Ok(if report.ok {
        Outcome::Done
    } else {
        Outcome::Found(MALFORMED)
    })
}

fn check_split(args: &CheckArgs, split: SplitName) -> Result<Split> {
    let talk = args.about.common.talk();
    let pool = args.about.common.pool()?;
    let opened = args
        .about
        .data
        .open(args.about.spec(), split.split(), talk)?;
    let bar = progress::bar(talk, opened.dataset.len() as u64, split.name());
    let found = check(opened.dataset.as_ref(), &pool, |n| bar.inc(n as u64));
    bar.finish_and_clear();
    let notes = found.notes.iter();
    let bad = found.bad.into_iter();
    Ok(Split {
        split: split.name(),
        items: found.items,
        bad: found.bad_count,
        notes: notes
            .map(|(note, &items)| Note {
                note: format!("{note:?}"),
                items,
            })
            .collect(),
        bad_items: bad
            .map(|b| Bad {
                item: b.item,
                origin: b.origin,
                reason: b.reason,
            })
            .collect(),
    })
}

fn show(report: &Report<'_>) -> String {
    let mut text = String::new();
    for split in &report.splits {
        for bad in &split.bad_items {
            text.push_str(&format!("{}: {}\n", bad.origin, bad.reason));
        }
        for note in &split.notes {
            text.push_str(&format!(
                "{}: {} × {}\n",
                split.split, note.items, note.note
            ));
        }
        text.push_str(&format!(
            "{}: {} items read, {} bad\n",
            split.split,
            numbers::grouped(split.items as u64),
            numbers::grouped(split.bad)
        ));
    }
    text
}
