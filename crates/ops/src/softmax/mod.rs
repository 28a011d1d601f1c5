//! Softmax and its cross-entropy loss over the channels of `[n, 1, 1, classes]`.
//!
//! Logits are shifted by their maximum, so that no finite logit overflows, and the loss
//! works on log-probabilities, so that a probability that rounds to 0 still has a finite
//! logarithm.
//!
//! # Sources
//! Label smoothing: Szegedy et al., "Rethinking the Inception architecture", 2016, §7.
use crate::OpError;
use crate::tile::{assert_same, rows_per_tile};
use inception_tensor::{Element, Pool, Shape, View, ViewMut};

mod cross_entropy;
pub mod reference;

pub use cross_entropy::{Targets, cross_entropy, cross_entropy_backward};

/// What an exponential costs, in multiplications: tiles are smaller for it.
const EXP_COST: usize = 16;

/// Checks `0 ≤ smoothing < 1` and the logits' shape.
///
/// # Shapes
/// `logits` is `[n, 1, 1, classes]` with `n` and `classes` above 0.
///
/// # Errors
/// When one is not so; the message names it.
pub fn check(smoothing: f64, logits: Shape) -> Result<(), OpError> {
    let op = "cross_entropy";
    if !(0.0..1.0).contains(&smoothing) {
        return Err(OpError::Setting {
            op,
            detail: format!("label smoothing must be at least 0 and below 1, found {smoothing}"),
        });
    }
    if logits.h != 1 || logits.w != 1 || logits.is_empty() {
        return Err(OpError::Shape {
            op,
            detail: format!(
                "logits must be [n, 1, 1, classes] with n and classes above 0, found {logits}"
            ),
        });
    }
    Ok(())
}

/// The largest number of a row; a NaN, if there is one.
fn max<T: Element>(row: &[T]) -> T {
    row.iter().fold(T::neg_infinity(), |max, &x| {
        if x > max || x.is_nan() { x } else { max }
    })
}

/// `y_c = exp(x_c − max x) / Σ_j exp(x_j − max x)`: probabilities, for each pixel.
///
/// # Shapes
/// `x` and `y` have as many pixels and channels; either may be a channel slice.
///
/// # Panics
/// When they do not.
pub fn forward<T: Element>(pool: &Pool, x: View<'_, T>, y: ViewMut<'_, T>) {
    assert_same("softmax", x.shape(), y.shape());
    let rows = rows_per_tile(x.shape().c * EXP_COST);
    pool.for_each_rows(y, rows, |first, mut block| {
        for r in 0..block.shape().n {
            let (x, y) = (x.row(first + r), block.row_mut(r));
            let max = max(x);
            y.iter_mut().zip(x).for_each(|(y, &x)| *y = (x - max).exp());
            let sum = T::of(y.iter().map(|y| y.f64()).sum());
            y.iter_mut().for_each(|y| *y /= sum);
        }
    });
}

/// `y_c = x_c − max x − ln Σ_j exp(x_j − max x)`: log-probabilities of one row.
fn log_softmax<T: Element>(x: &[T], y: &mut [T]) {
    let max = max(x);
    let sum: f64 = x.iter().map(|&x| (x - max).exp().f64()).sum();
    let log = T::of(sum.ln());
    y.iter_mut().zip(x).for_each(|(y, &x)| *y = (x - max) - log);
}
