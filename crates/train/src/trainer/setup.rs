//! How a run begins, and how it is taken up again.

use super::Trainer;
use super::plans::Plans;
use super::step::Scratch;
use crate::checkpoint::{Counters, Identity, State, files};
use crate::log::Log;
use crate::{
    Datasets, InitMode, Optimizer, ParamRule, Span, TrainConfig, TrainError, Trained, weights,
};
use inception_data::Dataset;
use inception_nn::{Model, Parameters};
use inception_store::{Fs, RealFs, RunLock, clean_temps, create_dir_durable, write_atomic};
use inception_tensor::Pool;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// The file that the settings are written into.
const CONFIG: &str = "config.toml";
/// Most threads that decode images unless the settings say otherwise.
const WORKERS: usize = 4;

/// Workers that load data where the settings do not say.
pub(super) fn default_workers(threads: usize) -> usize {
    threads.min(WORKERS)
}

/// Batches that so many workers work ahead.
pub(super) fn batches_ahead(workers: usize) -> usize {
    workers + 1
}

/// The most batches of images that training with `threads` threads and the usual number of
/// workers holds in memory at once: those ahead, and the one in use.
pub fn batches_held(threads: usize) -> usize {
    batches_ahead(default_workers(threads)) + 1
}

/// What happens when settings or data are not those that a run was begun with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDifference {
    /// An error lists them.
    #[default]
    Refuse,
    /// The ones that are given now hold from here on.
    UseGiven,
}

/// How a run is taken up again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResumeOptions {
    /// Settings that are expected; those of the checkpoint where absent.
    pub config: Option<TrainConfig>,
    /// What happens when they, or the data, differ.
    pub on_difference: OnDifference,
    /// Threads that compute; all cores where absent.
    pub threads: Option<usize>,
    /// Threads that decode images.
    pub workers: Option<usize>,
    /// How many checkpoints are kept.
    pub keep: Option<u64>,
}

impl Trainer {
    /// Begins a run in `folder`, which is created where it is missing.
    ///
    /// A checkpoint of the first weights is written at once, so that a folder that cannot
    /// be written to is found out before the first step.
    ///
    /// # Errors
    /// When a setting is out of range or does not fit the model or the data, when `folder`
    /// holds a run already or is locked, or when the file system refuses.
    pub fn new(config: TrainConfig, folder: &Path, datasets: Datasets) -> Result<Self, TrainError> {
        Self::begin(config, folder, datasets, Box::new(RealFs))
    }

    pub(super) fn begin(
        config: TrainConfig,
        folder: &Path,
        datasets: Datasets,
        fs: Box<dyn Fs>,
    ) -> Result<Self, TrainError> {
        let first = match (&config.init, config.init_mode) {
            (Some(_), InitMode::Strict) => First::Zero,
            _ => First::Drawn,
        };
        let mut parts = Parts::new(config, &datasets, first)?;
        if let Some(path) = parts.config.init.clone() {
            parts.take_weights(&path)?;
        }
        create_dir_durable(folder)?;
        let lock = RunLock::acquire(folder)?;
        clean_temps(&*fs, folder)?;
        for name in [files::NEXT, files::LAST, files::PREVIOUS] {
            if std::fs::symlink_metadata(folder.join(name)).is_ok() {
                return Err(TrainError::Usage(format!(
                    "{}: holds a run already; resume it, or choose another folder",
                    inception_data::escape_path(folder)
                )));
            }
        }
        let mut trainer = parts.assemble(folder, datasets, lock, Log::open(folder, 0)?, fs)?;
        trainer.write_config()?;
        trainer.save_now()?;
        Ok(trainer)
    }

    /// Takes up the run in `folder` where its newest whole checkpoint left it, on the data
    /// that its settings name.
    ///
    /// # Errors
    /// When no checkpoint is whole, settings or data differ, the folder is locked, or as
    /// [`Trainer::new`].
    pub fn resume(folder: &Path, options: &ResumeOptions) -> Result<Self, TrainError> {
        Self::resume_with(folder, options, Datasets::open)
    }

