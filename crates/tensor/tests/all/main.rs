//! Tests of this crate in one program: linked once, and generic kernels compiled once.

mod dot;
mod kernels;
mod lanes;
mod pool;
mod subnormal;
