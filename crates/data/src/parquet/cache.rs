//! Row groups that were read, as many as fit.

use ::parquet::data_type::ByteArray;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The pictures of a row group, none where there is null.
pub(super) type Pictures = Arc<Vec<Option<ByteArray>>>;

/// Those that were used last.
pub(super) struct Cache {
    /// The last used stand last.
    slots: Mutex<Vec<Slot>>,
    most: u64,
}

struct Slot {
    group: usize,
    bytes: u64,
    pictures: Arc<Mutex<Option<Pictures>>>,
}

impl Cache {
    /// Keeps row groups of `most` bytes in all.
    pub(super) fn new(most: u64) -> Self {
        Self {
            slots: Mutex::default(),
            most,
        }
    }

    /// The pictures of `group`, which has `bytes`, from here or from `read`. Whoever asks for
    /// a group that another thread reads waits for it.
    pub(super) fn get<E>(
        &self,
        group: usize,
        bytes: u64,
        read: impl FnOnce() -> Result<Pictures, E>,
    ) -> Result<Pictures, E> {
        let slot = self.slot(group, bytes);
        let mut pictures = lock(&slot);
        if let Some(found) = &*pictures {
            return Ok(found.clone());
        }
        let found = read()?;
        *pictures = Some(found.clone());
        Ok(found)
    }

    /// The place of `group`, which is now the last used.
    fn slot(&self, group: usize, bytes: u64) -> Arc<Mutex<Option<Pictures>>> {
        let mut slots = lock(&self.slots);
        let slot = match slots.iter().position(|slot| slot.group == group) {
            Some(i) => slots.remove(i),
            None => Slot {
                group,
                bytes,
                pictures: Arc::default(),
            },
        };
        let pictures = slot.pictures.clone();
        slots.push(slot);
        let mut kept: u64 = slots.iter().map(|slot| slot.bytes).sum();
        while kept > self.most && slots.len() > 1 {
            kept -= slots.remove(0).bytes;
        }
        pictures
    }

    /// The groups that are kept, for tests.
    #[cfg(test)]
    pub(super) fn groups(&self) -> Vec<usize> {
        lock(&self.slots).iter().map(|slot| slot.group).collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
