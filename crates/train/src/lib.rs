//! Optimisers, schedules, metrics, checkpoints and the training loop.
#![forbid(unsafe_code)]

mod config;
mod ema;
mod error;
mod metrics;
mod norm;
mod optim;
mod range;
mod schedule;

pub use config::{
    AuxHeads, BadImages, InitMode, NonFinitePolicy, OptimizerName, Order, ScheduleName, TrainConfig,
};
pub use ema::{ema_decay, ema_update};
pub use error::{Difference, Differences, Diverged, ErrorKind, TrainError};
pub use metrics::{Hits, Mean, cross_entropy, rank};
pub use norm::{GlobalNorm, clip_scale};
pub use optim::{Finiteness, Optimizer, OptimizerConfig, OptimizerKind, Slot, Trained, Update};
pub use schedule::{Curve, Schedule, Span};
