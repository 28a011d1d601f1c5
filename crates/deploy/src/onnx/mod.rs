//! ONNX graphs in and out.
//!
//! Coming in, nodes are recorded as our operators. Going out, our operators
//! are written as nodes: [`export()`]. Neither knows a model; both walk a graph.

mod export;
mod import;
mod network;

pub use export::{ExportOptions, FoldBatchNorm, Head, InputScale, export};
pub use import::ImportError;
pub(crate) use import::import;
