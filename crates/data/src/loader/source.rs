//! How one batch is made.

use super::order::Orders;
use super::{BadImages, Batch, LastBatch, LoaderConfig, Position, SkippedItem};
use crate::dataset::read_item;
use crate::error::without_prefix;
use crate::{DataError, Dataset, Transform};
use inception_tensor::{Shape, Stream, fnv1a};
use std::sync::Arc;

const AUGMENT: u64 = fnv1a(b"data.augment");

/// Everything that the content of a batch depends on.
pub(super) struct Source {
    dataset: Arc<dyn Dataset>,
    transform: Arc<dyn Transform>,
    config: LoaderConfig,
    orders: Orders,
    batches_per_epoch: u64,
    image: Shape,
}

impl Source {
    pub(super) fn new(
        dataset: Arc<dyn Dataset>,
        transform: Arc<dyn Transform>,
        config: LoaderConfig,
    ) -> Result<Self, DataError> {
        config.validate()?;
        let orders = Orders::new(dataset.as_ref(), &config);
        let batches_per_epoch = count_batches(orders.len(), &config)?;
        let image = transform.output();
        image
            .checked_len()
            .and_then(|n| n.checked_mul(config.batch_size)?.checked_mul(4))
            .filter(|&bytes| isize::try_from(bytes).is_ok())
            .ok_or_else(|| {
                let size = config.batch_size;
                DataError::Usage(format!("a batch of {size} images of {image} is too large"))
            })?;
        let source = Self {
            orders,
            dataset,
            transform,
            config,
            batches_per_epoch,
            image,
        };
        source.check_start()?;
        Ok(source)
    }

    fn check_start(&self) -> Result<(), DataError> {
        let Position { epoch, batch, .. } = self.config.start;
        if batch > self.batches_per_epoch {
            return Err(DataError::Usage(format!(
                "cannot begin at batch {batch}: an epoch has {}",
                self.batches_per_epoch
            )));
        }
        let fits = |epoch: u64| {
            epoch
                .checked_mul(self.batches_per_epoch)
                .and_then(|n| n.checked_add(self.batches_per_epoch))
        };
        if fits(epoch).is_none() || fits(self.config.epochs.unwrap_or(0)).is_none() {
            return Err(DataError::Usage("epochs are numbered below 2^32".into()));
        }
        Ok(())
    }

    pub(super) fn batches_per_epoch(&self) -> u64 {
        self.batches_per_epoch
    }

    pub(super) fn workers(&self) -> usize {
        self.config.workers
    }

    pub(super) fn prefetch(&self) -> usize {
        self.config.prefetch
    }

    pub(super) fn bad_images(&self) -> BadImages {
        self.config.bad_images
    }

    /// Items that were left out before the start in the epoch that it lies in.
    pub(super) fn skipped_before(&self) -> u64 {
        let start = self.config.start;
        let same_epoch = start.batch < self.batches_per_epoch;
        if same_epoch { start.skipped } else { 0 }
    }

    /// Number of the first batch, counted from epoch 0.
    pub(super) fn first_batch(&self) -> u64 {
        self.config.start.epoch * self.batches_per_epoch + self.config.start.batch
    }

    /// Number of the batch after the last.
    pub(super) fn end(&self) -> u64 {
        self.config
            .epochs
            .map_or(u64::MAX, |epochs| epochs * self.batches_per_epoch)
    }

    pub(super) fn position(&self, number: u64) -> Position {
        Position {
            epoch: number / self.batches_per_epoch,
            batch: number % self.batches_per_epoch,
            skipped: 0,
        }
    }

    /// Makes batch `number` in the memory of `batch`.
    pub(super) fn fill(&self, number: u64, batch: &mut Batch) -> Result<(), DataError> {
        let position = self.position(number);
        batch.epoch = position.epoch;
        batch.index_in_epoch = position.batch;
        batch.image = Some(self.image);
        let start = position.batch as usize * self.config.batch_size;
        let places = start..(start + self.config.batch_size).min(self.orders.len());
        let size = self.image.len();
        batch.images.resize(places.len() * size, 0.0);
        batch.items.clear();
        batch.labels.clear();
        self.orders.items(position.epoch, places, &mut batch.items);
        // Items that can be read move up; `kept` is where the next one goes.
        let mut kept = 0;
        for i in 0..batch.items.len() {
            let item = batch.items[i];
            let out = &mut batch.images[kept * size..][..size];
            match self.read(position.epoch, item, out) {
                Ok(label) => {
                    batch.labels.push(label);
                    batch.items[kept] = item;
                    kept += 1;
                }
                Err(error) if self.config.bad_images == BadImages::Fail => return Err(error),
                Err(error) => batch.skipped.push(skip(position.epoch, error)),
            }
        }
        batch.items.truncate(kept);
        batch.images.truncate(kept * size);
        Ok(())
    }

    /// Reads `item` into `out`; its label is returned.
    fn read(&self, epoch: u64, item: usize, out: &mut [f32]) -> Result<u32, DataError> {
        read_item(self.dataset.as_ref(), item, || {
            let sample = self.dataset.get(item)?;
            let key = [self.config.seed, AUGMENT, epoch, item as u64];
            let mut stream = Stream::new(&key);
            self.transform.apply(&sample.image, &mut stream, out)?;
            Ok(sample.label)
        })
    }
}

/// Batches that an epoch of `len` items has.
fn count_batches(len: usize, config: &LoaderConfig) -> Result<u64, DataError> {
    let size = config.batch_size;
    if len == 0 {
        return Err(DataError::Usage("the data set has no items".into()));
    }
    if u32::try_from(len).is_err() {
        let message = format!("a data set has at most {} items, found {len}", u32::MAX);
        return Err(DataError::Usage(message));
    }
    match config.last_batch {
        LastBatch::Keep => Ok(len.div_ceil(size) as u64),
        LastBatch::Drop if len < size => Err(DataError::Usage(format!(
            "the data set has {len} items, fewer than one batch of {size}, and shorter \
             batches are dropped: use a smaller batch"
        ))),
        LastBatch::Drop => Ok((len / size) as u64),
    }
}

/// The record of an item that is left out.
fn skip(epoch: u64, error: DataError) -> (SkippedItem, DataError) {
    let (item, origin, reason) = match &error {
        DataError::Item {
            item,
            origin,
            source,
        } => (*item, origin.clone(), without_prefix(source, origin)),
        other => unreachable!("reading gives item errors, found {other}"),
    };
    let skipped = SkippedItem {
        epoch,
        item,
        origin,
        reason,
    };
    (skipped, error)
}
