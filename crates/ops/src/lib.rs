//! Every operator as a forward and a backward function beside a naive reference.
//!
//! Functions take borrowed channels-last maps ([`inception_tensor::View`]), write into
//! buffers of the caller, allocate nothing, and know neither graphs nor parameters. What a
//! function needs beyond its operands is asked for as a workspace, whose size a sibling
//! function tells from shapes. Shapes are checked by each operator's `shape` function, which
//! returns an error; the kernels themselves assert.
#![forbid(unsafe_code)]

mod activation;
mod average;
mod column_sums;
mod error;
mod pooling;
mod tile;
mod window;

pub mod adaptive_avg_pool;
pub mod avg_pool;
pub mod batch_norm;
pub mod concat;
pub mod conv2d;
pub mod dropout;
pub mod linear;
pub mod lrn;
pub mod max_pool;
pub mod relu;
pub mod softmax;
pub mod stored;
pub mod sum;

pub use activation::Activation;
pub use error::OpError;
pub use window::{PadCount, Rounding, Window};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
