//! Exports every registered model, for `check_onnx.py`.
//!
//! ```text
//! cargo run --release -p inception-deploy --example onnx_oracle -- DIR
//! python crates/deploy/examples/check_onnx.py DIR
//! ```
//! Puts `NAME.onnx`, in the forms that can be exported, and `NAME.safetensors` with images and
//! our logits into `DIR`.

use inception_deploy::onnx::{ExportOptions, FoldBatchNorm, Head, InputScale, export};
use inception_deploy::{Classifier, PredictorConfig, Weights};
use inception_nn::{Model, ModelOptions, Role, registry};
use inception_store::ArchiveBuilder;
use inception_tensor::Stream;
use std::error::Error;
use std::fs;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    match std::env::args().nth(1) {
        Some(dir) => write(Path::new(&dir)),
        None => Err("usage: onnx_oracle DIR".into()),
    }
}

/// Every form of every registered model, with statistics that are not trivial.
fn write(dir: &Path) -> Result<(), Box<dyn Error>> {
    for info in registry() {
        let options = ModelOptions {
            classes: Some(10),
            ..ModelOptions::default()
        };
        let mut weights = Weights::random(Model::build(info.name, &options)?, 7)?;
        unsettle(&mut weights);
        for (suffix, options) in [
            ("", ExportOptions::default()),
            (
                "-folded",
                ExportOptions {
                    fold: FoldBatchNorm::Fold,
                    ..ExportOptions::default()
                },
            ),
            (
                "-pixels",
                ExportOptions {
                    head: Head::Probabilities,
                    input: InputScale::Pixels,
                    ..ExportOptions::default()
                },
            ),
        ] {
            let file = dir.join(format!("{}{suffix}.onnx", info.name));
            fs::write(file, export(&weights, &options)?.to_bytes())?;
        }
        let [c, h, w] = weights.model.options().input;
        let mut stream = Stream::new(&[5]);
        let pixels: Vec<u8> = (0..5 * c * h * w)
            .map(|_| (stream.next_u64() >> 56) as u8)
            .collect();
        let (mean, std) = (
            weights.preprocess.mean.clone(),
            weights.preprocess.std.clone(),
        );
        let images: Vec<f32> = pixels
            .iter()
            .enumerate()
            .map(|(i, &p)| (f32::from(p) / 255.0 - mean[i % c]) / std[i % c])
            .collect();
        let config = PredictorConfig::default();
        let mut classifier = Classifier::new(weights.model, weights.parameters, &config);
        let answers = classifier.run(5, &images)?;
        let logits: Vec<f32> = answers.iter().flat_map(|a| a.logits.clone()).collect();
        let mut archive = ArchiveBuilder::new();
        archive.f32("images_nhwc", &[5, h, w, c], images)?;
        archive.u8("pixels_nhwc", &[5, h, w, c], pixels)?;
        archive.f32("logits", &[5, 10], logits)?;
        fs::write(
            dir.join(format!("{}.safetensors", info.name)),
            archive.build()?,
        )?;
        println!("{}", info.name);
    }
    Ok(())
}

/// Moves what begins as zeros and ones, so that a mistake in its place shows.
fn unsettle(weights: &mut Weights) {
    let specs = weights.model.specs().clone();
    let mut stream = Stream::new(&[3]);
    for (id, numbers) in weights.parameters.iter_mut() {
        let role = specs.get(id).role;
        for x in numbers {
            let noise = (stream.next_u64() >> 40) as f32 / (1 << 24) as f32 - 0.5;
            *x += match role {
                Role::Weight => 0.0,
                Role::RunningVar | Role::NormScale => 0.5 * noise,
                _ => 0.2 * noise,
            };
        }
    }
}
