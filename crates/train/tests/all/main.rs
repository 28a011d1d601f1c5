//! Tests of this crate in one program: linked once, and generic kernels compiled once.

mod bad_images;
#[path = "../common/mod.rs"]
mod common;
mod fine_tuning;
mod folder;
mod optimizers;
mod precision;
mod resume;
mod run;
