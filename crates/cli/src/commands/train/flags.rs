//! The flags of `inception train`.

use crate::args::{ByteSize, Common, InputShape, word};
use clap::Args;
use inception_train::{
    AuxHeads, BadImages, InitMode, InitializerName, Links, NonFinitePolicy, OptimizerName, Order,
    ParamRule, Precision, Recompute, ScheduleName, TrainConfig,
};
use std::path::PathBuf;

/// Train or fine-tune a model
///
/// With no flags: a small Inception network on drawn shapes, in about a minute. What is not
/// given follows from the data set (see --recipe).
#[derive(Args, Debug)]
pub(crate) struct TrainArgs {
    /// Data set: shapes, fashion-mnist, cifar10, cifar100, or a path (a folder with
    /// train/CLASS/ and val/CLASS/, ImageNet's archives or Kaggle's layout, tar shards,
    /// parquet files, CIFAR binaries, or IDX files; or shards as in a-{split}-{000..146}.tar) [default: shapes]
    #[arg(long, value_name = "SPEC", help_heading = "Data")]
    pub(super) data: Option<String>,
    /// Where named data sets live
    #[arg(long, value_name = "DIR", help_heading = "Data")]
    data_dir: Option<PathBuf>,
    /// Which symbolic links in folders of images are followed: inside (the data set's folder),
    /// everywhere or never [default: inside]
    #[arg(long, value_name = "WHICH", value_parser = word::<Links>, help_heading = "Data")]
    follow_symlinks: Option<Links>,
    /// Validate on this share of the training set instead of the data set's own part
    #[arg(long, value_name = "X", help_heading = "Data")]
    holdout: Option<f64>,
    /// Random changes of training images: none, basic (basic:SHARE shifts by up to that much of a
    /// side), crop or paper, and +jitter, +randaugment, +trivialaugment, +erase
    #[arg(long, value_name = "NAMES", help_heading = "Data")]
    augment: Option<String>,
    /// Blend each image with another, by a share from Beta(X, X); 0.2 is usual
    #[arg(long, value_name = "X", help_heading = "Data")]
    mixup: Option<f64>,
    /// Paste a part of another image into each, by a share from Beta(X, X); 1 is usual
    #[arg(long, value_name = "X", help_heading = "Data")]
    cutmix: Option<f64>,
    /// Visit training images in the data set's order
    #[arg(long, conflicts_with = "order", help_heading = "Data")]
    no_shuffle: bool,
    /// Order of training images: shuffled, sequential, or shards:N to visit archives in random
    /// order and shuffle the images of N at a time
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    order: Option<Order>,
    /// Images that cannot be read: fail, or skip:N to leave out up to N an epoch
    #[arg(long, value_name = "POLICY", help_heading = "Data")]
    on_bad_image: Option<BadImages>,
    /// Threads that read images
    #[arg(long, value_name = "N", help_heading = "Data")]
    pub(super) workers: Option<usize>,