    /// As [`Trainer::resume`], on the data that `open` opens for the settings.
    ///
    /// # Errors
    /// As [`Trainer::resume`], and those of `open`.
    pub fn resume_with(
        folder: &Path,
        options: &ResumeOptions,
        open: impl FnOnce(&TrainConfig) -> Result<Datasets, TrainError>,
    ) -> Result<Self, TrainError> {
        Self::take_up(folder, options, open, Box::new(RealFs))
    }

    pub(super) fn take_up(
        folder: &Path,
        options: &ResumeOptions,
        open: impl FnOnce(&TrainConfig) -> Result<Datasets, TrainError>,
        fs: Box<dyn Fs>,
    ) -> Result<Self, TrainError> {
        let lock = RunLock::acquire(folder)?;
        clean_temps(&*fs, folder)?;
        let found = files::load(&*fs, folder)?;
        let saved = Identity::read(&found.archive)?;
        let config = options.config.as_ref().unwrap_or(&saved.config);
        let config = TrainConfig {
            threads: options.threads.or(config.threads),
            workers: options.workers.or(config.workers),
            keep: options.keep.unwrap_or(config.keep),
            ..config.clone()
        };
        let datasets = open(&config)?;
        let parts = Parts::new(config, &datasets, First::Zero)?;
        if options.on_difference == OnDifference::Refuse {
            saved.check(&parts.identity, &found.archive)?;
        }
        let log = Log::open(folder, files::number(&found.archive, "checkpoint.lines")?)?;
        let mut trainer = parts.assemble(folder, datasets, lock, log, fs)?;
        trainer.state.read(&found.archive)?;
        trainer.state.counters.lines = trainer.log.lines();
        trainer.check_position()?;
        for reason in found.rejected {
            let from = inception_data::escape_path(found.archive.path());
            trainer
                .notes
                .push(format!("{reason}; resuming from {from}"));
        }
        trainer.write_config()?;
        Ok(trainer)
    }

    /// With other settings, an epoch may have fewer batches than were made of it.
    fn check_position(&mut self) -> Result<(), TrainError> {
        let position = self.state.counters.position;
        let batches = batches_per_epoch(&self.config, &*self.datasets.train);
        if position.batch < batches {
            return Ok(());
        }
        Err(TrainError::Usage(format!(
            "batch-size: the run stopped after batch {} of its epoch, which has {batches} now; \
             resume with the saved size, or from the end of an epoch",
            position.batch
        )))
    }

    fn write_config(&self) -> Result<(), TrainError> {
        let text = self.config.to_toml();
        let path = self.folder.join(CONFIG);
        Ok(write_atomic(&*self.fs, &path, text.as_bytes())?)
    }
}

fn batches_per_epoch(config: &TrainConfig, train: &dyn Dataset) -> u64 {
    train.len().div_ceil(config.batch_size) as u64
}

/// The weights that a trainer begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    /// Random ones.
    Drawn,
    /// None: a file sets every one of them.
    Zero,
}

/// What a trainer is made of before it has a folder.
struct Parts {
    config: TrainConfig,
    identity: Identity,
    span: Span,
    plans: Plans,
    trained: Vec<Trained>,
    params: Parameters<f32>,
    notes: Vec<String>,
    pool: Pool,
}

impl Parts {
    fn new(config: TrainConfig, datasets: &Datasets, first: First) -> Result<Self, TrainError> {
        config.validate()?;
        let config = config.resolved();
        let classes = datasets.train.classes().len();
        let options = config.model_options(datasets.preprocess.input, classes);
        let model = Model::build(&config.model, &options)?;
        datasets.check(&config, model.options().classes)?;
        let threads = config.threads.unwrap_or_else(Pool::available);
        let pool = Pool::new(threads).map_err(|e| TrainError::Usage(format!("threads: {e}")))?;
        let batches = batches_per_epoch(&config, &*datasets.train);
        let steps_per_epoch = batches.div_ceil(config.accumulate);
        let whole = config.epochs.unwrap_or(0) * steps_per_epoch;
        let span = Span {
            total_steps: config.steps.unwrap_or(whole),
            steps_per_epoch,
        };
        let identity = Identity {
            facts: facts(&model, datasets),
            config: config.essential(),
        };
        let mut plans = Plans::new(model, &config, pool.clone())?;
        // Every size of batch that an epoch has is tried before anything is written.
        let rest = datasets.train.len() % config.batch_size;
        for images in [rest, config.batch_size] {
            if images > 0 {
                plans.train(images)?;
            }
        }
        let trained = trained(&mut plans, &config)?;
        Ok(Self {
            trained,
            params: match first {
                First::Drawn => {
                    Parameters::drawn_by(plans.model(), config.initializer(), config.seed)
                }
                First::Zero => Parameters::zeros(plans.model()),
            },
            notes: Vec::new(),
            config,
            identity,
            span,
            plans,
            pool,
        })
    }

