//! Files of weights: reading one to begin with, writing the best.

use crate::TrainError;
use inception_nn::{LoadMode, LoadReport, NnError, Parameters, StateTensor, WeightsMeta};
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
    mode: LoadMode,
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
    params.load_state_dict(tensors, mode).map_err(|error| {
        let hint = match error {
            NnError::StateDict(_) => "\n  with init-mode partial, what fits is taken",
            _ => "",
        };
        TrainError::Checkpoint {
            path: path.to_path_buf(),
            message: format!("{error}{hint}"),
        }
    })
}
