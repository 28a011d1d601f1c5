//! Convolution (cross-correlation) over rows and columns.
//!
//! `y[n, i, j, o] = bias[o] + Σ_{p, q, c} x[n, i·s + p·d − t, j·s + q·d − l, c]·w[p, q, c, o]`
//! with strides `s`, dilations `d` and leading padding `t`, `l`; `x` is 0 outside.
//!
//! Every pass is a matrix product whose left operand is read where it lies: an output pixel
//! is a row of pieces, the input pixels under the window, and only their places are computed.
//! No matrix of patches is ever written. Where a [`Method`] says so, the sums are taken by
//! Winograd's minimal filtering instead, with less than half of the products.

mod backward_input;
mod backward_weight;
mod forward;
mod method;
mod places;
pub mod reference;
pub mod stored;
mod winograd;

pub use backward_input::{backward_input, backward_input_workspace};
pub use backward_weight::{backward_weight, backward_weight_workspace};
pub use forward::{forward, forward_workspace};
pub use method::{Algorithm, Method};

use crate::{OpError, Window};
use inception_tensor::{Element, Operand, Pool, Shape, View, packed_len};
use winograd::Direction;

/// The operator's name in messages.
const NAME: &str = "conv2d";

/// The weights of a bank.
#[derive(Clone, Copy, Debug)]
pub enum Weight<'a, T> {
    /// `[kh, kw, c_in, c_out]`, packed by each call.
    Plain(View<'a, T>),
    /// The same weights as [`pack`] has written them, once for many calls.
    Packed {
        /// [`packed_weight_len`] numbers.
        data: &'a [T],
        /// `[kh, kw, c_in, c_out]`.
        shape: Shape,
    },
}

impl<T> Weight<'_, T> {
    /// `[kh, kw, c_in, c_out]`.
    pub fn shape(&self) -> Shape {
        match self {
            Self::Plain(weight) => weight.shape(),
            Self::Packed { shape, .. } => *shape,
        }
    }
}

/// One bank of filters that reads the input.
#[derive(Clone, Copy, Debug)]
pub struct Filter<'a, T> {
    /// The weights.
    pub weight: Weight<'a, T>,
    /// `c_out` numbers.
    pub bias: Option<&'a [T]>,
}

/// Numbers that [`pack`] writes for a weight `[kh, kw, c_in, c_out]`.
pub fn packed_weight_len(method: &Method, weight: Shape) -> usize {
    match method.tiling() {
        Some(tiling) => tiling.filter_len(weight, Direction::Forward),
        None => packed_len(weight.rows(), weight.c),
    }
}

/// Writes a weight `[kh, kw, c_in, c_out]` in the order in which [`forward`] reads it.
///
/// # Panics
/// When `packed` is not [`packed_weight_len`] long.
pub fn pack<T: Element>(pool: &Pool, method: &Method, weight: View<'_, T>, packed: &mut [T]) {
    match method.tiling() {
        Some(tiling) => tiling.filter(pool, weight, Direction::Forward, packed),
        None => {
            let k = weight.shape().rows();
            inception_tensor::pack(pool, Operand::Plain(weight), k, 0, packed);
        }
    }
}

/// Shape of the output.
///
/// # Shapes
/// `x`: `[n, h, w, c_in]`, weight: `[kh, kw, c_in, c_out]`, result: `[n, oh, ow, c_out]` with
/// the rows and columns of [`Window::output`].
///
/// # Errors
/// When the weight is not of the window's size, has no filter, reads another number of
/// channels than `x` has, or the window does not fit.
pub fn shape(window: &Window, x: Shape, weight: Shape) -> Result<Shape, OpError> {
    let wrong = |detail| Err(OpError::Shape { op: NAME, detail });
    let [kh, kw] = window.kernel;
    if [weight.n, weight.h] != window.kernel {
        return wrong(format!(
            "weight {weight} (kh, kw, c_in, c_out) does not match a window of {kh}×{kw}"
        ));
    }
    if weight.w != x.c {
        return wrong(format!(
            "weight {weight} (kh, kw, c_in, c_out) reads {} channels, input {x} has {}",
            weight.w, x.c
        ));
    }
    if weight.w == 0 || weight.c == 0 {
        return wrong(format!(
            "weight {weight} (kh, kw, c_in, c_out) needs at least one channel in and out"
        ));
    }
    let [h, w] = window.output(NAME, [x.h, x.w])?;
    Ok(Shape::new(x.n, h, w, weight.c))
}

/// Asserts that the operands of a pass fit each other.
fn check(window: &Window, x: Shape, weight: Shape, y: Shape) {
    match shape(window, x, weight) {
        Ok(expected) => assert_eq!(y, expected, "{NAME}: output of {x} by {weight}"),
        Err(error) => panic!("{error}"),
    }
}

/// Asserts that a workspace is large enough, and leaves away what is too much.
fn workspace_of<T>(workspace: &mut [T], needed: usize) -> &mut [T] {
    let found = workspace.len();
    assert!(
        found >= needed,
        "{NAME}: workspace of {found} numbers, needs {needed}"
    );
    &mut workspace[..needed]
}
