//! Fully connected layers: `x` `[n, 1, 1, in]`, weight `[1, 1, in, out]`, `y` `[n, 1, 1, out]`.
//!
//! A layer is the product `y = x·w`. Its weight is by far the largest operand, so each pass
//! reads it once, in the order it lies in.

pub mod reference;

use crate::conv2d::{self, Method};
use crate::{Activation, OpError, Window};
use inception_tensor::{
    Accumulate, Bank, Element, Epilogue, Operand, Pool, Shape, Terms, View, ViewMut,
    multiply_matrix, multiply_outer, pack, packed_len, with_scratch,
};

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
/// The weight is read where it lies, once.
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
    mut y: ViewMut<'_, T>,
) {
    check(x.shape(), weight.shape(), y.shape());
    let (n, k) = (x.shape().n, x.shape().c);
    with_scratch(k * n, |columns: &mut [T]| {
        transpose(pool, x, columns);
        with_scratch(k, |terms: &mut [[u32; 2]]| {
            for (i, term) in terms.iter_mut().enumerate() {
                *term = [i * n, i * weight.stride()].map(|at| at as u32);
            }
            let terms = Terms {
                offsets: terms,
                pitch: [n, weight.stride()],
            };
            let y = y.reborrow();
            multiply_outer(pool, columns, weight.data(), terms, Accumulate::Replace, y);
        });
    });
    for row in 0..n {
        let row = y.row_mut(row);
        if let Some(bias) = bias {
            row.iter_mut().zip(bias).for_each(|(y, &b)| *y += b);
        }
        row.iter_mut().for_each(|y| *y = activation.apply(*y));
    }
}

/// `dx = dy·wᵀ`, computed as `dxᵀ = w·dyᵀ` so that the weight is read along its rows.
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
    let (n, k, c) = (dy.shape().n, dy.shape().c, dx.shape().c);
    if dx.shape().is_empty() {
        return;
    }
    let serial = pool.on_this_thread();
    with_scratch(packed_len(k, n), |packed: &mut [T]| {
        pack(pool, Operand::Transposed(dy), k, 0, packed);
        let packed = &*packed;
        // Some inputs at a time, so that what is turned round stays in cache.
        pool.for_each_box(dx, Shape::new(n, 1, 1, COLUMNS.min(c)), |mut part| {
            let (first, inputs) = (part.start()[3], part.shape().c);
            let rows = &weight.data()[first * weight.stride()..];
            let rows = View::strided(rows, Shape::matrix(inputs, k), weight.stride());
            with_scratch(inputs * n, |transposed: &mut [T]| {
                let bank = Bank {
                    packed,
                    accumulate: Accumulate::Replace,
                    epilogue: Epilogue::NONE,
                    c: ViewMut::new(transposed, Shape::matrix(inputs, n)),
                };
                multiply_matrix(&serial, rows, &mut [bank]);
                for row in 0..n {
                    let numbers = transposed[row..].iter().step_by(n);
                    let dx = part.pixel_mut(row, 0, 0);
                    dx.iter_mut()
                        .zip(numbers)
                        .for_each(|(x, &number)| *x = number);
                }
            });
        });
    });
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
    let method = Method::direct(Window::square(1));
    conv2d::backward_weight(pool, &method, x, dy, dw, db, &mut []);
}

/// Columns that are turned round at a time.
const COLUMNS: usize = 64;

/// Writes `x` column by column.
fn transpose<T: Element>(pool: &Pool, x: View<'_, T>, columns: &mut [T]) {
    let n = x.shape().n;
    if n == 0 {
        return;
    }
    pool.for_each_chunk(columns, COLUMNS * n, |chunk, columns| {
        for row in 0..n {
            let source = &x.row(row)[chunk * COLUMNS..];
            for (column, &x) in columns.chunks_exact_mut(n).zip(source) {
                column[row] = x;
            }
        }
    });
}
