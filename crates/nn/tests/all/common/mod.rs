//! What several tests need.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file uses its own share"
)]

pub mod golden;

use inception_nn::{Model, ModelOptions, registry};

/// A registered model as it comes.
pub fn model(name: &str) -> Model {
    Model::build(name, &ModelOptions::default()).expect("a registered model builds")
}

/// The smallest version of each registered model that is quick to run: few classes, images
/// just large enough to be interesting, no dropout.
pub fn small_models() -> Vec<Model> {
    registry()
        .iter()
        .map(|info| {
            let side = match info.name {
                "simple-inception" => 8,
                "inception-small" | "inception-mini" | "inception-midi" => 12,
                "googlenet" | "googlenet-bn" => 80,
                "googlenet-torchvision" | "googlenet-slim" | "bn-inception" => 48,
                // Its auxiliary head needs the whole of it.
                "inception-v3" => 299,
                "inception-v4" | "inception-resnet-v1" | "inception-resnet-v2" => 75,
                "alexnet" => 63,
                "vgg16" => 32,
                other => panic!("choose a small input for {other}"),
            };
            let options = ModelOptions {
                input: Some([info.input[0], side, side]),
                classes: Some(5),
                dropout: Some(0.0),
                aux_dropout: Some(0.0),
                ..ModelOptions::default()
            };
            Model::build(info.name, &options).expect("the input is large enough")
        })
        .collect()
}
