//! The two sides of `check_onnx.py`: exports every model, or runs graphs of other tools.
//!
//! ```text
//! cargo run --release -p inception-deploy --example onnx_oracle -- write DIR
//! python crates/deploy/examples/check_onnx.py DIR
//! cargo run --release -p inception-deploy --example onnx_oracle -- read DIR
//! ```
//! `write` puts `NAME.onnx`, in all forms that can be exported, and `NAME.safetensors` with
//! images and our logits into `DIR`. `read` runs every `*.onnx` of `DIR` that has a
//! `*.safetensors` with `images` `[n, c, h, w]` and `logits` beside it.

use inception_deploy::convert::Difference;
use inception_deploy::onnx::{ExportOptions, FoldBatchNorm, Head, InputScale, export};
use inception_deploy::{Classifier, LoadOptions, PredictorConfig, Weights};
use inception_nn::{Model, ModelOptions, Role, registry};
use inception_store::{ArchiveBuilder, Limits, read_file};
use inception_tensor::Stream;
use std::error::Error;
use std::fs;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["write", dir] => write(Path::new(dir)),
        ["read", dir] => read(Path::new(dir)),
        _ => Err("usage: onnx_oracle write|read DIR".into()),
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

fn read(dir: &Path) -> Result<(), Box<dyn Error>> {
    let mut files: Vec<_> = fs::read_dir(dir)?
        .filter_map(|e| Some(e.ok()?.path()))
        .collect();
    files.sort();
    for file in files
        .iter()
        .filter(|f| f.extension().is_some_and(|e| e == "onnx"))
    {
        let io = file.with_extension("safetensors");
        if !io.is_file() {
            continue;
        }
        let io = read_file(&io, &Limits::default())?;
        let &[n, c, h, w] = io.tensor("images")?.shape else {
            return Err("images have four extents".into());
        };
        let images = io.to_f32("images")?;
        let mut ours = vec![0.0; images.len()];
        for (i, to) in ours.iter_mut().enumerate() {
            let (image, y, x, channel) = (i / (h * w * c), i / (w * c) % h, i / c % w, i % c);
            *to = images[((image * c + channel) * h + y) * w + x];
        }
        let weights = Weights::load(file, &LoadOptions::default())?;
        let mut classifier = Classifier::new(
            weights.model,
            weights.parameters,
            &PredictorConfig::default(),
        );
        let answers = classifier.run(n, &ours)?;
        let logits: Vec<f64> = answers
            .iter()
            .flat_map(|a| &a.logits)
            .map(|&x| x.into())
            .collect();
        let found = Difference::of(&io.to_f64("logits")?, &logits);
        println!(
            "{}: {:.2e} of the largest logit",
            file.display(),
            found.max_rel
        );
    }
    Ok(())
}
