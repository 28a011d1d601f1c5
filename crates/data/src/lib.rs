//! Datasets, decoding, augmentation and a loader whose order depends on the seed alone.
#![forbid(unsafe_code)]

mod dataset;
mod decode;
mod digest;
mod error;
mod escape;
mod report;
pub mod shapes;

pub use dataset::{Dataset, Image, Sample, Split};
pub use decode::{
    DecodeFailure, DecodeLimits, DecodeNote, DecodeOptions, Decoded, ExifOrientation, Format,
    decode, read_image,
};
pub use error::{DataError, ErrorKind};
pub use escape::{escape, escape_path};
pub use report::{Notice, Report, Tally};
