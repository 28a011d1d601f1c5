//! The thread pool, and ways to split work that do not change results.

mod parts;
mod team;

use crate::{Kernel, KernelError, Shape, Vectorize, ViewMut};
use parts::Parts;
use std::sync::Arc;
use team::Team;
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
        source: std::io::Error,
    },
}

/// Worker threads for kernels, awake for a moment after each parallel loop, then asleep.
///
/// The calling thread works with them. A loop inside a loop, and one that starts while another
/// thread has the workers, runs on its own thread.
///
/// Every method cuts its work into tiles whose size the caller derives from shapes alone;
/// a tile writes only what it owns. So results do not depend on the number of threads.
#[derive(Clone)]
pub struct Pool {
    /// `None` runs on the calling thread.
    team: Option<Arc<Team>>,
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

    /// A pool of `threads` threads, of which the calling one is the first.
    ///
    /// # Errors
    /// When `threads` is 0 or above [`Pool::MAX_THREADS`], or a thread cannot be started.
    pub fn new(threads: usize) -> Result<Self, PoolError> {
        match threads {
            1 => Ok(Self::serial()),
            2..=Self::MAX_THREADS => {
                let team = Team::new(threads - 1, Self::available())
                    .map_err(|source| PoolError::Start { threads, source })?;
                Ok(Self {
                    team: Some(Arc::new(team)),
                    kernel: Kernel::active(),
                })
            }
            found => Err(PoolError::Threads { found }),
        }
    }

    /// No workers: everything runs on the calling thread.
    pub fn serial() -> Self {
        Self {
            team: None,
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
            team: None,
            kernel: self.kernel,
        }
    }

    /// The micro-kernels that products use.
    pub fn kernel(&self) -> Kernel {
        self.kernel
    }

    /// Does `work` that passes over memory and computes little, with vectors of at most 256
    /// bits. Wider ones wait for the same memory; measured, the backward passes of batch norm
    /// over maps that no cache holds took up to twice as long with them.
    pub fn sweep<W: Vectorize>(&self, work: W) -> W::Output {
        match self.kernel.vectors() {
            Kernel::Avx512 => Kernel::Avx2.vectorize(work),
            kernel => kernel.vectorize(work),
        }
    }

    /// As many threads as this process may use cores.
    pub fn available() -> usize {
        std::thread::available_parallelism().map_or(1, |n| n.get().min(Self::MAX_THREADS))
    }

    /// How many threads work at once.
    pub fn threads(&self) -> usize {
        self.team.as_ref().map_or(1, |team| team.workers() + 1)
    }

    /// Calls `f(i)` for every tile `i` in `0..tiles`.
    pub fn for_each(&self, tiles: usize, f: impl Fn(usize) + Send + Sync) {
        match &self.team {
            Some(team) => team.for_each(tiles, f),
            None => (0..tiles).for_each(f),
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
        self.for_each_chunks([data], len, |i, [chunk]| f(i, chunk));
    }

    /// Calls `f(i, chunks)` for consecutive chunks of `len` numbers of several slices, the
    /// last ones possibly shorter. A slice is as long as the longest, or empty as its chunks
    /// are.
    ///
    /// # Panics
    /// When `len` is 0 or a slice has another length.
    pub fn for_each_chunks<T: Send, const N: usize>(
        &self,
        data: [&mut [T]; N],
        len: usize,
        f: impl Fn(usize, [&mut [T]; N]) + Send + Sync,
    ) {
        let total = data.iter().map(|d| d.len()).max().unwrap_or(0);
        let data = data.map(Parts::new);
        let lengths = data.iter().map(Parts::len);
        for found in lengths.filter(|&found| found != 0) {
            assert_eq!(found, total, "slices that are cut together");
        }
        self.for_each(total.div_ceil(len), |i| {
            let range = i * len..total.min((i + 1) * len);
            let chunks = std::array::from_fn(|j| {
                let range = if data[j].len() == 0 {
                    0..0
                } else {
                    range.clone()
                };
                // SAFETY: chunks do not overlap, and each is handed out once.
                unsafe { data[j].part(range) }
            });
            f(i, chunks);
        });
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
        self.for_each_rows_beside(view, &mut [(); 0], rows, |first, block, _| f(first, block));
    }

    /// Calls `f(first, block, part)` as [`Pool::for_each_rows`]; `part` is what `beside`,
    /// cut evenly among the pixels, has for those of the block.
    ///
    /// # Panics
    /// When `rows` is 0 or the length of `beside` is no multiple of the number of pixels.
    pub fn for_each_rows_beside<T: Send + Copy, U: Send>(
        &self,
        mut view: ViewMut<'_, T>,
        beside: &mut [U],
        rows: usize,
        f: impl Fn(usize, ViewMut<'_, T>, &mut [U]) + Send + Sync,
    ) {
        let (shape, stride) = (view.shape(), view.stride());
        if shape.is_empty() {
            return;
        }
        let total = shape.rows();
        let (share, rest) = (beside.len() / total, beside.len() % total);
        assert!(rest == 0, "{} numbers beside {shape}", beside.len());
        let (data, beside) = (Parts::new(view.data_mut()), Parts::new(beside));
        self.for_each(total.div_ceil(rows), |i| {
            let first = i * rows;
            let n = rows.min(total - first);
            let span = first * stride..(first + n - 1) * stride + shape.c;
            // SAFETY: no two blocks share a pixel, and each is handed out once.
            let (block, part) = unsafe {
                (
                    data.part(span),
                    beside.part(first * share..(first + n) * share),
                )
            };
            let block = ViewMut::strided(block, Shape::matrix(n, shape.c), stride);
            f(first, block, part);
        });
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
