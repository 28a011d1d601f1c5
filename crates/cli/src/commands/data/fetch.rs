//! `inception data fetch`.

use crate::args::Common;
use crate::exit::Outcome;
use crate::{output, progress};
use anyhow::Result;
use clap::Args;
use inception_data::{FetchEvent, Fetchable};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Download and verify a named data set
///
/// What is there already is verified and not downloaded again; a download that broke off
/// goes on where it stopped.
#[derive(Args, Debug)]
pub(crate) struct FetchArgs {
    /// fashion-mnist, cifar10 or cifar100
    #[arg(value_name = "NAME")]
    name: String,
    /// Where named data sets live; the set gets a folder of its name there
    #[arg(long, value_name = "DIR", default_value = "data")]
    data_dir: PathBuf,
    /// Fetch from here instead of the publisher's server
    #[arg(long, value_name = "URL")]
    from: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Default, Serialize)]
struct Report {
    data: String,
    dir: PathBuf,
    present: Vec<PathBuf>,
    fetched: Vec<PathBuf>,
}

pub(crate) fn run(args: &FetchArgs) -> Result<Outcome> {
    let talk = args.common.talk();
    let set = Fetchable::from_name(&args.name)?;
    let mut report = Report {
        data: set.name().to_owned(),
        ..Report::default()
    };
    let bar = progress::bar(talk, 0, "bytes");
    let mut tell = |event: FetchEvent<'_>| match event {
        FetchEvent::Present(path) => {
            talk.say(&format!("{} is there and right", shown(path)));
            report.present.push(path.to_owned());
        }
        FetchEvent::Progress { bytes, total, .. } => {
            bar.set_length(total.unwrap_or(bytes));
            bar.set_position(bytes);
        }
        FetchEvent::Fetched(path) => {
            talk.say(&format!("{} fetched", shown(path)));
            report.fetched.push(path.to_owned());
        }
    };
    let fetched = set.fetch(&args.data_dir, args.from.as_deref(), &mut tell);
    bar.finish_and_clear();
    report.dir = fetched?;
    if args.common.json {
        output::json(&report)?;
    } else {
        let (name, dir) = (set.name(), shown(&args.data_dir));
        output::line(&format!("use it with --data {name} --data-dir {dir}"))?;
    }
    Ok(Outcome::Done)
}

fn shown(path: &Path) -> String {
    inception_data::escape_path(path)
}
