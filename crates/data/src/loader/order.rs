//! The order in which an epoch visits the items.

use super::{LoaderConfig, Order};
use crate::Dataset;
use inception_tensor::{Stream, fnv1a};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

const ORDER: u64 = fnv1a(b"data.order");

/// Orders that are kept: batches of two epochs are in work at once, of more only when
/// epochs are shorter than what is read ahead.
const KEPT: usize = 4;

/// Computes each epoch's order once.
pub(super) struct Orders {
    order: Order,
    seed: u64,
    len: usize,
    runs: Vec<Range<usize>>,
    kept: Mutex<Vec<(u64, Arc<[u32]>)>>,
}

impl Orders {
    /// The orders of `dataset`'s items under `config`.
    pub(super) fn new(dataset: &dyn Dataset, config: &LoaderConfig) -> Self {
        let len = dataset.len();
        let mut runs = dataset.runs().to_vec();
        if runs.is_empty() {
            runs.push(0..len);
        }
        Self {
            order: config.order,
            seed: config.seed,
            len,
            runs,
            kept: Mutex::default(),
        }
    }

    /// Items of an epoch.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Appends the items at `places` of epoch `epoch` to `items`.
    pub(super) fn items(&self, epoch: u64, places: Range<usize>, items: &mut Vec<usize>) {
        if self.order == Order::Sequential {
            items.extend(places);
            return;
        }
        let order = self.shuffled(epoch);
        items.extend(places.map(|place| order[place] as usize));
    }

    fn shuffled(&self, epoch: u64) -> Arc<[u32]> {
        // Held while shuffling, so that workers do not shuffle the same epoch twice.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, order)) = kept.iter().find(|(e, _)| *e == epoch) {
            return order.clone();
        }
        let order: Arc<[u32]> = self.shuffle(epoch).into();
        if kept.len() == KEPT {
            let oldest = (0..KEPT).min_by_key(|&i| kept[i].0).expect("some are kept");
            kept.swap_remove(oldest);
        }
        kept.push((epoch, order.clone()));
        order
    }

    fn shuffle(&self, epoch: u64) -> Vec<u32> {
        let mut stream = Stream::new(&[self.seed, ORDER, epoch]);
        let Order::Runs { mix } = self.order else {
            let mut order: Vec<u32> = (0..self.len as u32).collect();
            stream.shuffle(&mut order);
            return order;
        };
        let mut runs = self.runs.clone();
        stream.shuffle(&mut runs);
        let mut order = Vec::with_capacity(self.len);
        for group in runs.chunks(mix) {
            let first = order.len();
            let items = group.iter().cloned().flatten();
            order.extend(items.map(|i| i as u32));
            stream.shuffle(&mut order[first..]);
        }
        order
    }
}
