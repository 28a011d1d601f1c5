//! Cross-entropy against labels, or against shares of several classes, as mixed images have
//! them.

use super::{EXP_COST, check, log_softmax};
use crate::tile::{assert_same, rows_per_tile};
use inception_tensor::{Element, Pool, Shape, View, ViewMut};

/// What the logits of each row are compared with.
#[derive(Clone, Copy, Debug)]
pub enum Targets<'a, T> {
    /// A class for each row.
    Labels(&'a [u32]),
    /// Shares of all classes, `[n, 1, 1, classes]`; each row adds up to 1.
    Shares(View<'a, T>),
}

impl<T: Element> Targets<'_, T> {
    /// Panics unless there are targets for all of `logits`, and labels are classes.
    fn assert_fit(&self, logits: Shape) {
        let labels = match self {
            Self::Labels(labels) => labels,
            Self::Shares(shares) => {
                return assert_same("cross_entropy", logits, shares.shape());
            }
        };
        assert_eq!(labels.len(), logits.n, "cross_entropy: labels of {logits}");
        let classes = logits.c;
        let mut numbered = labels.iter().enumerate();
        if let Some((i, label)) = numbered.find(|&(_, &label)| label as usize >= classes) {
            panic!("cross_entropy: label {i} is {label} of {classes} classes");
        }
    }
}

/// Mean cross-entropy over the batch into `loss`, log-probabilities into `log_probs`, against
/// `(1 − smoothing)·targets + smoothing/classes`, where the target of a label is 1 for its
/// class.
///
/// `loss = −1/n·Σ_r Σ_c target_rc·log p_rc`, added in double precision in the order of the
/// rows.
///
/// # Shapes
/// `logits` and `log_probs` are `[n, 1, 1, classes]`, `targets` as [`Targets`] says.
///
/// # Panics
/// When [`check`] refuses its arguments, shapes differ, or a label is not below the number
/// of classes.
pub fn cross_entropy<T: Element>(
    pool: &Pool,
    smoothing: f64,
    logits: View<'_, T>,
    targets: Targets<'_, T>,
    mut log_probs: ViewMut<'_, T>,
    loss: &mut T,
) {
    let shape = logits.shape();
    check(smoothing, shape).unwrap_or_else(|error| panic!("{error}"));
    assert_same("cross_entropy", shape, log_probs.shape());
    targets.assert_fit(shape);
    let rows = rows_per_tile(shape.c * EXP_COST);
    pool.for_each_rows(log_probs.reborrow(), rows, |first, mut block| {
        for r in 0..block.shape().n {
            log_softmax(logits.row(first + r), block.row_mut(r));
        }
    });
    let log_probs = log_probs.as_view();
    let sum = match targets {
        Targets::Labels(labels) => loss_of_labels(smoothing, log_probs, labels),
        Targets::Shares(shares) => loss_of_shares(smoothing, log_probs, shares),
    };
    *loss = T::of(sum / shape.n as f64);
}

/// Without smoothing the other classes do not enter, so that a logit of −∞ leaves the loss
/// finite.
fn loss_of_labels<T: Element>(smoothing: f64, log_probs: View<'_, T>, labels: &[u32]) -> f64 {
    let row_loss = |(r, &label): (usize, &u32)| {
        let log_probs = log_probs.row(r);
        let hit = log_probs[label as usize].f64();
        if smoothing == 0.0 {
            return -hit;
        }
        let mean = log_probs.iter().map(|p| p.f64()).sum::<f64>() / log_probs.len() as f64;
        -((1.0 - smoothing) * hit + smoothing * mean)
    };
    labels.iter().enumerate().map(row_loss).sum()
}

fn loss_of_shares<T: Element>(smoothing: f64, log_probs: View<'_, T>, shares: View<'_, T>) -> f64 {
    let shape = log_probs.shape();
    let rest = smoothing / shape.c as f64;
    let mut sum = 0.0;
    for r in 0..shape.n {
        for (&p, &t) in log_probs.row(r).iter().zip(shares.row(r)) {
            let target = (1.0 - smoothing) * t.f64() + rest;
            // A class that nothing is expected of may have a logit of −∞.
            if target != 0.0 {
                sum -= target * p.f64();
            }
        }
    }
    sum
}

/// `dlogits = dloss·(softmax − target)/n`.
///
/// # Shapes
/// `log_probs`, as [`cross_entropy()`] wrote them, and `dlogits` are `[n, 1, 1, classes]`,
/// `targets` as [`Targets`] says.
///
/// # Panics
/// When [`check`] refuses its arguments, shapes differ, or a label is not below the number
/// of classes.
pub fn cross_entropy_backward<T: Element>(
    pool: &Pool,
    smoothing: f64,
    log_probs: View<'_, T>,
    targets: Targets<'_, T>,
    dloss: T,
    dlogits: ViewMut<'_, T>,
) {
    let shape = log_probs.shape();
    check(smoothing, shape).unwrap_or_else(|error| panic!("{error}"));
    assert_same("cross_entropy", shape, dlogits.shape());
    targets.assert_fit(shape);
    let scale = T::of(dloss.f64() / shape.n as f64);
    let (hit, rest) = (T::of(1.0 - smoothing), T::of(smoothing / shape.c as f64));
    let rows = rows_per_tile(shape.c * EXP_COST);
    pool.for_each_rows(dlogits, rows, |first, mut block| {
        for r in 0..block.shape().n {
            let (log_probs, d) = (log_probs.row(first + r), block.row_mut(r));
            match targets {
                Targets::Labels(labels) => {
                    for (d, &p) in d.iter_mut().zip(log_probs) {
                        *d = scale * (p.exp() - rest);
                    }
                    d[labels[first + r] as usize] -= scale * hit;
                }
                Targets::Shares(shares) => {
                    let numbers = log_probs.iter().zip(shares.row(first + r));
                    for (d, (&p, &t)) in d.iter_mut().zip(numbers) {
                        *d = scale * (p.exp() - (hit * t + rest));
                    }
                }
            }
        }
    });
}
