//! Storage, views, GEMM, thread pool, arena and counter-based random numbers: what
//! numeric kernels stand on.
//!
//! This crate knows no operator: a feature map is a [`View`] of `[n, h, w, c]`, and
//! everything a kernel needs beyond that (products, a fixed split of rows over threads,
//! scratch memory) is here, for `f32` and `f64` alike.
//!
//! Two rules make results reproducible bit for bit. Every sum is taken in an order that depends
//! on shapes alone, never on the number of threads, whose only influence is how many whole sums
//! a task of some products has. Random numbers come from a key and a counter
//! ([`Stream`]), never from a thread.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod arena;
mod batch;
mod boxes;
mod calibration;
mod dot;
mod element;
mod gemm;
mod kernel;
mod lanes;
mod outer;
mod pack;
mod pages;
mod pool;
mod random;
mod rows;
mod scratch;
mod shape;
mod stored;
mod tensor;
mod view;

pub use arena::{Arena, ArenaError, Region, Slots};
pub use batch::{Batch, multiply_batch};
pub use boxes::BoxMut;
pub use calibration::Calibration;
pub use dot::{
    DotBank, DotMap, DotRows, dot_rows, pack_pixels, pack_words, packed_words, transpose_pixels,
};
pub use element::Element;
pub use gemm::{Accumulate, Epilogue, Operand, gemm};
pub use kernel::{Kernel, KernelError, LANES, PANEL, Vectorize};
pub use lanes::{LaneMap, Lanes, WithLanes};
pub use outer::{Terms, multiply_outer};
pub use pack::{pack, packed_len};
pub use pool::{Pool, PoolError};
pub use random::{Stream, fnv1a};
pub use rows::{BORDER, Bank, Locate, PADDING, Rows, multiply_matrix, multiply_rows};
pub use scratch::with_scratch;
pub use shape::Shape;
pub use stored::{Bf16, DotKind, Kept, Stored};
pub use tensor::Tensor;
pub use view::{View, ViewMut};
