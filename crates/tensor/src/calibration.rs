//! A product that measures the machine: what other times are compared with.

use crate::{
    Accumulate, Bank, Element, Epilogue, Operand, Pool, Shape, Stream, Tensor, multiply_matrix,
    pack, packed_len,
};
use std::time::{Duration, Instant};

/// Rows for each thread: several tasks of the product, so that none waits for another long.
const ROWS: usize = 1792;
/// Length of a sum, and columns: a packed matrix that a core's second-level cache holds.
const SIDE: usize = 256;

/// A matrix product whose operands stay in cache: about the most arithmetic that the kernels
/// of this crate get out of the machine with the threads of a pool.
///
/// Times of other work, taken in turns with it and divided by it, depend far less on clock
/// rates and neighbours than the times alone.
#[derive(Debug)]
pub struct Calibration<T> {
    pool: Pool,
    a: Tensor<T>,
    packed: Vec<T>,
    c: Tensor<T>,
}

impl<T: Element> Calibration<T> {
    /// Allocates the operands.
    pub fn new(pool: &Pool) -> Self {
        let shape = Shape::matrix(ROWS * pool.threads(), SIDE);
        let mut stream = Stream::new(&[0]);
        let mut noise = |shape: Shape| {
            let numbers = (0..shape.len()).map(|_| T::of(stream.normal()));
            Tensor::from_vec(shape, numbers.collect())
        };
        let (a, b) = (noise(shape), noise(Shape::matrix(SIDE, SIDE)));
        let mut packed = vec![T::zero(); packed_len(SIDE, SIDE)];
        pack(pool, Operand::Plain(b.view()), SIDE, 0, &mut packed);
        Self {
            pool: pool.clone(),
            c: Tensor::zeros(shape),
            packed,
            a,
        }
    }

    /// Floating-point operations of one product: a multiply-add is two.
    pub fn flops(&self) -> u64 {
        2 * (self.a.shape().len() * SIDE) as u64
    }

    /// How long one product takes now.
    pub fn time(&mut self) -> Duration {
        let start = Instant::now();
        multiply_matrix(
            &self.pool,
            self.a.view(),
            &mut [Bank {
                packed: &self.packed,
                accumulate: Accumulate::Replace,
                epilogue: Epilogue::NONE,
                c: self.c.view_mut(),
            }],
        );
        std::hint::black_box(self.c.data());
        start.elapsed()
    }

    /// GFLOP/s of the fastest of `runs` products, after one that warms up.
    ///
    /// # Panics
    /// When `runs` is 0.
    pub fn peak_gflops(&mut self, runs: usize) -> f64 {
        self.time();
        let best = (0..runs).map(|_| self.time()).min();
        let best = best.expect("at least one product is measured");
        self.flops() as f64 / best.as_secs_f64() / 1e9
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_counted_and_takes_time() {
        let pool = Pool::serial();
        let mut calibration = Calibration::<f32>::new(&pool);
        assert_eq!(calibration.flops(), 2 * 1792 * 256 * 256);
        assert!(calibration.time() > Duration::ZERO);
        let peak = calibration.peak_gflops(2);
        assert!(peak.is_finite() && peak > 0.0, "{peak}");
        assert!(calibration.c.data().iter().any(|&x| x != 0.0));
    }
}
