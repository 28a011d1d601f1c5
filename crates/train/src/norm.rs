//! The norm of all gradients together, and what they are clipped by.

use inception_tensor::{Element, Pool, Vectorize};

/// Numbers whose squares one partial sum holds.
const CHUNK: usize = 16_384;
/// Partial sums of a chunk, so that its loop runs over vectors.
const LANES: usize = 8;

/// The Euclidean norm of several arrays, computed in double precision.
///
/// Squares of `f32` cannot overflow there, so the norm of finite gradients is finite, and
/// the norm is NaN or infinite just when a gradient is. Sums are taken by chunks of fixed
/// length, in order, so the bits do not depend on the number of threads; the partial sums
/// are kept, so that a step allocates nothing.
///
/// # Examples
/// ```
/// use inception_tensor::Pool;
/// use inception_train::GlobalNorm;
///
/// let mut norm = GlobalNorm::default();
/// norm.add(&Pool::serial(), &[3.0f32, 0.0]);
/// norm.add(&Pool::serial(), &[4.0f32]);
/// assert_eq!(norm.finish(), 5.0);
/// ```
#[derive(Clone, Debug, Default)]
pub struct GlobalNorm {
    partial: Vec<f64>,
    sum: f64,
}

impl GlobalNorm {
    /// Takes in one array; returns the square of its own norm.
    pub fn add<T: Element>(&mut self, pool: &Pool, values: &[T]) -> f64 {
        let chunks = values.len().div_ceil(CHUNK);
        if chunks > self.partial.len() {
            self.partial.resize(chunks, 0.0);
        }
        let partial = &mut self.partial[..chunks];
        pool.for_each_chunk(partial, 1, |i, sum| {
            let end = values.len().min((i + 1) * CHUNK);
            sum[0] = pool.sweep(Squares(&values[i * CHUNK..end]));
        });
        let sum = partial.iter().sum::<f64>();
        self.sum += sum;
        sum
    }

    /// The norm of what was added since the last call.
    pub fn finish(&mut self) -> f64 {
        std::mem::take(&mut self.sum).sqrt()
    }
}

/// The sum of the squares of a chunk.
pub(crate) struct Squares<'a, T>(pub(crate) &'a [T]);

impl<T: Element> Vectorize for Squares<'_, T> {
    type Output = f64;

    #[inline(always)]
    fn run(self) -> f64 {
        let mut lanes = [0.0f64; LANES];
        let (whole, rest) = self.0.as_chunks::<LANES>();
        for chunk in whole {
            for (lane, x) in lanes.iter_mut().zip(chunk) {
                let x = x.f64();
                *lane += x * x;
            }
        }
        let rest = rest.iter().map(|x| x.f64() * x.f64());
        lanes.into_iter().chain(rest).sum()
    }
}

/// What gradients of norm `norm` are multiplied by, so that their norm is at most `most`.
///
/// # Sources
/// `torch.nn.utils.clip_grad_norm_`.
pub fn clip_scale(norm: f64, most: f64) -> f64 {
    (most / (norm + 1e-6)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_norm_is_the_same_bits_on_any_number_of_threads() {
        let values: Vec<f32> = (0..5 * CHUNK + 3).map(|i| (i as f32).sin()).collect();
        let norm = |threads| {
            let pool = Pool::new(threads).unwrap();
            let mut norm = GlobalNorm::default();
            norm.add(&pool, &values);
            norm.add(&pool, &values[..7]);
            norm.finish().to_bits()
        };
        assert!([2, 3, 8].into_iter().all(|t| norm(t) == norm(1)));
        let naive: f64 = values
            .iter()
            .chain(&values[..7])
            .map(|x| x.f64().powi(2))
            .sum();
        assert!((f64::from_bits(norm(1)) - naive.sqrt()).abs() < 1e-9);
    }

    #[test]
    fn exploding_finite_gradients_have_a_finite_norm() {
        let mut norm = GlobalNorm::default();
        norm.add(&Pool::serial(), &[f32::MAX; 1000]);
        let found = norm.finish();
        assert!(found.is_finite() && found > 1e39, "{found}");
        assert!((clip_scale(found, 1.0) * found - 1.0).abs() < 1e-6);
        assert_eq!(clip_scale(0.5, 1.0), 1.0);
    }

    #[test]
    fn one_bad_gradient_shows_in_the_norm() {
        for bad in [f32::NAN, f32::INFINITY] {
            let mut norm = GlobalNorm::default();
            let mut values = vec![1.0f32; CHUNK + 100];
            values[CHUNK + 50] = bad;
            norm.add(&Pool::serial(), &values);
            assert!(!norm.finish().is_finite());
            norm.add(&Pool::serial(), &[3.0f32]);
            assert_eq!(norm.finish(), 3.0, "a new sum begins after finish");
        }
    }
}
