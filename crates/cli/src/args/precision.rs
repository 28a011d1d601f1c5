//! In how many bits maps are kept.

use crate::exit::usage;
use anyhow::Result;
use clap::ValueEnum;
use inception_autograd::Storage;
use inception_data::escape_path;
use inception_deploy::Weights;
use std::path::Path;

/// Precision of commands that use a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StoredPrecision {
    /// Numbers of 32 bits
    F32,
    /// Maps and weights in 16 bits, sums in 32
    Bf16,
    /// Maps and weights in 8 bits, for files that `convert --calibrate` wrote
    Int8,
}

/// How the maps of a network from `file` are kept: as asked for, else as bytes where the file
/// is calibrated for them.
pub(crate) fn storage(
    asked: Option<StoredPrecision>,
    weights: &Weights,
    file: &Path,
) -> Result<Storage> {
    match asked {
        Some(StoredPrecision::F32) => Ok(Storage::Real),
        Some(StoredPrecision::Bf16) => Ok(Storage::Bf16),
        Some(StoredPrecision::Int8) => weights.int8().ok_or_else(|| {
            usage(format!(
                "{} says nothing of the ranges of its values; calibrate it first: \
                 inception convert --weights FILE --precision int8 --calibrate DATA --out FILE",
                escape_path(file)
            ))
        }),
        None => Ok(weights.int8().unwrap_or_default()),
    }
}
