//! Tests of this crate in one program: linked once, and generic kernels compiled once.

mod atomic;
mod common;
mod malformed;
mod mutate;
mod reading;
mod roundtrip;
mod seal;
