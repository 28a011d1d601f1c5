//! Convolution (cross-correlation) over rows and columns.
use crate::{Activation, OpError, Window};
use inception_tensor::{Element, Pool, Shape, View, ViewMut};
pub mod reference;

/// One bank of filters that reads the input.
#[derive(Clone, Copy, Debug)]
pub struct Filter<'a, T> {
    /// `[kh, kw, c_in, c_out]`.
    pub weight: View<'a, T>,
    /// `c_out` numbers.
    pub bias: Option<&'a [T]>,
}

/// Shape of the output.
pub fn shape(window: &Window, x: Shape, weight: Shape) -> Result<Shape, OpError> {
    let _ = (window, x, weight);
    todo!()
}
/// `y[i] = activation(conv(x, filters[i]))` for each bank: sibling convolutions that read
/// the same input in one pass over it.
pub fn forward<T: Element>(
    pool: &Pool,
    window: &Window,
    x: View<'_, T>,
    filters: &[Filter<'_, T>],
    activation: Activation,
    y: &mut [ViewMut<'_, T>],
) {
    let _ = (pool, window, x, filters, activation, y);
    todo!()
}
/// Numbers of workspace that [`backward_input`] needs for these weights.
pub fn backward_input_workspace(window: &Window, weights: &[Shape]) -> usize {
    let _ = (window, weights);
    todo!()
}
/// `dx = Σ_i convᵀ(dy[i], weights[i])`.
pub fn backward_input<T: Element>(
    pool: &Pool,
    window: &Window,
    dy: &[View<'_, T>],
    weights: &[View<'_, T>],
    dx: ViewMut<'_, T>,
    workspace: &mut [T],
) {
    let _ = (pool, window, dy, weights, dx, workspace);
    todo!()
}
/// Numbers of workspace that [`backward_weight`] needs.
pub fn backward_weight_workspace(window: &Window, x: Shape, dy: Shape) -> usize {
    let _ = (window, x, dy);
    todo!()
}
/// `dw` and, where asked for, `db`.
pub fn backward_weight<T: Element>(
    pool: &Pool,
    window: &Window,
    x: View<'_, T>,
    dy: View<'_, T>,
    dw: ViewMut<'_, T>,
    db: Option<&mut [T]>,
    workspace: &mut [T],
) {
    let _ = (pool, window, x, dy, dw, db, workspace);
    todo!()
}
