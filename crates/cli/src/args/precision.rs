//! In how many bits maps are kept.

use clap::ValueEnum;
use inception_autograd::Storage;

/// Precision of commands that use a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum StoredPrecision {
    #[default]
    F32,
    Bf16,
}

impl StoredPrecision {
    pub(crate) fn storage(self) -> Storage {
        match self {
            Self::F32 => Storage::Real,
            Self::Bf16 => Storage::Bf16,
        }
    }
}
