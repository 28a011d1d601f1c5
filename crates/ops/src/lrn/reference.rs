//! Plain loops.

use super::Lrn;
use inception_tensor::{Element, Tensor};
use std::ops::Range;

/// The channels that the window of channel `c` holds.
fn window(lrn: &Lrn, c: usize, channels: usize) -> Range<usize> {
    c.saturating_sub(lrn.size / 2)..(c + (lrn.size - 1) / 2 + 1).min(channels)
}

/// `k + a·Σ x²` at channel `c` of a pixel.
fn base<T: Element>(lrn: &Lrn, pixel: &[T], c: usize) -> T {
    let window = window(lrn, c, pixel.len());
    let squares = pixel[window].iter().fold(T::zero(), |s, &x| s + x * x);
    T::of(lrn.k) + T::of(lrn.factor()) * squares
}

/// `y_c = x_c·(k + a·Σ_j x_j²)^−β`.
pub fn forward<T: Element>(lrn: &Lrn, x: &Tensor<T>) -> Tensor<T> {
    let channels = x.shape().c;
    Tensor::from_fn(x.shape(), |i| {
        let (pixel, c) = (x.view().row(i / channels), i % channels);
        pixel[c] * base(lrn, pixel, c).powf(T::of(-lrn.beta))
    })
}

/// `dx_j = Σ_c dy_c·∂y_c/∂x_j`, the derivative written out for each pair.
pub fn backward<T: Element>(lrn: &Lrn, x: &Tensor<T>, dy: &Tensor<T>) -> Tensor<T> {
    let channels = x.shape().c;
    let factor = T::of(-2.0 * lrn.factor() * lrn.beta);
    Tensor::from_fn(x.shape(), |i| {
        let (pixel, j) = (x.view().row(i / channels), i % channels);
        let mut dx = T::zero();
        for c in (0..channels).filter(|&c| window(lrn, c, channels).contains(&j)) {
            let s = base(lrn, pixel, c);
            let mut slope = factor * pixel[c] * pixel[j] * s.powf(T::of(-lrn.beta - 1.0));
            if c == j {
                slope += s.powf(T::of(-lrn.beta));
            }
            dx += dy.view().row(i / channels)[c] * slope;
        }
        dx
    })
}
