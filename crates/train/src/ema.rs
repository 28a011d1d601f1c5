//! Exponential moving averages of weights.

use crate::optim::CHUNK;
use inception_tensor::{Element, Pool, Vectorize};

/// How much of an average stays after `updates` earlier updates:
/// `min(decay, (1 + t)/(10 + t))`, so that a young average is not held back by the random
/// weights that it began with.
///
/// # Sources
/// `tf.train.ExponentialMovingAverage` with `num_updates`.
pub fn ema_decay(decay: f64, updates: u64) -> f64 {
    let t = updates as f64;
    decay.min((1.0 + t) / (10.0 + t))
}

/// Moves `average` towards `values`: `a ← a + (1 − decay)·(v − a)`.
///
/// # Panics
/// When the lengths differ.
pub fn ema_update<T: Element>(pool: &Pool, decay: f64, average: &mut [T], values: &[T]) {
    assert_eq!(average.len(), values.len(), "an average of other values");
    let share = T::of(1.0 - decay);
    pool.for_each_chunk(average, CHUNK, |i, chunk| {
        pool.sweep(Move {
            share,
            values: &values[i * CHUNK..][..chunk.len()],
            average: chunk,
        });
    });
}

/// A chunk of an average.
struct Move<'a, T> {
    share: T,
    values: &'a [T],
    average: &'a mut [T],
}

impl<T: Element> Vectorize for Move<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (a, &v) in self.average.iter_mut().zip(self.values) {
            *a += self.share * (v - *a);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_average_of_a_constant_is_the_constant() {
        let mut average = vec![1.0f64; 3];
        for t in 0..200 {
            let decay = ema_decay(0.9, t);
            ema_update(&Pool::serial(), decay, &mut average, &[2.0, 1.0, -1.0]);
        }
        for (a, v) in average.iter().zip([2.0, 1.0, -1.0]) {
            assert!((a - v).abs() < 1e-8, "{a} {v}");
        }
    }

    #[test]
    fn young_averages_follow_faster() {
        assert_eq!(ema_decay(0.999, 0), 0.1);
        assert_eq!(ema_decay(0.999, 90), 0.91);
        assert_eq!(ema_decay(0.999, 1_000_000), 0.999);
    }

    #[test]
    fn threads_do_not_change_a_bit() {
        let values: Vec<f32> = (0..2 * CHUNK + 5).map(|i| (i as f32).sin()).collect();
        let run = |threads| {
            let mut average = vec![0.5f32; values.len()];
            ema_update(&Pool::new(threads).unwrap(), 0.99, &mut average, &values);
            average
        };
        assert!([2, 3, 8].into_iter().all(|t| run(t) == run(1)));
    }
}