    /// Model by name; `inception models` lists them
    #[arg(long, value_name = "NAME", help_heading = "Model")]
    pub(super) model: Option<String>,
    /// Channels, height and width of an image [default: the data set's or the model's]
    #[arg(long, value_name = "C,H,W", help_heading = "Model")]
    input: Option<InputShape>,
    /// How many classes the model tells apart [default: the data set's]
    #[arg(long, value_name = "N", help_heading = "Model")]
    classes: Option<usize>,
    /// Leave auxiliary classifiers away
    #[arg(long, conflicts_with = "aux", help_heading = "Model")]
    no_aux: bool,
    /// Auxiliary classifiers: keep or drop
    #[arg(long, value_name = "NAME", value_parser = word::<AuxHeads>, help_heading = "Model")]
    aux: Option<AuxHeads>,
    /// Share dropped in front of the logits [default: the model's]
    #[arg(long, value_name = "X", help_heading = "Model")]
    dropout: Option<f64>,
    /// How first weights are drawn: he, xavier (Caffe's) or normal (torchvision's)
    #[arg(
        long,
        value_name = "NAME",
        value_parser = word::<InitializerName>,
        help_heading = "Model"
    )]
    initializer: Option<InitializerName>,
    /// Begin with the weights of this file
    #[arg(long, value_name = "FILE", help_heading = "Model")]
    init: Option<PathBuf>,
    /// Whether --init must fit: strict, head for another number of classes, or partial to
    /// take what fits
    #[arg(long, value_name = "NAME", value_parser = word::<InitMode>, help_heading = "Model")]
    init_mode: Option<InitMode>,
    /// Parameters that keep their value, by path: inception3a, or *.bn
    #[arg(long, value_name = "PATTERN", help_heading = "Model")]
    freeze: Vec<String>,
    /// Normalise by the running statistics as they are, and leave them so
    #[arg(long, help_heading = "Model")]
    freeze_bn: bool,
    /// Factor of the learning rate from each stage to the one before, such as 0.8
    #[arg(long, value_name = "X", help_heading = "Training")]
    layer_decay: Option<f64>,

    /// Settings that go together; `inception recipes` lists them [default: by the data set]
    #[arg(long, value_name = "NAME", help_heading = "Training")]
    pub(super) recipe: Option<String>,
    /// Passes over the training set
    #[arg(
        long,
        value_name = "N",
        conflicts_with = "steps",
        help_heading = "Training"
    )]
    epochs: Option<u64>,
    /// Updates of the weights, instead of --epochs
    #[arg(long, value_name = "N", help_heading = "Training")]
    steps: Option<u64>,
    /// Images in a batch
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub(super) batch_size: Option<usize>,
    /// Make maps again and cut steps into batches so that they fit so much memory, such as
    /// 800MB or 2GiB; says what was chosen before the first step
    #[arg(long, value_name = "SIZE", help_heading = "Training")]
    pub(super) memory_budget: Option<ByteSize>,
    /// Maps made again in the backward pass instead of kept: nothing, cheap (normalisations and
    /// pools) or stages (all but those between stages); to the same bits
    #[arg(long, value_name = "NAME", value_parser = word::<Recompute>, help_heading = "Training")]
    recompute: Option<Recompute>,
    /// Batches whose gradients one update takes the mean of
    #[arg(long, value_name = "N", help_heading = "Training")]
    accumulate: Option<u64>,
    /// Update rule: sgd, nesterov, adamw, muon, rmsprop (PyTorch's) or rmsprop-tf (TensorFlow's)
    #[arg(long, value_name = "NAME", value_parser = word::<OptimizerName>, help_heading = "Training")]
    optimizer: Option<OptimizerName>,
    /// The highest learning rate
    #[arg(
        long,
        value_name = "X",
        allow_negative_numbers = true,
        help_heading = "Training"
    )]
    pub(super) lr: Option<f64>,
    /// Momentum of sgd, nesterov, muon and rmsprop
    #[arg(
        long,
        value_name = "X",
        allow_negative_numbers = true,
        help_heading = "Training"
    )]
    momentum: Option<f64>,
    /// Weight decay
    #[arg(
        long,
        value_name = "X",
        allow_negative_numbers = true,
        help_heading = "Training"
    )]
    weight_decay: Option<f64>,
    /// Rate and decay of some parameters, relative to the others: '*.bias lr=2 decay=0'
    #[arg(long, value_name = "RULE", help_heading = "Training")]
    rule: Vec<ParamRule>,
    /// β₁ of adamw, and of muon for all but filters
    #[arg(long, value_name = "X", help_heading = "Training")]
    beta1: Option<f64>,
    /// β₂ of adamw, and of muon for all but filters
    #[arg(long, value_name = "X", help_heading = "Training")]
    beta2: Option<f64>,
    /// Decay of the mean of squares of rmsprop
    #[arg(long, value_name = "X", help_heading = "Training")]
    alpha: Option<f64>,
    /// ε of adamw, muon and rmsprop
    #[arg(long, value_name = "X", help_heading = "Training")]
    eps: Option<f64>,
    /// The learning rate's curve: paper, step, poly, cosine, onecycle or constant
    #[arg(long, value_name = "NAME", value_parser = word::<ScheduleName>, help_heading = "Training")]
    schedule: Option<ScheduleName>,
    /// Factor of the step schedule
    #[arg(long, value_name = "X", help_heading = "Training")]
    step_factor: Option<f64>,
    /// Epochs between the factors of the step schedule
    #[arg(long, value_name = "N", help_heading = "Training")]
    step_every: Option<u64>,
    /// Exponent of the poly schedule
    #[arg(long, value_name = "X", help_heading = "Training")]
    poly_power: Option<f64>,
    /// Epochs of linear rise at the beginning
    #[arg(
        long,
        value_name = "X",
        allow_negative_numbers = true,
        help_heading = "Training"
    )]
    warmup_epochs: Option<f64>,
    /// Share of the target that is spread over all classes
    #[arg(
        long,
        value_name = "X",
        allow_negative_numbers = true,
        help_heading = "Training"
    )]
    label_smoothing: Option<f64>,
    /// Weight of each auxiliary loss
    #[arg(
        long,
        value_name = "X",
        allow_negative_numbers = true,
        help_heading = "Training"
    )]
    aux_weight: Option<f64>,
    /// Validate and keep a moving average of the weights with this decay
    #[arg(long, value_name = "X", help_heading = "Training")]
    ema: Option<f64>,
    /// The largest norm of all gradients together
    #[arg(long, value_name = "X", help_heading = "Training")]
    clip_grad: Option<f64>,
    /// Losses or gradients that are no numbers: abort, or skip:N,rollback:N,abort
    #[arg(long, value_name = "POLICY", help_heading = "Training")]
    on_nonfinite: Option<NonFinitePolicy>,
    /// What all random numbers are drawn from [default: 0]
    #[arg(long, value_name = "N", help_heading = "Training")]
    seed: Option<u64>,
    /// Passes that rewrite the graph: all, none, or names with commas
    #[arg(long, value_name = "LIST", help_heading = "Training")]
    passes: Option<String>,
    /// What maps are kept in between forward and backward pass: f32 or bf16
    #[arg(long, value_name = "NAME", value_parser = word::<Precision>, help_heading = "Training")]
    precision: Option<Precision>,

    /// The run's folder [default: runs/NAME-NUMBER]
    #[arg(long, value_name = "DIR", help_heading = "Run")]
    pub(super) out: Option<PathBuf>,
    /// Go on with the run in this folder
    #[arg(long, value_name = "DIR", help_heading = "Run")]
    pub(super) resume: Option<PathBuf>,
    /// With --resume: use the flags that are given even where they differ from the run's
    #[arg(long, requires = "resume", help_heading = "Run")]
    pub(super) force_config: bool,
    /// Print the settings that all flags add up to as TOML, for --config, and do nothing
    #[arg(long, conflicts_with = "resume", help_heading = "Run")]
    pub(super) print_config: bool,
    /// Epochs between validations; 0 validates at the end alone
    #[arg(long, value_name = "N", help_heading = "Run")]
    val_every: Option<u64>,
    /// Steps between lines of metrics.jsonl
    #[arg(long, value_name = "N", help_heading = "Run")]
    log_every: Option<u64>,
    /// Steps between close looks at rectifiers and gradients of stages; 0 for none
    /// [default: 100]
    #[arg(long, value_name = "N", help_heading = "Run")]
    doctor_every: Option<u64>,
    /// Steps between checkpoints, beside those after each epoch
    #[arg(long, value_name = "N", help_heading = "Run")]
    save_every: Option<u64>,
    /// Checkpoints that are kept, the newest included [default: 2]
    #[arg(long, value_name = "N", help_heading = "Run")]
    pub(super) keep: Option<u64>,

    #[command(flatten)]
    pub(crate) common: Common,
}

