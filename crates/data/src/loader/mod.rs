//! Batches, read ahead of their use by worker threads.

mod batch;
mod config;
mod order;
mod queue;
mod source;

pub use batch::{Batch, SkippedItem};
pub use config::{BadImages, LastBatch, LoaderConfig, Order, Position};

use crate::{DataError, Dataset, Transform};
use queue::Queue;
use source::Source;
use std::sync::Arc;
use std::thread::JoinHandle;

/// What a [`Loader`] left out so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SkipReport {
    /// In the current epoch, those before [`LoaderConfig::start`] included.
    pub this_epoch: u64,
    /// By this loader in all.
    pub total: u64,
    /// The first [`SkipReport::EXAMPLES`] items.
    pub examples: Vec<SkippedItem>,
}

impl SkipReport {
    /// The most items that are kept by name.
    pub const EXAMPLES: usize = 100;
}

/// An iterator over batches of a dataset, epoch after epoch.
///
/// - **Order.** Epoch `e` visits the items in an order that depends on the seed and `e`
///   alone. Batches come out in that order, with the same content, whatever the number of
///   workers; each item's augmentation depends on the seed, the epoch and the item alone.
/// - **Resume.** A loader may begin at any [`Position`]: it yields exactly what a loader
///   from the beginning yields from there on.
/// - **Memory.** At most [`LoaderConfig::prefetch`] batches exist beside those that the
///   caller holds. A batch that is dropped gives its memory back to the loader, so a steady
///   run allocates no batch.
/// - **Bad items.** With [`BadImages::Fail`] the first item that cannot be read ends the
///   iteration with an error that names it. With [`BadImages::Skip`] it is left out: its
///   batch is one shorter (a batch that would be empty is passed over), no other item moves
///   or is used twice, and [`Loader::skipped`] counts and names it. A panic while an item is
///   read is an error of that item.
///
/// After an error the iteration is over. Dropping a loader ends its threads.
pub struct Loader {
    source: Arc<Source>,
    queue: Arc<Queue>,
    workers: Vec<JoinHandle<()>>,
    /// Number of the next batch, counted from the first epoch's first.
    next: u64,
    skipped: SkipReport,
    skip_epoch: u64,
    failed: bool,
}

impl Loader {
    /// A loader of `dataset` through `transform`.
    ///
    /// # Errors
    /// When the dataset is empty or holds less than one batch and short ones are dropped,
    /// when a number in `config` is out of range, or when a thread cannot be started.
    pub fn new(
        dataset: Arc<dyn Dataset>,
        transform: Arc<dyn Transform>,
        config: LoaderConfig,
    ) -> Result<Self, DataError> {
        let source = Arc::new(Source::new(dataset, transform, config)?);
        let first = source.first_batch();
        let queue = Arc::new(Queue::new(first, source.end(), source.prefetch()));
        let mut loader = Self {
            skip_epoch: source.position(first).epoch,
            workers: Vec::new(),
            next: first,
            skipped: SkipReport {
                this_epoch: source.skipped_before(),
                ..SkipReport::default()
            },
            failed: false,
            queue,
            source,
        };
        for i in 0..loader.source.workers() {
            let (source, queue) = (loader.source.clone(), loader.queue.clone());
            let worker = std::thread::Builder::new()
                .name(format!("loader-{i}"))
                .spawn(move || queue.work(|number, batch| source.fill(number, batch)));
            match worker {
                Ok(handle) => loader.workers.push(handle),
                Err(e) => return Err(DataError::io("loader thread".as_ref(), e)),
            }
        }
        Ok(loader)
    }

    /// Batches an epoch has.
    pub fn batches_per_epoch(&self) -> u64 {
        self.source.batches_per_epoch()
    }

    /// Where the next batch begins; a loader that starts there goes on exactly. After an
    /// error it is the batch that could not be made.
    pub fn position(&self) -> Position {
        let mut position = self.source.position(self.next);
        if position.epoch == self.skip_epoch {
            position.skipped = self.skipped.this_epoch;
        }
        position
    }

    /// What was left out so far.
    pub fn skipped(&self) -> &SkipReport {
        &self.skipped
    }

    /// Batch `number`, from a worker or made here.
    fn fetch(&self, number: u64) -> Result<Batch, DataError> {
        if self.workers.is_empty() {
            let mut batch = self.queue.spare();
            let result = self.source.fill(number, &mut batch);
            return result.map(|()| batch);
        }
        self.queue.take(number)
    }

    /// Enters the items that `batch` left out into the report.
    fn count_skipped(&mut self, batch: &mut Batch) -> Result<(), DataError> {
        if batch.epoch != self.skip_epoch {
            self.skip_epoch = batch.epoch;
            self.skipped.this_epoch = 0;
        }
        for (skipped, error) in batch.take_skipped() {
            self.skipped.this_epoch += 1;
            self.skipped.total += 1;
            if self.skipped.examples.len() < SkipReport::EXAMPLES {
                self.skipped.examples.push(skipped);
            }
            if let BadImages::Skip { at_most } = self.source.bad_images()
                && self.skipped.this_epoch > at_most
            {
                return Err(DataError::TooManyBad {
                    skipped: self.skipped.this_epoch,
                    at_most,
                    source: Box::new(error),
                });
            }
        }
        Ok(())
    }
}

impl Iterator for Loader {
    type Item = Result<Batch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.failed && self.next < self.source.end() {
            let result = self.fetch(self.next).and_then(|mut batch| {
                self.count_skipped(&mut batch)?;
                Ok(batch)
            });
            match result {
                Ok(batch) => {
                    self.next += 1;
                    if !batch.is_empty() {
                        return Some(Ok(batch));
                    }
                }
                Err(error) => {
                    self.failed = true;
                    self.queue.stop();
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.queue.stop();
        for worker in self.workers.drain(..) {
            // A worker's panic was reported as an error of its batch.
            let _ = worker.join();
        }
    }
}
