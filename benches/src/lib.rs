//! What the benchmarks share, and the tables of what the paper claims about its modules.
//!
//! Every count is a walk over a recorded graph; the figures that the paper prints are in
//! [`claims::table1`] alone.
#![forbid(unsafe_code)]

pub mod block;
pub mod claims;
pub mod cost;
pub mod forms;
pub mod machine;
pub mod markdown;
pub mod peers;
pub mod record;
pub mod report;
pub mod statistics;
pub mod timing;
pub mod training;

/// The threads that benchmarks use: as many as the environment variable `INCEPTION_THREADS`
/// says, or all cores.
///
/// # Panics
/// When the variable is no number of threads.
pub fn pool() -> inception_tensor::Pool {
    let threads = match std::env::var("INCEPTION_THREADS") {
        Ok(text) => text.parse().expect("INCEPTION_THREADS is a number"),
        Err(_) => inception_tensor::Pool::available(),
    };
    inception_tensor::Pool::new(threads).expect("a pool of that many threads")
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
