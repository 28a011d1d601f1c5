//! `inception train`.

mod flags;
mod observer;
mod report;

use crate::defaults::{self, Chosen};
use crate::exit::{Outcome, usage};
use crate::numbers;
use crate::output::Talk;
use crate::signals::Stop;
use anyhow::Result;
pub(crate) use flags::TrainArgs;
use inception_data::{DatasetSpec, escape_path};
use inception_train::{
    Datasets, Fit, OnDifference, Recompute, ResumeOptions, TrainConfig, TrainError, Trainer,
    create_run_dir,
};
use observer::Progress;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Where runs go that are given no folder.
const RUNS: &str = "runs";

pub(crate) fn run(args: &TrainArgs) -> Result<Outcome> {
    if args.print_config {
        crate::output::print(&settings(args)?.to_toml())?;
        return Ok(Outcome::Done);
    }
    let start = Instant::now();
    // From here on a signal never costs more than the step in work.
    let stop = Stop::listen()?;
    let talk = args.common.talk();
    let mut trainer = match &args.resume {
        Some(folder) => resume(args, folder)?,
        None => begin(args)?,
    };
    talk.say(&format!(
        "{}: {} on {}",
        escape_path(trainer.folder()),
        trainer.config().model,
        crate::output::printable(&trainer.config().data)
    ));
    let mut progress = Progress::new(talk);
    let ended = trainer.run(&mut progress, &stop.flag);
    progress.end();
    match ended? {
        inception_train::Outcome::Finished { best } => {
            let seconds = start.elapsed().as_secs_f64();
            // The page runs a network of its own, which must fit where the trainer did.
            trainer.release();
            let page = write_page(&trainer, talk);
            report::finished(args, &trainer, best, seconds, page.as_deref())?;
            Ok(Outcome::Done)
        }
        inception_train::Outcome::Stopped { step } => {
            let folder = escape_path(trainer.folder());
            talk.say(&format!(
                "stopped after step {step}, saved; go on with: inception train --resume {folder}"
            ));
            Ok(Outcome::Stopped(stop.signal()))
        }
    }
}

/// Writes the run's page; a run that is done is done without one too.
fn write_page(trainer: &Trainer, talk: Talk) -> Option<PathBuf> {
    match super::report::of_run(trainer, talk) {
        Ok(path) => Some(path),
        Err(error) => {
            talk.warn(&format!("no report: {error:#}"));
            None
        }
    }
}

/// The settings that recipe and flags add up to.
fn settings(args: &TrainArgs) -> Result<TrainConfig> {
    let mut config = defaults::settings(Chosen {
        data: args.data.as_deref(),
        model: args.model.as_deref(),
        recipe: args.recipe.as_deref(),
        lr: args.lr,
    })?;
    args.apply(&mut config);
    config.validate()?;
    Ok(config.resolved())
}

/// A run in a new folder.
fn begin(args: &TrainArgs) -> Result<Trainer> {
    let mut config = settings(args)?;
    if let Some(path) = &mut config.init {
        *path = crate::hub::resolve(path, args.common.talk())?.into_owned();
    }
    let datasets = Datasets::open(&config)?;
    if args.batch_size.is_none() {
        // A recipe's batch may be more than a small data set has.
        config.batch_size = config.batch_size.min(datasets.train.len().max(1));
    }
    if let Some(budget) = args.memory_budget {
        fit(budget.0, &mut config, &datasets, args.common.talk())?;
    }
    let Some(folder) = &args.out else {
        let folder = create_run_dir(Path::new(RUNS), &run_name(&config)?)?;
        let trainer = Trainer::new(config, &folder, datasets);
        if trainer.is_err() {
            // A folder of a run that never was helps nobody; one that holds something stays.
            let _ = std::fs::remove_file(folder.join(".inception.lock"));
            let _ = std::fs::remove_dir(&folder);
        }
        return Ok(trainer?);
    };
    Ok(Trainer::new(config, folder, datasets)?)
}

/// Cuts the steps of a run so that it fits a budget, and says how.
fn fit(budget: u64, config: &mut TrainConfig, datasets: &Datasets, talk: Talk) -> Result<()> {
    let classes = datasets.train.classes().len();
    let options = config.model_options(datasets.preprocess.input, classes);
    let model = inception_nn::Model::build(&config.model, &options)?;
    let found = Fit::within(budget, config, &model)?;
    let whole = config.batch_size;
    (config.batch_size, config.accumulate) = (found.batch_size, found.accumulate);
    config.recompute = found.recompute;
    let bytes = numbers::bytes;
    talk.say(&format!(
        "memory budget {}: batches of {}, {} a step, {}: {}{}",
        bytes(budget),
        found.batch_size,
        found.accumulate,
        match found.recompute {
            Recompute::Nothing => "all maps kept",
            Recompute::Cheap => "maps of normalisations and pools made again",
            Recompute::Stages => "maps inside of stages made again",
        },
        bytes(found.bytes),
        match found.bytes == found.whole_bytes {
            true => String::new(),
            false => format!(
                " (batches of {whole} with all maps kept would need {})",
                bytes(found.whole_bytes)
            ),
        }
    ));
    Ok(())
}

/// The first part of a folder's name: what the run is trained on.
fn run_name(config: &TrainConfig) -> Result<String> {
    let spec = DatasetSpec::parse(&config.data)?;
    let name = match &spec {
        DatasetSpec::Path(path) => {
            let real = path.canonicalize().unwrap_or_else(|_| path.clone());
            let name = real.file_name().map(|n| n.to_string_lossy().into_owned());
            name.unwrap_or_else(|| "data".to_owned())
        }
        named => named.to_string(),
    };
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String = name
        .chars()
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    Ok(name.trim_start_matches('.').to_owned())
}

/// The run in `folder`, with the flags that were given.
fn resume(args: &TrainArgs, folder: &Path) -> Result<Trainer> {
    if args.out.is_some() || args.recipe.is_some() {
        return Err(usage(
            "--resume goes on in its folder with its settings: leave --out and --recipe away",
        ));
    }
    let config = saved_config(args, folder)?;
    Ok(Trainer::resume(
        folder,
        &ResumeOptions {
            config,
            on_difference: match args.force_config {
                true => OnDifference::UseGiven,
                false => OnDifference::Refuse,
            },
            threads: args.common.threads,
            workers: args.workers,
            keep: args.keep,
        },
    )?)
}

/// The settings of the run in `folder` with the flags that were given; `None` where none
/// was, or where the file of settings is lost, which the checkpoint makes up for.
fn saved_config(args: &TrainArgs, folder: &Path) -> Result<Option<TrainConfig>> {
    let path: PathBuf = folder.join("config.toml");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && folder.is_dir() => {
            return Ok(None);
        }
        Err(source) => {
            let action = "read";
            return Err(TrainError::Io {
                action,
                path,
                source,
            }
            .into());
        }
    };
    let saved = TrainConfig::from_toml(&text)?;
    let mut config = saved.clone();
    args.apply(&mut config);
    Ok((config != saved).then_some(config))
}
