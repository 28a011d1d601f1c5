//! Cross-entropy against shares of several classes, as mixed images have them.

use super::{EXP_COST, check, log_softmax};
use crate::tile::{assert_same, rows_per_tile};
use inception_tensor::{Element, Pool, View, ViewMut};

/// Mean cross-entropy over the batch into `loss`, log-probabilities into `log_probs`, against
/// `(1 − smoothing)·targets + smoothing/classes`, added in double precision in the order of
/// the rows.
///
/// # Shapes
/// `logits`, `targets` and `log_probs` are `[n, 1, 1, classes]`; each row of `targets` adds
/// up to 1.
///
/// # Panics
/// When [`check`] refuses its arguments or shapes differ.
pub fn soft_cross_entropy<T: Element>(
    pool: &Pool,
    smoothing: f64,
    logits: View<'_, T>,
    targets: View<'_, T>,
    mut log_probs: ViewMut<'_, T>,
    loss: &mut T,
) {
    let shape = logits.shape();
    check(smoothing, shape).unwrap_or_else(|error| panic!("{error}"));
    assert_same("soft_cross_entropy", shape, targets.shape());
    assert_same("soft_cross_entropy", shape, log_probs.shape());
    let rows = rows_per_tile(shape.c * EXP_COST);
    pool.for_each_rows(log_probs.reborrow(), rows, |first, mut block| {
        for r in 0..block.shape().n {
            log_softmax(logits.row(first + r), block.row_mut(r));
        }
    });
    let rest = smoothing / shape.c as f64;
    let mut sum = 0.0;
    for r in 0..shape.n {
        for (&p, &t) in log_probs.row(r).iter().zip(targets.row(r)) {
            let target = (1.0 - smoothing) * t.f64() + rest;
            // A class that nothing is expected of may have a logit of −∞.
            if target != 0.0 {
                sum -= target * p.f64();
            }
        }
    }
    *loss = T::of(sum / shape.n as f64);
}

/// `dlogits = dloss·(softmax − target)/n`.
///
/// # Shapes
/// `log_probs`, as [`soft_cross_entropy`] wrote them, `targets` and `dlogits` are
/// `[n, 1, 1, classes]`.
///
/// # Panics
/// When [`check`] refuses its arguments or shapes differ.
pub fn soft_cross_entropy_backward<T: Element>(
    pool: &Pool,
    smoothing: f64,
    log_probs: View<'_, T>,
    targets: View<'_, T>,
    dloss: T,
    dlogits: ViewMut<'_, T>,
) {
    let shape = log_probs.shape();
    check(smoothing, shape).unwrap_or_else(|error| panic!("{error}"));
    assert_same("soft_cross_entropy", shape, targets.shape());
    assert_same("soft_cross_entropy", shape, dlogits.shape());
    let scale = T::of(dloss.f64() / shape.n as f64);
    let (hit, rest) = (T::of(1.0 - smoothing), T::of(smoothing / shape.c as f64));
    let rows = rows_per_tile(shape.c * EXP_COST);
    pool.for_each_rows(dlogits, rows, |first, mut block| {
        for r in 0..block.shape().n {
            let numbers = log_probs.row(first + r).iter().zip(targets.row(first + r));
            for (d, (&p, &t)) in block.row_mut(r).iter_mut().zip(numbers) {
                *d = scale * (p.exp() - (hit * t + rest));
            }
        }
    });
}
