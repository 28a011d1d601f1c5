//! Fully connected layers: `x` `[n, 1, 1, in]`, weight `[1, 1, in, out]`, `y` `[n, 1, 1, out]`.
use crate::{Activation, OpError};
use inception_tensor::{Element, Pool, Shape, View, ViewMut};

/// Shape of the output.
pub fn shape(x: Shape, weight: Shape) -> Result<Shape, OpError> {
    let _ = (x, weight);
    todo!()
}
/// `y = activation(x·w + bias)`.
pub fn forward<T: Element>(
    pool: &Pool,
    x: View<'_, T>,
    weight: View<'_, T>,
    bias: Option<&[T]>,
    activation: Activation,
    y: ViewMut<'_, T>,
) {
    let _ = (pool, x, weight, bias, activation, y);
    todo!()
}
/// `dx = dy·wᵀ`.
pub fn backward_input<T: Element>(
    pool: &Pool,
    dy: View<'_, T>,
    weight: View<'_, T>,
    dx: ViewMut<'_, T>,
) {
    let _ = (pool, dy, weight, dx);
    todo!()
}
/// `dw = xᵀ·dy`, `db = Σ_n dy`.
pub fn backward_weight<T: Element>(
    pool: &Pool,
    x: View<'_, T>,
    dy: View<'_, T>,
    dw: ViewMut<'_, T>,
    db: Option<&mut [T]>,
) {
    let _ = (pool, x, dy, dw, db);
    todo!()
}
