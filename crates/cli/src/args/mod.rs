//! Flags that several commands share.

mod common;
mod data;
mod model;
mod precision;
mod values;
mod weights;

pub(crate) use common::Common;
pub(crate) use data::{DataArgs, SplitName};
pub(crate) use model::ModelArgs;
pub(crate) use precision::{StoredPrecision, storage};
pub(crate) use values::{ByteSize, InputShape, Numbers, word};
pub(crate) use weights::WeightsArgs;
