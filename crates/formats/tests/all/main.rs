//! Tests of this crate in one program: linked once, and generic kernels compiled once.

mod common;
mod mutate;
mod onnx;
mod torch;
