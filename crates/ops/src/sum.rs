//! Weighted sums of maps: residual connections, total losses, gradients that meet.
use crate::{Activation, OpError};
use inception_tensor::{Element, Pool, Shape, View, ViewMut};

/// Shape of the sum; all operands have it.
pub fn shape(xs: &[Shape]) -> Result<Shape, OpError> {
    let _ = xs;
    todo!()
}
/// `y = activation(Σ_i scales[i]·xs[i])`, added from left to right.
pub fn forward<T: Element>(
    pool: &Pool,
    xs: &[View<'_, T>],
    scales: &[f64],
    activation: Activation,
    y: ViewMut<'_, T>,
) {
    let _ = (pool, xs, scales, activation, y);
    todo!()
}
/// `y = activation(scale·y + Σ_i scales[i]·xs[i])`: the first operand is in `y` already.
pub fn forward_in_place<T: Element>(
    pool: &Pool,
    scale: f64,
    xs: &[View<'_, T>],
    scales: &[f64],
    activation: Activation,
    y: ViewMut<'_, T>,
) {
    let _ = (pool, scale, xs, scales, activation, y);
    todo!()
}
