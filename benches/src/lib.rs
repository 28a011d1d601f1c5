//! What the benchmarks share, and the tables of what the paper claims about its modules.
//!
//! Every count is a walk over a recorded graph; the figures that the paper prints are in
//! [`claims::table1`] alone.
#![forbid(unsafe_code)]

pub mod block;
pub mod claims;
pub mod cost;
pub mod forms;
pub mod markdown;
pub mod report;
pub mod timing;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
