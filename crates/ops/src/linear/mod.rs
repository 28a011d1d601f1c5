//! Fully connected layers: `x` `[n, 1, 1, in]`, weight `[1, 1, in, out]`, `y` `[n, 1, 1, out]`.
//!
//! A layer is the product `y = x·w`, which is a 1×1 convolution of maps of one pixel.

pub mod reference;

use crate::conv2d::{self, Filter, backward_input_by_rows, backward_weight_by_rows};
use crate::{Activation, OpError, Window};
use inception_tensor::{Element, Pool, Shape, View, ViewMut};

/// The operator's name in messages.
const NAME: &str = "linear";

/// Shape of the output.
///
/// # Shapes
/// `x`: `[n, 1, 1, in]`, weight: `[1, 1, in, out]`, result: `[n, 1, 1, out]`.
///
/// # Errors
/// When `x` is not a matrix, or the weight is not one of as many rows as `x` has columns and
/// at least one column.
pub fn shape(x: Shape, weight: Shape) -> Result<Shape, OpError> {
    let wrong = |detail| Err(OpError::Shape { op: NAME, detail });
    if [x.h, x.w] != [1, 1] {
        return wrong(format!("input {x} must be [n, 1, 1, in]: flatten it first"));
    }
    if [weight.n, weight.h] != [1, 1] {
        return wrong(format!("weight {weight} must be [1, 1, in, out]"));
    }
    if weight.w != x.c {
        return wrong(format!(
            "weight {weight} (1, 1, in, out) reads {} numbers, input {x} has {}",
            weight.w, x.c
        ));
    }
    if weight.w == 0 || weight.c == 0 {
        return wrong(format!(
            "weight {weight} (1, 1, in, out) needs at least one row and column"
        ));
    }
    Ok(Shape::matrix(x.n, weight.c))
}

/// Asserts that the operands of a pass fit each other.
fn check(x: Shape, weight: Shape, y: Shape) {
    match shape(x, weight) {
        Ok(expected) => assert_eq!(y, expected, "{NAME}: output of {x} by {weight}"),
        Err(error) => panic!("{error}"),
    }
}

/// `y = activation(x·w + bias)`.
///
/// A row of `y` has the same bits whatever other rows there are, on any number of threads.
///
/// # Shapes
/// `x`: `[n, 1, 1, in]`, weight: `[1, 1, in, out]`, bias: `out`, `y`: `[n, 1, 1, out]`.
///
/// # Panics
/// When shapes do not fit.
pub fn forward<T: Element>(
    pool: &Pool,
    x: View<'_, T>,
    weight: View<'_, T>,
    bias: Option<&[T]>,
    activation: Activation,
    y: ViewMut<'_, T>,
) {
    check(x.shape(), weight.shape(), y.shape());
    let filter = Filter { weight, bias };
    conv2d::forward(pool, &POINT, x, &[filter], activation, &mut [y]);
}

/// `dx = dy·wᵀ`.
///
/// # Shapes
/// `dy`: `[n, 1, 1, out]`, weight: `[1, 1, in, out]`, `dx`: `[n, 1, 1, in]`.
///
/// # Panics
/// When shapes do not fit.
pub fn backward_input<T: Element>(
    pool: &Pool,
    dy: View<'_, T>,
    weight: View<'_, T>,
    dx: ViewMut<'_, T>,
) {
    check(dx.shape(), weight.shape(), dy.shape());
    backward_input_by_rows(pool, dy, weight, dx);
}

/// `dw = xᵀ·dy`, `db = Σ_n dy`.
///
/// # Shapes
/// `x`: `[n, 1, 1, in]`, `dy`: `[n, 1, 1, out]`, `dw`: `[1, 1, in, out]`, `db`: `out`.
///
/// # Panics
/// When shapes do not fit.
pub fn backward_weight<T: Element>(
    pool: &Pool,
    x: View<'_, T>,
    dy: View<'_, T>,
    dw: ViewMut<'_, T>,
    db: Option<&mut [T]>,
) {
    check(x.shape(), dw.shape(), dy.shape());
    backward_weight_by_rows(pool, x, dy, dw, db);
}

/// The window of a layer.
const POINT: Window = Window::square(1);
