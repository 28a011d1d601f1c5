//! What can go wrong between a file of weights and a prediction.

use crate::onnx::ImportError;
use inception_autograd::ExecError;
use inception_data::{DataError, ErrorKind, escape_path};
use inception_formats::FormatError;
use inception_nn::{MetaError, NnError};
use inception_store::StoreError;
use std::path::PathBuf;
use thiserror::Error;

/// Why weights cannot be loaded or used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DeployError {
    /// The file is damaged, above a limit, or cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file of another tool is damaged, not supported, above a limit, or cannot be read.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// A file of a hub cannot be had.
    #[cfg(feature = "hub")]
    #[error(transparent)]
    Hub(#[from] crate::hub::HubError),
    /// The graph in a file cannot become a model.
    #[error("{}: {source}", escape_path(.path))]
    Import {
        /// The file.
        path: PathBuf,
        /// Which node, and why.
        source: ImportError,
    },
    /// An image or a dataset cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The model that the caller asks for cannot be built or run.
    #[error(transparent)]
    Model(#[from] NnError),
    /// What the file says about itself is malformed.
    #[error("{}: {source}", escape_path(.path))]
    Meta {
        /// The file.
        path: PathBuf,
        /// Which key, and why.
        source: MetaError,
    },
    /// What the file says about itself contradicts this program or itself.
    #[error("{}: {message}", escape_path(.path))]
    Description {
        /// The file.
        path: PathBuf,
        /// What was expected, and found.
        message: String,
    },
    /// The tensors are not those of the model.
    #[error("{}: not the weights of {model}: {source}{}", escape_path(.path), hint(.source))]
    Misfit {
        /// The file.
        path: PathBuf,
        /// The model.
        model: &'static str,
        /// Which tensors.
        source: NnError,
    },
    /// The model is larger than allowed.
    #[error(
        "{}: {model} has {found} numbers, at most {allowed} are allowed",
        escape_path(.path)
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The model.
        model: &'static str,
        /// How many numbers its parameters have.
        found: u64,
        /// How many are allowed.
        allowed: u64,
    },
    /// There is not enough memory for a plan.
    #[error("a batch of {batch_size} does not fit into memory: {source}; use a smaller batch")]
    Memory {
        /// Images in the batch.
        batch_size: usize,
        /// What was asked for.
        source: ExecError,
    },
    /// The caller asked for something that does not exist or does not fit together.
    #[error("{0}")]
    Usage(String),
}

impl DeployError {
    /// The exit status for a command that fails with this error: 2 usage, 3 limit,
    /// 4 malformed input, 5 input and output.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Store(error) => error.exit_code(),
            Self::Format(error) => error.exit_code(),
            #[cfg(feature = "hub")]
            Self::Hub(error) => error.exit_code(),
            Self::Import { source, .. } => match source {
                ImportError::TooLarge { .. } => 3,
                _ => 4,
            },
            Self::Data(error) => match error.kind() {
                ErrorKind::Usage => 2,
                ErrorKind::Limit => 3,
                ErrorKind::Malformed => 4,
                ErrorKind::Io => 5,
            },
            Self::Model(_) | Self::Usage(_) => 2,
            Self::TooLarge { .. } | Self::Memory { .. } => 3,
            Self::Meta { .. } | Self::Description { .. } | Self::Misfit { .. } => 4,
        }
    }
}

/// What helps where tensors are missing or of another shape.
fn hint(error: &NnError) -> &'static str {
    match error {
        NnError::StateDict(_) => "\n  to load only what fits: --allow-partial",
        _ => "",
    }
}
