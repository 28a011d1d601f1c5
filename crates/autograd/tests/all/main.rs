//! Tests of this crate in one program: linked once, and generic kernels compiled once.

mod common;
mod executor;
mod gradients;
mod passes;
