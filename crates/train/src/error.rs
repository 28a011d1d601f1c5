//! What can go wrong while a network is trained.

use inception_autograd::{ExecError, GraphError};
use inception_data::DataError;
use inception_nn::NnError;
use inception_store::StoreError;
use std::fmt;
use std::path::PathBuf;
use thiserror::Error;

/// Why a run could not begin, go on or be resumed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A setting is out of range or does not go with another.
    #[error("{0}")]
    Usage(String),
    /// A model cannot be built, recorded or loaded.
    #[error(transparent)]
    Model(#[from] NnError),
    /// Data cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A file cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The memory of a plan is not to be had.
    #[error(transparent)]
    Memory(#[from] ExecError),
    /// No way of making a step fits the memory budget.
    #[error(
        "memory-budget: the smallest batch needs {least} bytes, {budget} are given; use a \
         smaller input or model, or a larger budget"
    )]
    Budget {
        /// Bytes that may be used.
        budget: u64,
        /// Bytes that the smallest batch needs.
        least: u64,
    },
    /// The operating system refused.
    #[error("{}: cannot {action}: {source}", inception_data::escape_path(.path))]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The state in a checkpoint's file is not what this version writes.
    #[error("{}: {message}", inception_data::escape_path(.path))]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What was expected and found.
        message: String,
    },
    /// A run was begun with other settings or data than it would be resumed with.
    #[error("{0}")]
    Differs(Box<Differences>),
    /// No checkpoint of a folder can be used.
    #[error("{}: no checkpoint can be used{}", inception_data::escape_path(.folder), listed(.reasons))]
    NoCheckpoint {
        /// The folder of the run.
        folder: PathBuf,
        /// Each file, and why it cannot be used.
        reasons: Vec<String>,
    },
    /// Losses or gradients stopped being numbers.
    #[error("{0}")]
    Numeric(Box<Diverged>),
}

/// What sort of problem a [`TrainError`] is; programs turn it into an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The caller asked for the impossible (exit code 2).
    Usage,
    /// A limit was reached (exit code 3).
    Limit,
    /// Input is malformed (exit code 4).
    Malformed,
    /// The operating system refused (exit code 5).
    Io,
    /// Training diverged (exit code 6).
    Numeric,
}

impl ErrorKind {
    /// The status that a command ends with.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Usage => 2,
            Self::Limit => 3,
            Self::Malformed => 4,
            Self::Io => 5,
            Self::Numeric => 6,
        }
    }
}

impl TrainError {
    /// What sort of problem this is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Usage(_) => ErrorKind::Usage,
            Self::Model(error) => match error {
                NnError::StateDict(_)
                | NnError::DuplicateKey { .. }
                | NnError::TensorLength { .. } => ErrorKind::Malformed,
                _ => ErrorKind::Usage,
            },
            Self::Data(error) => match error.kind() {
                inception_data::ErrorKind::Usage => ErrorKind::Usage,
                inception_data::ErrorKind::Limit => ErrorKind::Limit,
                inception_data::ErrorKind::Malformed => ErrorKind::Malformed,
                inception_data::ErrorKind::Io => ErrorKind::Io,
            },
            Self::Store(error) => match error.exit_code() {
                2 => ErrorKind::Usage,
                3 => ErrorKind::Limit,
                4 => ErrorKind::Malformed,
                _ => ErrorKind::Io,
            },
            Self::Memory(_) | Self::Budget { .. } => ErrorKind::Limit,
            Self::Io { .. } => ErrorKind::Io,
            Self::Checkpoint { .. } | Self::Differs(_) | Self::NoCheckpoint { .. } => {
                ErrorKind::Malformed
            }
            Self::Numeric(_) => ErrorKind::Numeric,
        }
    }
}

impl From<GraphError> for TrainError {
    fn from(error: GraphError) -> Self {
        Self::Model(error.into())
    }
}

/// A setting of a run that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its name.
    pub field: String,
    /// Its value in the checkpoint.
    pub saved: String,
    /// Its value now.
    pub given: String,
}

/// Everything in which a run and its checkpoint differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differences {
    /// The checkpoint.
    pub path: PathBuf,
    /// The settings.
    pub fields: Vec<Difference>,
}

impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: the run was begun with other settings or data:",
            inception_data::escape_path(&self.path)
        )?;
        for Difference {
            field,
            saved,
            given,
        } in &self.fields
        {
            write!(f, "\n  {field}: saved {saved}, given {given}")?;
        }
        write!(
            f,
            "\nresume with the saved settings, or force the given ones"
        )
    }
}

/// Losses or gradients that stopped being numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Diverged {
    /// The step, counted from 1.
    pub step: u64,
    /// What was not finite: `loss is NaN`.
    pub what: String,
    /// Path and operator of the first layer that computed something not finite.
    pub layer: Option<String>,
    /// Where the items of the batch come from.
    pub items: Vec<String>,
    /// Gradient norms of the last steps, the latest last.
    pub norms: Vec<f64>,
    /// What was done about earlier ones.
    pub tried: String,
    /// The checkpoint that is kept.
    pub kept: String,
}

/// How many items of a batch a message names.
const ITEMS: usize = 8;

impl fmt::Display for Diverged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {}: {}", self.step, self.what)?;
        if let Some(layer) = &self.layer {
            write!(f, ", first in {layer}")?;
        }
        write!(f, "; {}", self.tried)?;
        let shown = self.items.len().min(ITEMS);
        let more = match self.items.len() - shown {
            0 => String::new(),
            more => format!(", … and {more} more"),
        };
        if shown > 0 {
            write!(f, "\n  batch: {}{more}", self.items[..shown].join(", "))?;
        }
        let norms: Vec<String> = self.norms.iter().map(|n| format!("{n:.3e}")).collect();
        write!(
            f,
            "\n  gradient norms of the last {} steps: {}",
            norms.len(),
            norms.join(" ")
        )?;
        write!(f, "\n  kept: {}", self.kept)?;
        write!(
            f,
            "\n  a lower learning rate, a warm-up or clipping may help"
        )
    }
}

fn listed(reasons: &[String]) -> String {
    reasons.iter().map(|r| format!("\n  {r}")).collect()
}
