//! Tests of this crate in one program: linked once, and generic kernels compiled once.

mod common;
mod drawings;
mod errors;
mod finite_differences;
mod golden_family;
mod golden_modules;
mod golden_networks;
mod layout;
mod parameters;
mod programs;
mod stored;
mod structure;
