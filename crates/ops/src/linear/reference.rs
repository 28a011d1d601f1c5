//! Fully connected layers by their definition: plain loops, for tests.

use inception_tensor::{Element, Shape, Tensor, View};

/// `a·b` where `a(i, k)` and `b(k, j)` tell the numbers.
fn product<T: Element>(
    shape: Shape,
    depth: usize,
    a: impl Fn(usize, usize) -> T,
    b: impl Fn(usize, usize) -> T,
) -> Tensor<T> {
    Tensor::from_fn(shape, |at| {
        let (i, j) = (at / shape.c, at % shape.c);
        (0..depth).fold(T::zero(), |sum, k| sum + a(i, k) * b(k, j))
    })
}

/// `y = x·w + bias`; see [`super::forward`].
pub fn forward<T: Element>(x: View<'_, T>, weight: View<'_, T>, bias: Option<&[T]>) -> Tensor<T> {
    let shape = Shape::matrix(x.shape().n, weight.shape().c);
    let depth = weight.shape().rows();
    let mut y = product(shape, depth, |i, k| x.row(i)[k], |k, j| weight.row(k)[j]);
    for (i, value) in y.data_mut().iter_mut().enumerate() {
        *value += bias.map_or(T::zero(), |b| b[i % shape.c]);
    }
    y
}

/// `dx = dy·wᵀ`; see [`super::backward_input`].
pub fn backward_input<T: Element>(dy: View<'_, T>, weight: View<'_, T>) -> Tensor<T> {
    let shape = Shape::matrix(dy.shape().n, weight.shape().rows());
    let depth = dy.shape().c;
    product(shape, depth, |i, k| dy.row(i)[k], |k, j| weight.row(j)[k])
}

/// `dw = xᵀ·dy`; see [`super::backward_weight`].
pub fn backward_weight<T: Element>(x: View<'_, T>, dy: View<'_, T>) -> Tensor<T> {
    let shape = Shape::new(1, 1, x.shape().c, dy.shape().c);
    let depth = dy.shape().n;
    product(shape, depth, |i, k| x.row(k)[i], |k, j| dy.row(k)[j])
}
