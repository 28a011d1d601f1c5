//! Tests of this crate in one program: linked once, and generic kernels compiled once.

mod augment;
mod cifar;
mod crops;
mod fetch;
mod folder;
mod fuzz_seeds;
mod idx;
mod imagenet;
mod loader;
mod pillow;
mod shapes;
mod spec;
mod stats;
