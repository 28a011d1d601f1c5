#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod budget;
mod checkpoint;
mod config;
mod datasets;
mod doctor;
mod ema;
mod error;
mod log;
mod metrics;
mod norm;
mod observer;
mod optim;
mod range;
mod recipe;
mod run_dir;
mod schedule;
mod tensorboard;
mod trainer;
mod weights;

pub use budget::Fit;
pub use checkpoint::Best;
pub use config::{
    AuxHeads, BadImages, InitMode, InitializerName, Links, NonFinitePolicy, OptimizerName, Order,
    ParamRule, Precision, Recompute, ScheduleName, TrainConfig,
};
pub use datasets::Datasets;
pub use doctor::Stability;
pub use ema::{ema_decay, ema_update};
pub use error::{Difference, Differences, Diverged, ErrorKind, TrainError};
pub use metrics::{Hits, Mean, cross_entropy, rank};
pub use norm::{GlobalNorm, clip_scale};
pub use observer::{Event, Observer, Silent, Started, StepMetrics, ValMetrics};
pub use optim::{Finiteness, Optimizer, OptimizerConfig, OptimizerKind, Slot, Trained, Update};
pub use recipe::Recipe;
pub use run_dir::create_run_dir;
pub use schedule::{Curve, Schedule, Span};
pub use trainer::{OnDifference, Outcome, ResumeOptions, Trainer, batches_held};
