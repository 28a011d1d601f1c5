//! Tests of this crate in one program: linked once, and generic kernels compiled once.

mod common;
mod convert;
mod data;
mod eval_predict;
mod faults;
mod features;
#[cfg(feature = "hub")]
mod hub;
mod imagenet;
mod measure;
mod readme;
mod texts;
mod train;
