//! Convolution by its definition: plain loops, for tests.

use super::shape;
use crate::Window;
use inception_tensor::{Element, Tensor, View};

/// Calls `f(output pixel, tap, input pixel)`, each `[image, row, column]` or `[row, column]`,
/// for every tap that reads a pixel of the input.
fn for_each_tap(
    window: &Window,
    x: inception_tensor::Shape,
    output: [usize; 2],
    mut f: impl FnMut([usize; 3], [usize; 2], [usize; 3]),
) {
    let place = |axis: usize, out: usize, tap: usize, extent: usize| {
        let padded = out * window.stride[axis] + tap * window.dilation[axis];
        let place = padded.checked_sub(window.padding[axis][0])?;
        (place < extent).then_some(place)
    };
    for n in 0..x.n {
        for i in 0..output[0] {
            for j in 0..output[1] {
                for p in 0..window.kernel[0] {
                    for q in 0..window.kernel[1] {
                        let (row, column) = (place(0, i, p, x.h), place(1, j, q, x.w));
                        if let (Some(row), Some(column)) = (row, column) {
                            f([n, i, j], [p, q], [n, row, column]);
                        }
                    }
                }
            }
        }
    }
}

/// `y = conv(x, weight) + bias`; see [`super::forward`].
///
/// # Panics
/// When shapes do not fit.
pub fn forward<T: Element>(
    window: &Window,
    x: View<'_, T>,
    weight: View<'_, T>,
    bias: Option<&[T]>,
) -> Tensor<T> {
    let size = shape(window, x.shape(), weight.shape()).expect("shapes fit");
    let mut y = Tensor::from_fn(size, |i| bias.map_or(T::zero(), |b| b[i % size.c]));
    let data = y.data_mut();
    for_each_tap(
        window,
        x.shape(),
        [size.h, size.w],
        |[n, i, j], [p, q], [_, row, column]| {
            for o in 0..size.c {
                let sum = &mut data[((n * size.h + i) * size.w + j) * size.c + o];
                for (c, &value) in x.pixel(n, row, column).iter().enumerate() {
                    *sum += value * weight.pixel(p, q, c)[o];
                }
            }
        },
    );
    y
}

/// `dx = convᵀ(dy, weight)` of an input of `x`'s shape; see [`super::backward_input`].
///
/// # Panics
/// When shapes do not fit.
pub fn backward_input<T: Element>(
    window: &Window,
    x: inception_tensor::Shape,
    dy: View<'_, T>,
    weight: View<'_, T>,
) -> Tensor<T> {
    let size = shape(window, x, weight.shape()).expect("shapes fit");
    assert_eq!(dy.shape(), size);
    let mut dx = Tensor::zeros(x);
    let data = dx.data_mut();
    for_each_tap(
        window,
        x,
        [size.h, size.w],
        |[n, i, j], [p, q], [_, row, column]| {
            for c in 0..x.c {
                let sum = &mut data[((n * x.h + row) * x.w + column) * x.c + c];
                for (o, &d) in dy.pixel(n, i, j).iter().enumerate() {
                    *sum += d * weight.pixel(p, q, c)[o];
                }
            }
        },
    );
    dx
}

/// Gradients of weights and bias.
#[derive(Clone, Debug)]
pub struct WeightGradient<T> {
    /// `[kh, kw, c_in, c_out]`.
    pub dw: Tensor<T>,
    /// `c_out` numbers.
    pub db: Vec<T>,
}

/// `dw` and `db`; see [`super::backward_weight`].
///
/// # Panics
/// When `dy` is not as [`super::shape`] says.
pub fn backward_weight<T: Element>(
    window: &Window,
    x: View<'_, T>,
    dy: View<'_, T>,
) -> WeightGradient<T> {
    let [kh, kw] = window.kernel;
    let size = inception_tensor::Shape::new(kh, kw, x.shape().c, dy.shape().c);
    let output = shape(window, x.shape(), size).expect("shapes fit");
    assert_eq!(dy.shape(), output);
    let mut dw = Tensor::zeros(size);
    let data = dw.data_mut();
    for_each_tap(
        window,
        x.shape(),
        [output.h, output.w],
        |[n, i, j], [p, q], [_, row, column]| {
            for (c, &value) in x.pixel(n, row, column).iter().enumerate() {
                for (o, &d) in dy.pixel(n, i, j).iter().enumerate() {
                    data[((p * kw + q) * size.w + c) * size.c + o] += value * d;
                }
            }
        },
    );
    let mut db = vec![T::zero(); size.c];
    for pixel in 0..output.rows() {
        for (sum, &d) in db.iter_mut().zip(dy.row(pixel)) {
            *sum += d;
        }
    }
    WeightGradient { dw, db }
}
