//! What a dataset is.

use crate::decode::panic_message;
use crate::{DataError, DecodeNote};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A decoded picture: `height` rows of `width` pixels of `channels` bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Pixels a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Bytes a pixel: 1 for grey, 3 for RGB.
    pub channels: usize,
    /// `height·width·channels` bytes, row after row.
    pub pixels: Vec<u8>,
}

/// One item of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The picture.
    pub image: Image,
    /// Index into [`Dataset::classes`].
    pub label: u32,
}

/// An item and what is odd about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// The item.
    pub sample: Sample,
    /// What is odd.
    pub notes: Vec<DecodeNote>,
}

/// Which part of a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Split {
    /// What the weights are fitted to.
    Train,
    /// What choices are made by.
    Val,
    /// What is reported.
    Test,
}

/// Labelled pictures, by index.
///
/// Reading item `i` is a pure function of the dataset and `i`: any thread may read any
/// item in any order.
pub trait Dataset: Send + Sync {
    /// How many items.
    fn len(&self) -> usize;

    /// Whether there is no item.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Names of the classes, by label.
    fn classes(&self) -> &[String];

    /// What the classes are in words, by label; empty where the names say it already.
    fn titles(&self) -> &[String] {
        &[]
    }

    /// Runs of items that lie behind one another on disk, in one shard or archive; empty
    /// where any order reads equally fast.
    fn runs(&self) -> &[Range<usize>] {
        &[]
    }

    /// The label of item `i`, without decoding it.
    ///
    /// # Panics
    /// When `i` is out of range.
    fn label(&self, i: usize) -> u32;

    /// Item `i`, decoded.
    ///
    /// # Errors
    /// When it cannot be read or decoded; the error names its [origin](Dataset::origin).
    ///
    /// # Panics
    /// When `i` is out of range.
    fn get(&self, i: usize) -> Result<Sample, DataError>;

    /// Reads item `i` and tells what is odd about it though it can be used.
    ///
    /// # Errors
    /// As [`Dataset::get`].
    ///
    /// # Panics
    /// When `i` is out of range.
    fn inspect(&self, i: usize) -> Result<Inspection, DataError> {
        self.get(i).map(|sample| Inspection {
            sample,
            notes: Vec::new(),
        })
    }

    /// Where item `i` comes from, for messages and reports: a path, or a file with the
    /// number of the record in it.
    fn origin(&self, i: usize) -> String;

    /// A digest of what the dataset is made of (names, sizes, labels; not every pixel),
    /// which a checkpoint keeps so that a run is not resumed on other data.
    fn fingerprint(&self) -> u64;
}

/// Runs `read`, which reads `item` of `dataset`; an error or panic becomes an error that
/// names item and origin.
pub(crate) fn read_item<T>(
    dataset: &dyn Dataset,
    item: usize,
    read: impl FnOnce() -> Result<T, DataError>,
) -> Result<T, DataError> {
    // A dataset that panics may do so again when it is asked for a name.
    let origin = || {
        catch_unwind(AssertUnwindSafe(|| dataset.origin(item)))
            .unwrap_or_else(|_| format!("item {item}"))
    };
    let result = catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|panic| {
        Err(DataError::Panicked {
            origin: origin(),
            message: panic_message(panic.as_ref()),
        })
    });
    result.map_err(|source| DataError::Item {
        item,
        origin: origin(),
        source: Box::new(source),
    })
}
