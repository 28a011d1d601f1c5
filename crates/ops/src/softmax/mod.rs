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

pub mod reference;
mod soft;

pub use soft::{soft_cross_entropy, soft_cross_entropy_backward};

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

/// Panics unless there is a label below the number of classes for each row.
fn assert_labels(labels: &[u32], logits: Shape) {
    assert_eq!(labels.len(), logits.n, "cross_entropy: labels of {logits}");
    if let Some((i, label)) = labels
        .iter()
        .enumerate()
        .find(|&(_, &label)| label as usize >= logits.c)
    {
        panic!(
            "cross_entropy: label {i} is {label} of {} classes",
            logits.c
        );
    }
}

/// Mean cross-entropy over the batch into `loss`, log-probabilities into `log_probs`, against targets
/// `(1 − smoothing)·onehot + smoothing/classes`.
///
/// `loss = −1/n·Σ_r Σ_c target_rc·log p_rc`, added in double precision in the order of the
/// rows.
///
/// # Shapes
/// `logits` and `log_probs` are `[n, 1, 1, classes]`, `labels` has `n` numbers.
///
/// # Panics
/// When [`check`] refuses its arguments, shapes differ, or a label is not below the number
/// of classes.
pub fn cross_entropy<T: Element>(
    pool: &Pool,
    smoothing: f64,
    logits: View<'_, T>,
    labels: &[u32],
    mut log_probs: ViewMut<'_, T>,
    loss: &mut T,
) {
    let shape = logits.shape();
    check(smoothing, shape).unwrap_or_else(|error| panic!("{error}"));
    assert_same("cross_entropy", shape, log_probs.shape());
    assert_labels(labels, shape);
    let rows = rows_per_tile(shape.c * EXP_COST);
    pool.for_each_rows(log_probs.reborrow(), rows, |first, mut block| {
        for r in 0..block.shape().n {
            log_softmax(logits.row(first + r), block.row_mut(r));
        }
    });
    let sum: f64 = labels
        .iter()
        .enumerate()
        .map(|(r, &label)| row_loss(smoothing, log_probs.row(r), label))
        .sum();
    *loss = T::of(sum / shape.n as f64);
}

/// The loss of one row. Without smoothing the other classes do not enter, so that a logit
/// of −∞ leaves the loss finite.
fn row_loss<T: Element>(smoothing: f64, log_probs: &[T], label: u32) -> f64 {
    let hit = log_probs[label as usize].f64();
    if smoothing == 0.0 {
        return -hit;
    }
    let mean = log_probs.iter().map(|p| p.f64()).sum::<f64>() / log_probs.len() as f64;
    -((1.0 - smoothing) * hit + smoothing * mean)
}

/// `dlogits = dloss·(softmax − target)/n`.
///
/// # Shapes
/// `log_probs`, as [`cross_entropy`] wrote them, and `dlogits` are `[n, 1, 1, classes]`,
/// `labels` has `n` numbers.
///
/// # Panics
/// When [`check`] refuses its arguments, shapes differ, or a label is not below the number
/// of classes.
pub fn cross_entropy_backward<T: Element>(
    pool: &Pool,
    smoothing: f64,
    log_probs: View<'_, T>,
    labels: &[u32],
    dloss: T,
    dlogits: ViewMut<'_, T>,
) {
    let shape = log_probs.shape();
    check(smoothing, shape).unwrap_or_else(|error| panic!("{error}"));
    assert_same("cross_entropy", shape, dlogits.shape());
    assert_labels(labels, shape);
    let scale = T::of(dloss.f64() / shape.n as f64);
    let (hit, rest) = (T::of(1.0 - smoothing), T::of(smoothing / shape.c as f64));
    let rows = rows_per_tile(shape.c * EXP_COST);
    pool.for_each_rows(dlogits, rows, |first, mut block| {
        for r in 0..block.shape().n {
            let (log_probs, d) = (log_probs.row(first + r), block.row_mut(r));
            for (d, &p) in d.iter_mut().zip(log_probs) {
                *d = scale * (p.exp() - rest);
            }
            d[labels[first + r] as usize] -= scale * hit;
        }
    });
}
