//! The thread pool, and ways to split work that do not change results.

use crate::{Kernel, KernelError, ViewMut};
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};
use rayon::slice::ParallelSliceMut;
use std::sync::Arc;
use thiserror::Error;

/// Why a pool could not be made.
#[derive(Debug, Error)]
pub enum PoolError {
    /// The number asked for is out of range.
    #[error("a pool has 1 to {max} threads, found {found}", max = Pool::MAX_THREADS)]
    Threads {
        /// The number asked for.
        found: usize,
    },
    /// The operating system refused a thread.
    #[error("cannot start {threads} threads: {source}")]
    Start {
        /// The number asked for.
        threads: usize,
        /// What the operating system said.
        source: rayon::ThreadPoolBuildError,
    },
}

/// Worker threads for kernels.
///
/// Every method cuts its work into tiles whose size the caller derives from shapes alone;
/// a tile writes only what it owns. So results do not depend on the number of threads.
#[derive(Clone)]
pub struct Pool {
    /// `None` runs on the calling thread.
    workers: Option<Arc<rayon::ThreadPool>>,
    kernel: Kernel,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pool({} threads)", self.threads())
    }
}

impl Pool {
    /// The most threads that a pool may have.
    pub const MAX_THREADS: usize = 1024;

    /// A pool of `threads` workers; with 1, work runs on the calling thread.
    ///
    /// # Errors
    /// When `threads` is 0 or above [`Pool::MAX_THREADS`], or a thread cannot be started.
    pub fn new(threads: usize) -> Result<Self, PoolError> {
        match threads {
            1 => Ok(Self::serial()),
            2..=Self::MAX_THREADS => {
                let workers = rayon::ThreadPoolBuilder::new()
                    .num_threads(threads)
                    .thread_name(|i| format!("kernel-{i}"))
                    .build()
                    .map_err(|source| PoolError::Start { threads, source })?;
                Ok(Self {
                    workers: Some(Arc::new(workers)),
                    kernel: Kernel::active(),
                })
            }
            found => Err(PoolError::Threads { found }),
        }
    }

    /// No workers: everything runs on the calling thread.
    pub fn serial() -> Self {
        Self {
            workers: None,
            kernel: Kernel::active(),
        }
    }

    /// The same threads with other micro-kernels.
    ///
    /// # Errors
    /// When the processor lacks the instructions.
    pub fn with_kernel(self, kernel: Kernel) -> Result<Self, KernelError> {
        kernel.require()?;
        Ok(Self { kernel, ..self })
    }

    /// The same micro-kernels without other threads, for use inside a task.
    pub fn on_this_thread(&self) -> Self {
        Self {
            workers: None,
            kernel: self.kernel,
        }
    }

    /// The micro-kernels that products use.
    pub fn kernel(&self) -> Kernel {
        self.kernel
    }

    /// As many threads as this process may use cores.
    pub fn available() -> usize {
        std::thread::available_parallelism().map_or(1, |n| n.get().min(Self::MAX_THREADS))
    }

    /// How many threads work at once.
    pub fn threads(&self) -> usize {
        self.workers.as_ref().map_or(1, |w| w.current_num_threads())
    }

    /// Runs `f` on a worker, so that the parallel calls inside it stay in this pool without
    /// crossing threads again. An executor wraps a whole plan in it.
    pub fn install<R: Send>(&self, f: impl FnOnce() -> R + Send) -> R {
        match &self.workers {
            Some(workers) => workers.install(f),
            None => f(),
        }
    }

    /// Calls `f(i)` for every tile `i` in `0..tiles`.
    pub fn for_each(&self, tiles: usize, f: impl Fn(usize) + Send + Sync) {
        match &self.workers {
            Some(workers) if tiles > 1 => {
                workers.install(|| (0..tiles).into_par_iter().with_max_len(1).for_each(f));
            }
            _ => (0..tiles).for_each(f),
        }
    }

    /// Calls `f(i, chunk)` for consecutive chunks of `len` numbers of `data`, the last one
    /// possibly shorter.
    ///
    /// # Panics
    /// When `len` is 0.
    pub fn for_each_chunk<T: Send>(
        &self,
        data: &mut [T],
        len: usize,
        f: impl Fn(usize, &mut [T]) + Send + Sync,
    ) {
        match &self.workers {
            Some(workers) if data.len() > len => workers.install(|| {
                data.par_chunks_mut(len)
                    .with_max_len(1)
                    .enumerate()
                    .for_each(|(i, chunk)| f(i, chunk));
            }),
            _ => data
                .chunks_mut(len)
                .enumerate()
                .for_each(|(i, chunk)| f(i, chunk)),
        }
    }

    /// Calls `f(first, block)` for consecutive blocks of `rows` pixels of `view`; `first`
    /// is the block's first pixel, the block has shape `[rows, 1, 1, c]`.
    ///
    /// # Panics
    /// When `rows` is 0.
    pub fn for_each_rows<T: Send + Copy>(
        &self,
        view: ViewMut<'_, T>,
        rows: usize,
        f: impl Fn(usize, ViewMut<'_, T>) + Send + Sync,
    ) {
        let shape = view.shape();
        if shape.is_empty() {
            return;
        }
        let (stride, total, c) = (view.stride(), shape.rows(), shape.c);
        let mut view = view;
        self.for_each_chunk(view.data_mut(), rows * stride, |i, chunk| {
            let n = rows.min(total - i * rows);
            f(
                i * rows,
                ViewMut::strided(chunk, crate::Shape::matrix(n, c), stride),
            );
        });
    }

    /// Runs both closures, on two threads where there are two.
    pub fn join<A: Send, B: Send>(
        &self,
        a: impl FnOnce() -> A + Send,
        b: impl FnOnce() -> B + Send,
    ) -> (A, B) {
        match &self.workers {
            Some(workers) => workers.join(a, b),
            None => (a(), b()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shape;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn every_tile_runs_once_on_any_number_of_threads() {
        for threads in [1, 2, 3, 8] {
            let pool = Pool::new(threads).unwrap();
            assert_eq!(pool.threads(), threads);
            let counts: Vec<AtomicUsize> = (0..37).map(|_| AtomicUsize::new(0)).collect();
            pool.for_each(37, |i| {
                counts[i].fetch_add(1, Ordering::Relaxed);
            });
            assert!(counts.iter().all(|c| c.load(Ordering::Relaxed) == 1));
        }
    }

    #[test]
    fn rows_of_a_channel_slice_are_split_between_threads() {
        let pool = Pool::new(3).unwrap();
        let mut data = vec![0usize; 10 * 4];
        let view = ViewMut::new(&mut data, Shape::new(2, 5, 1, 4)).channels(2, 1);
        pool.for_each_rows(view, 3, |first, mut block| {
            for r in 0..block.shape().n {
                block.row_mut(r)[0] = first + r;
            }
        });
        for (i, &x) in data.iter().enumerate() {
            assert_eq!(x, if i % 4 == 2 { i / 4 } else { 0 });
        }
    }

    #[test]
    fn zero_threads_are_refused() {
        let message = Pool::new(0).unwrap_err().to_string();
        assert_eq!(message, "a pool has 1 to 1024 threads, found 0");
    }
}
