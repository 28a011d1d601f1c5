#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic
)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "tests may"
    )
)]

mod caffe;
mod cursor;
mod error;
mod onnx;
mod open;
mod torch;
mod wire;

pub use error::{Fault, FormatError};
pub use onnx::{OnnxAttribute, OnnxDim, OnnxModel, OnnxNode, OnnxTensor, OnnxValue};
pub use open::{Contents, Format, parse, read};