    /// Takes the weights of a file in place of random ones.
    fn take_weights(&mut self, path: &Path) -> Result<(), TrainError> {
        let report = weights::read(path, &mut self.params, self.config.init_mode)?;
        if !report.difference.is_empty() {
            let (loaded, rest) = (report.loaded, &report.difference);
            self.notes
                .push(format!("init: {loaded} tensors taken; {rest}"));
        }
        Ok(())
    }

    fn assemble(
        self,
        folder: &Path,
        datasets: Datasets,
        lock: RunLock,
        log: Log,
        fs: Box<dyn Fs>,
    ) -> Result<Trainer, TrainError> {
        let Self {
            config,
            identity,
            span,
            mut plans,
            trained,
            params,
            notes,
            pool,
        } = self;
        let plan = plans.train(config.batch_size)?;
        let optimizer = Optimizer::new(config.optimizer_config(), trained);
        let scratch = Scratch::new(plan, &params, &config);
        let workers = config
            .workers
            .unwrap_or_else(|| default_workers(pool.threads()));
        Ok(Trainer {
            folder: folder.to_path_buf(),
            schedule: config.schedule(),
            state: State {
                ema: config.ema.map(|_| params.clone()),
                params,
                optimizer,
                counters: Counters::default(),
                best: None,
                norms: Vec::new(),
            },
            config,
            datasets,
            identity,
            span,
            pool,
            workers,
            plans,
            scratch,
            loader: None,
            told: 0,
            log,
            fs,
            events: None,
            concerned: [false; 2],
            unsaved: 0,
            notes,
            _lock: lock,
        })
    }
}

/// The parameters that a run moves, and how.
fn trained(plans: &mut Plans, config: &TrainConfig) -> Result<Vec<Trained>, TrainError> {
    let specs = Arc::clone(plans.model().specs());
    let grads = plans.train(config.batch_size)?.program.grads.iter();
    let trained = grads.map(|grad| ParamRule::apply(&config.rule, specs.get(grad.param)));
    let trained: Vec<Trained> = trained.collect();
    match ParamRule::idle(&config.rule, &trained) {
        None => Ok(trained),
        Some(idle) => Err(TrainError::Usage(format!(
            "rule: expected a pattern that fits a trained parameter, found {idle}"
        ))),
    }
}

/// Facts that must be the same when a run is resumed.
fn facts(model: &Model, datasets: &Datasets) -> BTreeMap<String, String> {
    let describe = |dataset: &dyn Dataset| {
        let (len, print) = (dataset.len(), dataset.fingerprint());
        format!("{len} images, fingerprint {print:016x}")
    };
    let options = model.options();
    let mut facts = datasets.preprocess.to_map();
    let mut add = |name: &str, value: String| facts.insert(name.to_owned(), value);
    add("data.train", describe(&*datasets.train));
    if let Some(val) = &datasets.val {
        add("data.val", describe(&**val));
    }
    let names = datasets.train.classes().to_vec();
    add("data.classes", serde_json::Value::from(names).to_string());
    add("model.name", model.name().to_owned());
    add("model.options", format!("{options:?}"));
    facts
}

/// Names of classes for a file of weights: none where the model tells more classes apart
/// than the data have.
pub(super) fn class_names(model: &Model, datasets: &Datasets) -> Vec<String> {
    let names = datasets.train.classes();
    match names.len() == model.options().classes {
        true => names.to_vec(),
        false => Vec::new(),
    }
}
