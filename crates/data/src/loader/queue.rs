//! The bounded queue between workers and the caller.

use super::Batch;
use super::batch::Spares;
use crate::DataError;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Batches in work and done. Workers claim numbers in order and may finish in any; the
/// caller takes them in order.
pub(super) struct Queue {
    state: Mutex<State>,
    /// Signalled when a batch is done or everything stops.
    done: Condvar,
    /// Signalled when a batch is taken or everything stops.
    room: Condvar,
    end: u64,
    depth: u64,
    spares: Arc<Spares>,
}

struct State {
    /// The next number to claim.
    next: u64,
    /// The next number to be taken.
    taken: u64,
    finished: BTreeMap<u64, Result<Batch, DataError>>,
    stopped: bool,
}

impl Queue {
    /// A queue for batches `first..end`, at most `depth` of them claimed and not taken.
    pub(super) fn new(first: u64, end: u64, depth: usize) -> Self {
        Self {
            state: Mutex::new(State {
                next: first,
                taken: first,
                finished: BTreeMap::new(),
                stopped: false,
            }),
            done: Condvar::new(),
            room: Condvar::new(),
            end,
            depth: depth as u64,
            // One more than in the queue: the one that the caller works with.
            spares: Spares::new(depth + 1),
        }
    }

    /// An empty batch.
    pub(super) fn spare(&self) -> Batch {
        self.spares.batch()
    }

    /// A worker's life: makes batch after batch until there are no more or all stops.
    pub(super) fn work(&self, fill: impl Fn(u64, &mut Batch) -> Result<(), DataError>) {
        while let Some(number) = self.claim() {
            let mut batch = self.spare();
            let filled = catch_unwind(AssertUnwindSafe(|| fill(number, &mut batch)));
            let result = match filled {
                Ok(Ok(())) => Ok(batch),
                Ok(Err(error)) => Err(error),
                Err(panic) => Err(DataError::Panicked {
                    origin: format!("batch {number}"),
                    message: crate::decode::panic_message(panic.as_ref()),
                }),
            };
            let mut state = self.lock();
            state.finished.insert(number, result);
            self.done.notify_all();
        }
    }

    /// The next number to work on; waits for room.
    fn claim(&self) -> Option<u64> {
        let mut state = self.lock();
        loop {
            if state.stopped || state.next >= self.end {
                return None;
            }
            if state.next < state.taken + self.depth {
                state.next += 1;
                return Some(state.next - 1);
            }
            state = wait(&self.room, state);
        }
    }

    /// Batch `number`, which must be the next in order; waits until it is done.
    pub(super) fn take(&self, number: u64) -> Result<Batch, DataError> {
        let mut state = self.lock();
        assert_eq!(number, state.taken, "batches are taken in order");
        loop {
            if let Some(result) = state.finished.remove(&number) {
                state.taken += 1;
                self.room.notify_all();
                return result;
            }
            state = wait(&self.done, state);
        }
    }

    /// Tells the workers to end after the batch in hand.
    pub(super) fn stop(&self) {
        let mut state = self.lock();
        state.stopped = true;
        self.room.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wait<'a>(condition: &Condvar, guard: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
    condition
        .wait(guard)
        .unwrap_or_else(PoisonError::into_inner)
}
