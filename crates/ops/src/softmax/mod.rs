//! Softmax and its cross-entropy loss over the channels of `[n, 1, 1, classes]`.
use crate::OpError;
use inception_tensor::{Element, Pool, Shape, View, ViewMut};

/// Checks `0 ≤ smoothing < 1` and the logits' shape.
pub fn check(smoothing: f64, logits: Shape) -> Result<(), OpError> {
    let _ = (smoothing, logits);
    todo!()
}
/// Probabilities.
pub fn forward<T: Element>(pool: &Pool, x: View<'_, T>, y: ViewMut<'_, T>) {
    let _ = (pool, x, y);
    todo!()
}
/// Mean cross-entropy over the batch into `loss`, log-probabilities into `log_probs`, against targets
/// `(1 − smoothing)·onehot + smoothing/classes`.
///
/// # Panics
/// When a label is not below the number of classes.
pub fn cross_entropy<T: Element>(
    pool: &Pool,
    smoothing: f64,
    logits: View<'_, T>,
    labels: &[u32],
    log_probs: ViewMut<'_, T>,
    loss: &mut T,
) {
    let _ = (pool, smoothing, logits, labels, log_probs, loss);
    todo!()
}
/// `dlogits = dloss·(softmax − target)/n`.
pub fn cross_entropy_backward<T: Element>(
    pool: &Pool,
    smoothing: f64,
    log_probs: View<'_, T>,
    labels: &[u32],
    dloss: T,
    dlogits: ViewMut<'_, T>,
) {
    let _ = (pool, smoothing, log_probs, labels, dloss, dlogits);
    todo!()
}