/// The pattern of running statistics.
const STATISTICS: &str = "*.running_*";

fn set<T: Clone>(setting: &mut T, given: &Option<T>) {
    if let Some(value) = given {
        setting.clone_from(value);
    }
}

fn set_some<T: Clone>(setting: &mut Option<T>, given: &Option<T>) {
    if given.is_some() {
        setting.clone_from(given);
    }
}

impl TrainArgs {
    /// Writes the flags that were given over `config`.
    pub(super) fn apply(&self, config: &mut TrainConfig) {
        self.apply_data(config);
        self.apply_model(config);
        self.apply_optimiser(config);
        self.apply_schedule(config);
        set(&mut config.label_smoothing, &self.label_smoothing);
        set(&mut config.aux_weight, &self.aux_weight);
        set_some(&mut config.ema, &self.ema);
        set_some(&mut config.clip_grad, &self.clip_grad);
        set(&mut config.on_nonfinite, &self.on_nonfinite);
        set(&mut config.seed, &self.seed);
        set(&mut config.passes, &self.passes);
        set(&mut config.precision, &self.precision);
        if self.common.precise {
            config.passes.push_str(",-winograd");
        }
        set(&mut config.val_every, &self.val_every);
        set(&mut config.log_every, &self.log_every);
        set(&mut config.doctor_every, &self.doctor_every);
        set_some(&mut config.save_every, &self.save_every);
        set(&mut config.keep, &self.keep);
        set_some(&mut config.threads, &self.common.threads);
    }

