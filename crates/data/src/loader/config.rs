//! What a loader can be told.

use crate::DataError;

/// In which order an epoch visits the items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// A new random order each epoch.
    #[default]
    Shuffled,
    /// The dataset's order.
    Sequential,
    /// The dataset's [runs](crate::Dataset::runs), which are its shards, in a new random
    /// order each epoch, and the items of `mix` consecutive ones shuffled together: a disk
    /// or network reads a few files at a time, one after another.
    Runs {
        /// How many runs are read at a time; at least 1.
        mix: usize,
    },
}

/// What happens to the items that fill no whole batch at the end of an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LastBatch {
    /// They are a shorter batch.
    #[default]
    Keep,
    /// They are left out, others in each epoch when it is shuffled.
    Drop,
}

/// What happens to an item that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BadImages {
    /// It ends the iteration with an error.
    #[default]
    Fail,
    /// It is left out and counted.
    Skip {
        /// How many in an epoch; one more is an error.
        at_most: u64,
    },
}

/// A place between two batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The epoch, from 0.
    pub epoch: u64,
    /// The batch of that epoch that comes next, from 0; the number of batches in an epoch
    /// stands for the beginning of the next one.
    pub batch: u64,
    /// Items of that epoch that were left out before because they could not be read; they
    /// count towards [`BadImages::Skip`]'s limit.
    pub skipped: u64,
}

/// How batches are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoaderConfig {
    /// Items a batch.
    pub batch_size: usize,
    /// In which order.
    pub order: Order,
    /// What happens to the rest of an epoch.
    pub last_batch: LastBatch,
    /// Threads that read and transform; with 0 the caller's thread does.
    pub workers: usize,
    /// Batches that are read ahead. At least one per worker keeps all of them busy.
    pub prefetch: usize,
    /// Names the order and the augmentation.
    pub seed: u64,
    /// What happens to items that cannot be read.
    pub bad_images: BadImages,
    /// Where to begin.
    pub start: Position,
    /// The epoch to end before; endless when `None`.
    pub epochs: Option<u64>,
}

impl Default for LoaderConfig {
    fn default() -> Self {
        Self {
            batch_size: 32,
            order: Order::default(),
            last_batch: LastBatch::default(),
            workers: 1,
            prefetch: 3,
            seed: 0,
            bad_images: BadImages::default(),
            start: Position::default(),
            epochs: None,
        }
    }
}

impl LoaderConfig {
    /// The most workers, and the most batches ahead.
    const MOST: usize = 1024;

    /// One pass in the dataset's order: for evaluation.
    pub fn evaluation(batch_size: usize) -> Self {
        Self {
            batch_size,
            order: Order::Sequential,
            epochs: Some(1),
            ..Self::default()
        }
    }

    pub(super) fn validate(&self) -> Result<(), DataError> {
        let usage = |message: String| Err(DataError::Usage(message));
        if self.batch_size == 0 {
            return usage("a batch has at least 1 item, found 0".into());
        }
        if self.order == (Order::Runs { mix: 0 }) {
            return usage("shards are read at least 1 at a time, found 0".into());
        }
        if self.workers > Self::MOST {
            return usage(format!(
                "at most {} workers, found {}",
                Self::MOST,
                self.workers
            ));
        }
        if !(1..=Self::MOST).contains(&self.prefetch) {
            return usage(format!(
                "1 to {} batches ahead, found {}",
                Self::MOST,
                self.prefetch
            ));
        }
        Ok(())
    }
}
