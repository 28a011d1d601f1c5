//! A copy that measures the machine's memory.

use inception_tensor::Pool;
use std::time::{Duration, Instant};

/// Numbers in each of the two buffers: 128 MiB, as large as the maps of a network in training.
const LEN: usize = 1 << 25;
/// Numbers that a thread copies at a time.
const CHUNK: usize = 1 << 16;

/// A copy from one buffer to another, neither of which a core's cache holds: what the memory
/// gives the threads of a pool.
#[derive(Debug)]
pub struct Copies {
    pool: Pool,
    from: Vec<f32>,
    to: Vec<f32>,
}

impl Copies {
    /// Allocates both buffers.
    pub fn new(pool: &Pool) -> Self {
        Self {
            pool: pool.clone(),
            from: vec![1.0; LEN],
            to: vec![0.0; LEN],
        }
    }

    /// How long one copy takes now.
    pub fn time(&mut self) -> Duration {
        let Self { pool, from, to } = self;
        let start = Instant::now();
        pool.for_each_chunk(to, CHUNK, |i, to| {
            to.copy_from_slice(&from[i * CHUNK..][..to.len()]);
        });
        std::hint::black_box(&self.to);
        start.elapsed()
    }
}