    fn apply_data(&self, config: &mut TrainConfig) {
        set(&mut config.data, &self.data);
        set_some(&mut config.data_dir, &self.data_dir);
        set(&mut config.follow_symlinks, &self.follow_symlinks);
        set_some(&mut config.holdout, &self.holdout);
        set(&mut config.augment, &self.augment);
        set(&mut config.mixup, &self.mixup);
        set(&mut config.cutmix, &self.cutmix);
        set(&mut config.order, &self.order);
        if self.no_shuffle {
            config.order = Order::Sequential;
        }
        set(&mut config.on_bad_image, &self.on_bad_image);
        set_some(&mut config.workers, &self.workers);
    }

    fn apply_model(&self, config: &mut TrainConfig) {
        set(&mut config.model, &self.model);
        set_some(&mut config.input, &self.input.map(|shape| shape.0));
        set_some(&mut config.classes, &self.classes);
        set(&mut config.aux, &self.aux);
        if self.no_aux {
            config.aux = AuxHeads::Drop;
        }
        set_some(&mut config.dropout, &self.dropout);
        set(&mut config.initializer, &self.initializer);
        set_some(&mut config.init, &self.init);
        set(&mut config.init_mode, &self.init_mode);
        if !self.freeze.is_empty() {
            config.freeze.clone_from(&self.freeze);
        }
        if self.freeze_bn && !config.freeze.iter().any(|p| p == STATISTICS) {
            config.freeze.push(STATISTICS.to_owned());
        }
        set_some(&mut config.layer_decay, &self.layer_decay);
    }

    fn apply_optimiser(&self, config: &mut TrainConfig) {
        set(&mut config.batch_size, &self.batch_size);
        set(&mut config.accumulate, &self.accumulate);
        set(&mut config.recompute, &self.recompute);
        set(&mut config.optimizer, &self.optimizer);
        set(&mut config.lr, &self.lr);
        set(&mut config.momentum, &self.momentum);
        set(&mut config.weight_decay, &self.weight_decay);
        if !self.rule.is_empty() {
            config.rule.clone_from(&self.rule);
        }
        set(&mut config.beta1, &self.beta1);
        set(&mut config.beta2, &self.beta2);
        set(&mut config.alpha, &self.alpha);
        set_some(&mut config.eps, &self.eps);
    }

    fn apply_schedule(&self, config: &mut TrainConfig) {
        // A run is as long as one of the two says.
        if self.steps.is_some() || self.epochs.is_some() {
            (config.steps, config.epochs) = (self.steps, self.epochs);
        }
        set(&mut config.schedule, &self.schedule);
        set(&mut config.step_factor, &self.step_factor);
        set(&mut config.step_every, &self.step_every);
        set(&mut config.poly_power, &self.poly_power);
        set(&mut config.warmup_epochs, &self.warmup_epochs);
    }
}
