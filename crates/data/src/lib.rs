//! Datasets, decoding, augmentation and a loader whose order depends on the seed alone.
#![forbid(unsafe_code)]

mod dataset;
mod error;

pub use dataset::{Dataset, Image, Sample, Split};
pub use error::DataError;
