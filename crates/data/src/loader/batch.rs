//! A batch, and where its memory goes.

use crate::DataError;
use inception_tensor::Shape;
use std::mem::take;
use std::sync::{Arc, Mutex, PoisonError};

/// An item that was left out because it could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedItem {
    /// The epoch.
    pub epoch: u64,
    /// The item.
    pub item: usize,
    /// Where it comes from.
    pub origin: String,
    /// Why it could not be read.
    pub reason: String,
}

/// Images and labels.
///
/// Dropping it gives its memory back to the [`Loader`](crate::Loader) for another batch.
#[derive(Debug, Default)]
pub struct Batch {
    /// The epoch, from 0.
    pub epoch: u64,
    /// Which batch of the epoch, from 0.
    pub index_in_epoch: u64,
    /// `[n, h, w, c]` normalised numbers.
    pub images: Vec<f32>,
    /// The `n` labels.
    pub labels: Vec<u32>,
    /// Which `n` items of the dataset these are.
    pub items: Vec<usize>,
    /// Views, height, width and channels of one image.
    pub(super) image: Option<Shape>,
    pub(super) skipped: Vec<(SkippedItem, DataError)>,
    home: Option<Arc<Spares>>,
}

impl Batch {
    /// How many images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// `[n, h, w, c]`, `n` times the views of each image where there are several.
    pub fn shape(&self) -> Shape {
        let image = self.image.unwrap_or(Shape::new(0, 0, 0, 0));
        Shape::new(self.len() * image.n, image.h, image.w, image.c)
    }

    pub(super) fn take_skipped(&mut self) -> Vec<(SkippedItem, DataError)> {
        take(&mut self.skipped)
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        if let Some(home) = self.home.take() {
            home.put(Memory {
                images: take(&mut self.images),
                labels: take(&mut self.labels),
                items: take(&mut self.items),
            });
        }
    }
}

/// The vectors of a batch.
struct Memory {
    images: Vec<f32>,
    labels: Vec<u32>,
    items: Vec<usize>,
}

/// Memory of batches that are no longer used.
#[derive(Default)]
pub(super) struct Spares {
    memory: Mutex<Vec<Memory>>,
    most: usize,
}

impl std::fmt::Debug for Spares {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Spares")
    }
}

impl Spares {
    /// Keeps up to `most` batches' memory.
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            memory: Mutex::default(),
            most,
        })
    }

    /// A batch without content, in used memory where there is some.
    pub(super) fn batch(self: &Arc<Self>) -> Batch {
        let mut batch = Batch::default();
        if let Some(memory) = self.lock().pop() {
            batch.images = memory.images;
            batch.labels = memory.labels;
            batch.items = memory.items;
        }
        batch.home = Some(self.clone());
        batch
    }

    fn put(&self, memory: Memory) {
        let mut spares = self.lock();
        if spares.len() < self.most {
            spares.push(memory);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Memory>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
