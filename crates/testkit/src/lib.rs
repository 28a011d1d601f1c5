#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod compare;
pub mod formula;
pub mod golden;
pub mod imagenet;
pub mod layout;

pub use compare::{Deviation, Tolerance, assert_close};
pub use golden::{Golden, GoldenError, GoldenTensor};
pub use imagenet::{Miniature, Oddity};
