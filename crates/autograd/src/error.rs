//! What can go wrong while a graph is recorded or run.

use inception_ops::OpError;
use inception_tensor::{ArenaError, Shape};
use thiserror::Error;

/// Why a graph cannot be recorded or differentiated.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GraphError {
    /// An operator refuses its operands.
    #[error("{path}: {source}")]
    Operator {
        /// Path of the module that recorded it.
        path: String,
        /// The operator, the shapes, and what was expected.
        source: OpError,
    },
    /// A gradient was asked for through an operator that has none.
    #[error("{path}: {op} cannot be differentiated")]
    NotDifferentiable {
        /// Path of the module that recorded it.
        path: String,
        /// The operator.
        op: &'static str,
    },
    /// Only a scalar can be differentiated.
    #[error("a loss is a single number, found {shape}")]
    LossShape {
        /// What was given.
        shape: Shape,
    },
}

/// Why a plan cannot be run.
#[derive(Debug, Error)]
pub enum ExecError {
    /// The plan's memory is not to be had.
    #[error(transparent)]
    Memory(#[from] ArenaError),
}
