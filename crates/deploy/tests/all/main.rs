//! Tests of this crate in one program: linked once, and generic kernels compiled once.

mod caffe;
mod common;
mod evaluate;
#[cfg(feature = "hub")]
mod hub;
mod onnx;
mod onnx_pad;
mod ranking;
mod weights;
