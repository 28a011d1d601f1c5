//! The order in which an epoch visits the items.

use super::Order;
use inception_tensor::{Stream, fnv1a};
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
    kept: Mutex<Vec<(u64, Arc<[u32]>)>>,
}

impl Orders {
    pub(super) fn new(order: Order, seed: u64, len: usize) -> Self {
        Self {
            order,
            seed,
            len,
            kept: Mutex::default(),
        }
    }

    /// Appends the items at `places` of epoch `epoch` to `items`.
    pub(super) fn items(&self, epoch: u64, places: std::ops::Range<usize>, items: &mut Vec<usize>) {
        match self.order {
            Order::Sequential => items.extend(places),
            Order::Shuffled => {
                let order = self.shuffled(epoch);
                items.extend(order[places].iter().map(|&i| i as usize));
            }
        }
    }

    fn shuffled(&self, epoch: u64) -> Arc<[u32]> {
        // Held while shuffling, so that workers do not shuffle the same epoch twice.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, order)) = kept.iter().find(|(e, _)| *e == epoch) {
            return order.clone();
        }
        let mut order: Vec<u32> = (0..self.len as u32).collect();
        Stream::new(&[self.seed, ORDER, epoch]).shuffle(&mut order);
        let order: Arc<[u32]> = order.into();
        if kept.len() == KEPT {
            let oldest = (0..KEPT).min_by_key(|&i| kept[i].0).expect("some are kept");
            kept.swap_remove(oldest);
        }
        kept.push((epoch, order.clone()));
        order
    }
}
