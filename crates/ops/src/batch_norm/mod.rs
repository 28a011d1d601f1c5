//! Batch normalisation over images and pixels, per channel (Ioffe and Szegedy 2015).
use crate::{Activation, OpError};
use inception_tensor::{Element, Pool, Shape, View, ViewMut};

/// Per-channel vectors that a normalisation reads.
#[derive(Clone, Copy, Debug)]
pub struct Norm<'a, T> {
    /// Mean, of the batch or running.
    pub mean: &'a [T],
    /// Variance with divisor N, of the batch or running.
    pub var: &'a [T],
    /// γ; 1 where absent.
    pub gamma: Option<&'a [T]>,
    /// β; 0 where absent.
    pub beta: Option<&'a [T]>,
    /// Added to the variance.
    pub eps: f64,
}
/// Checks a training batch: each channel needs more than one value.
pub fn check_train(x: Shape) -> Result<(), OpError> {
    let _ = x;
    todo!()
}
/// Numbers of workspace for [`statistics`] and [`backward_train`].
pub fn workspace(x: Shape) -> usize {
    let _ = x;
    todo!()
}
/// Mean and variance (divisor N) of each channel.
pub fn statistics<T: Element>(
    pool: &Pool,
    x: View<'_, T>,
    mean: &mut [T],
    var: &mut [T],
    workspace: &mut [T],
) {
    let _ = (pool, x, mean, var, workspace);
    todo!()
}
/// `y = activation(γ·(x − mean)/√(var + eps) + β)`: both modes, after [`statistics`] in training.
pub fn normalize<T: Element>(
    pool: &Pool,
    norm: &Norm<'_, T>,
    activation: Activation,
    x: View<'_, T>,
    y: ViewMut<'_, T>,
) {
    let _ = (pool, norm, activation, x, y);
    todo!()
}
/// Running statistics after a batch: `r += momentum·(batch − r)`, the variance with divisor
/// N − 1, as PyTorch.
pub fn update_running<T: Element>(
    momentum: f64,
    count: usize,
    batch: (&[T], &[T]),
    running: (&[T], &[T]),
    mean: &mut [T],
    var: &mut [T],
) {
    let _ = (momentum, count, batch, running, mean, var);
    todo!()
}
/// Gradients that a backward function writes.
#[derive(Debug)]
pub struct Grads<'a, T> {
    /// Of the input; left out where nobody asks.
    pub dx: Option<ViewMut<'a, T>>,
    /// Of γ.
    pub dgamma: Option<&'a mut [T]>,
    /// Of β.
    pub dbeta: Option<&'a mut [T]>,
}
/// Training: the statistics depend on `x`. `y` is the output, needed when `activation` is
/// ReLU (its mask is `y > 0`).
#[allow(clippy::too_many_arguments, reason = "operands of one formula")]
pub fn backward_train<T: Element>(
    pool: &Pool,
    norm: &Norm<'_, T>,
    activation: Activation,
    x: View<'_, T>,
    y: Option<View<'_, T>>,
    dy: View<'_, T>,
    grads: Grads<'_, T>,
    workspace: &mut [T],
) {
    let _ = (pool, norm, activation, x, y, dy, grads, workspace);
    todo!()
}
/// Frozen statistics: the statistics are constants.
#[allow(clippy::too_many_arguments, reason = "operands of one formula")]
pub fn backward_eval<T: Element>(
    pool: &Pool,
    norm: &Norm<'_, T>,
    activation: Activation,
    x: View<'_, T>,
    y: Option<View<'_, T>>,
    dy: View<'_, T>,
    grads: Grads<'_, T>,
    workspace: &mut [T],
) {
    let _ = (pool, norm, activation, x, y, dy, grads, workspace);
    todo!()
}
/// Folds a normalisation into the convolution before it: `w' = w·s`, `b' = (b − mean)·s + β`
/// with `s = γ/√(var + eps)`.
pub fn fold<T: Element>(
    norm: &Norm<'_, T>,
    weight: View<'_, T>,
    bias: Option<&[T]>,
    folded_weight: ViewMut<'_, T>,
    folded_bias: &mut [T],
) {
    let _ = (norm, weight, bias, folded_weight, folded_bias);
    todo!()
}
