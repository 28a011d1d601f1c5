#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod calibration;
pub mod convert;
mod error;
mod evaluate;
mod features;
#[cfg(feature = "hub")]
pub mod hub;
mod observer;
pub mod onnx;
mod predictor;
mod ranking;
mod runner;
mod tally;
pub mod weights;

pub use calibration::{Bin, Calibration};
pub use error::DeployError;
pub use evaluate::{Answer, EvalConfig, evaluate};
pub use features::FeatureExtractor;
pub use observer::Observer;
pub use predictor::{Classifier, Prediction, Predictor, PredictorConfig};
pub use ranking::{Ranked, rank_of, top};
pub use tally::{ClassTally, Evaluation};
pub use weights::{LoadOptions, Weights};
