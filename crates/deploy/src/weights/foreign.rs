//! State dicts that do not say what they are.

use super::{Found, LoadOptions, Naming};
use crate::DeployError;
use inception_data::{Interpolation, Preprocess, ResizeSpec, escape_path};
use inception_nn::{Aux, Model, ModelOptions, Role, WeightsMeta, registry};
use inception_store::Archive;
use std::path::Path;

/// What wrappers put before every key.
const PREFIXES: [&str; 2] = ["module.", "model."];

/// Takes `archive` for a state dict of the model that `options` name.
pub(super) fn conclude(
    path: &Path,
    archive: &Archive,
    options: &LoadOptions,
) -> Result<Found, DeployError> {
    let Some(name) = &options.model else {
        let names: Vec<&str> = registry().iter().map(|info| info.name).collect();
        return Err(DeployError::Usage(format!(
            "{} does not say which model it is for: name it with --model ({})",
            escape_path(path),
            names.join(", ")
        )));
    };
    let common = |p: &&&str| !archive.is_empty() && archive.names().all(|n| n.starts_with(**p));
    let prefix = PREFIXES.iter().find(common).copied().unwrap_or_default();
    let mut model = Model::build(name, &options.model_options)?;
    if options.model_options.classes.is_none()
        && let Some(classes) = classes(archive, &model, prefix)
    {
        let options = ModelOptions {
            classes: Some(classes),
            ..options.model_options
        };
        model = Model::build(name, &options)?;
    }
    let meta = WeightsMeta {
        aux: Aux::Drop,
        ..WeightsMeta::of(&model)
    };
    Ok(Found {
        meta,
        preprocess: usual_preprocess(&model),
        model,
        naming: Naming::Prefix(prefix),
    })
}

/// How many classes the last matrix of the file has.
fn classes(archive: &Archive, model: &Model, prefix: &str) -> Option<usize> {
    let specs = model.specs();
    let weights = specs.iter().filter(|(_, s)| s.role == Role::Weight);
    let main = weights.filter(|(_, s)| !specs.is_aux(&s.name));
    let (_, last) = main.last()?;
    let entry = archive.tensor(&format!("{prefix}{}", last.name)).ok()?;
    match (entry.shape, &last.torch_shape()[..]) {
        ([found, a], [_, b]) if a == b && *found > 0 => Some(*found),
        _ => None,
    }
}

/// How pictures are prepared for a model where nothing is written about it: as for the
/// weights of that model which are published.
///
/// Photographs of 3 channels: the middle 7/8, bilinear, ImageNet's mean and deviation, as for
/// the plain networks of torchvision. Networks with TensorFlow's weights, and torchvision's
/// GoogLeNet and Inception v3 behind their `transform_input`, have 0.5 and 0.5; timm's v4 and
/// Inception-ResNet v2 are resized by cubics, the latter to the middle 0.8975. Small and grey
/// pictures: stretched to the input, 0.5 and 0.5.
///
/// # Sources
/// torchvision's and timm's tables of weights; TF-slim `inception_preprocessing.py`.
pub(super) fn usual_preprocess(model: &Model) -> Preprocess {
    let [channels, height, width] = model.options().input;
    let half = vec![0.5; channels];
    if channels != 3 || height.max(width) < 64 {
        return Preprocess {
            input: model.options().input,
            resize: Some(ResizeSpec::Stretch),
            interpolation: Interpolation::default(),
            mean: half.clone(),
            std: half,
        };
    }
    let photograph = Preprocess::photograph(height, width);
    let centred = Preprocess {
        mean: half.clone(),
        std: half,
        ..photograph.clone()
    };
    // timm rounds down.
    let cubic = |middle: f64| Preprocess {
        resize: Some(ResizeSpec::Shorter(
            (height.max(width) as f64 / middle) as usize,
        )),
        interpolation: Interpolation::Bicubic,
        ..centred.clone()
    };
    match model.name() {
        "inception-v4" => cubic(0.875),
        "inception-resnet-v2" => cubic(0.8975),
        "googlenet-torchvision"
        | "googlenet-slim"
        | "bn-inception"
        | "inception-v3"
        | "inception-resnet-v1" => centred,
        _ => photograph,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_prepared_as_for_the_published_weights() {
        let imagenet = [0.485, 0.456, 0.406];
        for (name, side, interpolation, mean) in [
            ("googlenet-torchvision", 256, "bilinear", [0.5; 3]),
            ("inception-v3", 342, "bilinear", [0.5; 3]),
            ("inception-v4", 341, "bicubic", [0.5; 3]),
            ("inception-resnet-v2", 333, "bicubic", [0.5; 3]),
            ("alexnet", 256, "bilinear", imagenet),
        ] {
            let model = Model::build(name, &ModelOptions::default()).unwrap();
            let found = usual_preprocess(&model);
            found.validate().unwrap();
            assert_eq!(found.resize, Some(ResizeSpec::Shorter(side)), "{name}");
            assert_eq!(found.interpolation.name(), interpolation, "{name}");
            assert_eq!(found.mean, mean, "{name}");
        }
    }
}
