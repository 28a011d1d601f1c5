//! Files of weights: reading one to begin with, writing the best.

use crate::InitMode;
use crate::TrainError;
use inception_nn::{
    LoadMode, LoadReport, Mismatch, NnError, Parameters, StateDictDifference, StateTensor,
    WeightsMeta,
};
use inception_store::{ArchiveBuilder, FinitePolicy, Fs, Limits, read_file, write_atomic_from};
use std::path::Path;

/// Writes `params` with PyTorch's keys, shapes and order, and `meta` beside them; the file
/// is there whole or not at all.
///
/// # Errors
/// When the file system refuses.
pub(crate) fn write(
    fs: &dyn Fs,
    path: &Path,
    params: &Parameters<f32>,
    meta: &WeightsMeta,
) -> Result<(), TrainError> {
    let mut builder = ArchiveBuilder::new();
    // What other tools look for in a file of tensors in PyTorch's order.
    builder.metadata("format", "pt")?;
    for (key, value) in meta.to_map() {
        builder.metadata(key, value)?;
    }
    for entry in params.state_entries() {
        let write = move |out: &mut [f32]| entry.write(out);
        builder.f32_with(entry.name(), &entry.shape(), entry.len(), write)?;
    }
    Ok(write_atomic_from(fs, path, &builder.sealed()?)?)
}

/// Takes the weights of a file.
///
/// # Errors
/// When it cannot be read, holds something not finite, or does not fit under `mode`.
pub(crate) fn read(
    path: &Path,
    params: &mut Parameters<f32>,
    mode: InitMode,
) -> Result<LoadReport, TrainError> {
    let archive = read_file(path, &Limits::default())?;
    if archive.is_sealed() {
        archive.verify()?;
    }
    archive.check_finite(FinitePolicy::Refuse)?;
    let mut tensors = Vec::new();
    for (name, entry) in archive.iter() {
        // A counter of batches that nothing here reads; it is a whole number.
        if name.ends_with(".num_batches_tracked") {
            continue;
        }
        tensors.push(StateTensor {
            name: name.to_owned(),
            shape: entry.shape.to_vec(),
            data: archive.to_f32(name)?,
        });
    }
    let load_mode = match mode {
        InitMode::Strict => LoadMode::Strict,
        InitMode::Head | InitMode::Partial => LoadMode::Partial,
    };
    let report = params.load_state_dict(tensors, load_mode);
    let report = report.and_then(|report| match mode {
        InitMode::Head if !is_new_head(params, &report.difference) => {
            Err(NnError::StateDict(Box::new(report.difference)))
        }
        _ => Ok(report),
    });
    report.map_err(|error| {
        let hint = match (&error, mode) {
            (NnError::StateDict(_), InitMode::Strict) => {
                "\n  with init-mode head, classifiers may be for other classes; with init-mode \
                 partial, what fits is taken"
            }
            (NnError::StateDict(_), _) => "\n  with init-mode partial, what fits is taken",
            _ => "",
        };
        TrainError::Checkpoint {
            path: path.to_path_buf(),
            message: format!("{error}{hint}"),
        }
    })
}

/// Whether a state dict differs in nothing but the number of classes, and auxiliary heads that
/// it lacks.
fn is_new_head(params: &Parameters<f32>, difference: &StateDictDifference) -> bool {
    let specs = params.specs();
    // The classifier is what the model ends in.
    let last = specs.iter().filter(|(_, s)| !specs.is_aux(&s.name)).last();
    let Some((_, last)) = last else { return false };
    let classes = last.torch_shape()[0];
    let layer = |name: &str| name.rsplit_once('.').map(|(layer, _)| layer.to_owned());
    let classifier = layer(&last.name);
    let only_classes = |m: &Mismatch| {
        (layer(&m.name) == classifier || specs.is_aux(&m.name))
            && m.expected.first() == Some(&classes)
            && m.expected.get(1..) == m.found.get(1..)
    };
    difference.unexpected.is_empty()
        && difference.missing.iter().all(|name| specs.is_aux(name))
        && difference.mismatched.iter().all(only_classes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use inception_nn::{Model, ModelOptions};

    #[test]
    fn a_layer_with_as_many_filters_as_there_are_classes_is_no_head() {
        let options = ModelOptions {
            classes: Some(32),
            ..ModelOptions::default()
        };
        let model = Model::build("inception-small", &options).unwrap();
        let params = Parameters::zeros(&model);
        let of = |name: &str, found: Vec<usize>| {
            let id = params.specs().find(name).unwrap();
            StateDictDifference {
                mismatched: vec![Mismatch {
                    name: name.to_owned(),
                    expected: params.specs().get(id).torch_shape(),
                    found,
                }],
                ..StateDictDifference::default()
            }
        };
        assert!(is_new_head(&params, &of("fc.weight", vec![10, 352])));
        assert!(is_new_head(&params, &of("fc.bias", vec![10])));
        assert!(!is_new_head(&params, &of("fc.weight", vec![10, 351])));
        assert!(!is_new_head(
            &params,
            &of("conv1.conv.weight", vec![33, 1, 3, 3])
        ));
    }
}
