//! What a dataset is.

use crate::DataError;

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

    /// Where item `i` comes from, for messages and reports: a path, or a file with the
    /// number of the record in it.
    fn origin(&self, i: usize) -> String;

    /// A digest of what the dataset is made of (names, sizes, labels; not every pixel),
    /// which a checkpoint keeps so that a run is not resumed on other data.
    fn fingerprint(&self) -> u64;
}
