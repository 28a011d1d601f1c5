//! A small network to load, save and evaluate.
#![allow(dead_code, reason = "each test file uses its own part")]

pub(crate) mod graphs;

use inception_deploy::{Predictor, PredictorConfig, Weights};
use inception_nn::{Model, ModelOptions};
use inception_tensor::Pool;

pub(crate) fn options() -> ModelOptions {
    ModelOptions {
        input: Some([3, 32, 32]),
        ..ModelOptions::default()
    }
}

pub(crate) fn model() -> Model {
    Model::build("inception-small", &options()).unwrap()
}

pub(crate) fn weights(seed: u64) -> Weights {
    Weights::random(model(), seed).unwrap()
}

pub(crate) fn predictor(weights: Weights, threads: usize) -> Predictor {
    let config = PredictorConfig {
        pool: Pool::new(threads).unwrap(),
        ..PredictorConfig::default()
    };
    Predictor::new(weights, &config).unwrap()
}
