//! Tests of this crate in one program: linked once, and generic kernels compiled once.

mod adaptive_avg_pool;
mod avg_pool;
mod batch_norm;
mod common;
mod concat;
mod conv2d;
mod dropout;
mod linear;
mod lrn;
mod max_pool;
mod relu;
mod softmax;
mod stored;
mod stored_gradients;
mod sum;
mod window;
