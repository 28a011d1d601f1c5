//! State dicts that do not say what they are.

use super::{Found, LoadOptions};
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
        prefix,
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

/// How pictures are prepared for a model where nothing is written about it.
///
/// Photographs of 3 channels: the middle 7/8, bilinear, ImageNet's mean and deviation; but
/// 0.5 and 0.5 for `googlenet-torchvision`, whose published weights were trained behind
/// `transform_input`. Small and grey pictures: stretched to the input, 0.5 and 0.5.
pub(super) fn usual_preprocess(model: &Model) -> Preprocess {
    let [channels, height, width] = model.options().input;
    let half = vec![0.5; channels];
    let photograph = Preprocess::photograph(height, width);
    match (channels, height.max(width)) {
        (3, 64..) if model.name() == "googlenet-torchvision" => Preprocess {
            mean: half.clone(),
            std: half,
            ..photograph
        },
        (3, 64..) => photograph,
        _ => Preprocess {
            input: model.options().input,
            resize: Some(ResizeSpec::Stretch),
            interpolation: Interpolation::default(),
            mean: half.clone(),
            std: half,
        },
    }
}
