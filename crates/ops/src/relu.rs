//! Rectified linear unit.
//!
//! A NaN passes both ways, as in PyTorch, so that a broken activation shows in the loss.
//! Nothing but the output is kept for the backward pass.
//!
//! # Sources
//! Nair and Hinton, "Rectified linear units improve restricted Boltzmann machines", 2010.
use crate::Activation;
use crate::tile::map;
use inception_tensor::{Element, Pool, View, ViewMut};

/// `y = max(x, 0)`.
///
/// # Shapes
/// `x` and `y` have as many pixels and channels.
///
/// # Panics
/// When they do not.
pub fn forward<T: Element>(pool: &Pool, x: View<'_, T>, y: ViewMut<'_, T>) {
    map(pool, "relu", [x], y, |[x], _| Activation::Relu.apply(x));
}

/// `y = max(y, 0)`.
///
/// # Shapes
/// Any; `y` may be a channel slice.
pub fn forward_in_place<T: Element>(pool: &Pool, y: ViewMut<'_, T>) {
    map(pool, "relu", [], y, |[], y| Activation::Relu.apply(y));
}

/// The gradient that passes an output `y`: `dy` where `y > 0` or `y` is a NaN, else 0.
#[inline(always)]
pub(crate) fn pass<T: Element>(y: T, dy: T) -> T {
    if y <= T::zero() { T::zero() } else { dy }
}

/// `dx = dy where y > 0, else 0`, from the output alone; where `y` is a NaN, `dx = dy`.
///
/// # Shapes
/// `y`, `dy` and `dx` have as many pixels and channels.
///
/// # Panics
/// When they do not.
pub fn backward<T: Element>(pool: &Pool, y: View<'_, T>, dy: View<'_, T>, dx: ViewMut<'_, T>) {
    map(pool, "relu", [y, dy], dx, |[y, dy], _| pass(y, dy));
}

/// The same where `d` holds `dy` and receives `dx`.
///
/// # Shapes
/// `y` and `d` have as many pixels and channels.
///
/// # Panics
/// When they do not.
pub fn backward_in_place<T: Element>(pool: &Pool, y: View<'_, T>, d: ViewMut<'_, T>) {
    map(pool, "relu", [y], d, |[y], d| pass(y, d));
}

/// Plain loops.
pub mod reference {
    use inception_tensor::{Element, Tensor};

    /// `y = max(x, 0)`; a NaN stays.
    pub fn forward<T: Element>(x: &Tensor<T>) -> Tensor<T> {
        Tensor::from_fn(x.shape(), |i| match x.data()[i] {
            x if x < T::zero() => T::zero(),
            x => x,
        })
    }

    /// `dx = dy` where the input was not below or at 0.
    pub fn backward<T: Element>(x: &Tensor<T>, dy: &Tensor<T>) -> Tensor<T> {
        Tensor::from_fn(x.shape(), |i| match x.data()[i] {
            x if x <= T::zero() => T::zero(),
            _ => dy.data()[i],
        })
    }
}
