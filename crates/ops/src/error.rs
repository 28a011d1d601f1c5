//! What can be wrong with an operator's operands.

use thiserror::Error;

/// Why an operator cannot be applied. The operator's name and what it was given are in the
/// message; the graph adds the path of the module.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OpError {
    /// Operand shapes do not fit each other or the operator.
    #[error("{op}: {detail}")]
    Shape {
        /// The operator.
        op: &'static str,
        /// Both shapes, and what was expected.
        detail: String,
    },
    /// A setting is out of range.
    #[error("{op}: {detail}")]
    Setting {
        /// The operator.
        op: &'static str,
        /// The setting, its value and its range.
        detail: String,
    },
}
