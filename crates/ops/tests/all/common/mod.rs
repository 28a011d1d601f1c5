//! What the tests of operators share: filled maps, slices with guarded gaps, bit patterns,
//! directional derivatives.
#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod cases;

use inception_tensor::{Element, Pool, Shape, Stream, Tensor, View, ViewMut};

/// What the channels between slices hold.
pub(crate) const GUARD: f64 = -777.0;

/// A channel slice of a wider map, whose other channels hold [`GUARD`].
#[derive(Clone, Debug)]
pub(crate) struct Slice<T> {
    wide: Tensor<T>,
    start: usize,
    c: usize,
}

impl<T: Element> Slice<T> {
    /// A slice of `shape` with `before` channels before it and one after, unless `before`
    /// is 0, which makes it dense; filled with `f(i)` in memory order.
    pub(crate) fn from_fn(shape: Shape, before: usize, mut f: impl FnMut(usize) -> T) -> Self {
        let width = if before == 0 {
            shape.c
        } else {
            before + shape.c + 1
        };
        let wide = Tensor::from_fn(shape.with_channels(width), |at| {
            let (pixel, c) = (at / width, at % width);
            match c.checked_sub(before) {
                Some(c) if c < shape.c => f(pixel * shape.c + c),
                _ => T::of(GUARD),
            }
        });
        Self {
            wide,
            start: before,
            c: shape.c,
        }
    }

    /// Not-a-numbers, for a kernel to overwrite.
    pub(crate) fn unset(shape: Shape, before: usize) -> Self {
        Self::from_fn(shape, before, |_| T::nan())
    }

    /// The slice.
    pub(crate) fn view(&self) -> View<'_, T> {
        self.wide.view().channels(self.start, self.c)
    }

    /// The slice, to write.
    pub(crate) fn view_mut(&mut self) -> ViewMut<'_, T> {
        self.wide.view_mut().channels(self.start, self.c)
    }

    /// The slice's numbers, after a check that nothing else was written.
    pub(crate) fn into_dense(self) -> Tensor<T> {
        let width = self.wide.shape().c;
        for (at, &x) in self.wide.data().iter().enumerate() {
            let inside = (self.start..self.start + self.c).contains(&(at % width));
            assert!(inside || x == T::of(GUARD), "a gap was written");
        }
        dense(self.view())
    }
}

/// A copy without gaps.
pub(crate) fn dense<T: Element>(view: View<'_, T>) -> Tensor<T> {
    let mut tensor = Tensor::zeros(view.shape());
    tensor.view_mut().copy_from(view);
    tensor
}

/// Whole numbers from −4 to 4: sums of products of them are exact in any order.
pub(crate) fn integers<T: Element>(key: &[u64]) -> impl FnMut(usize) -> T + use<T> {
    let stream = Stream::new(key);
    move |i| T::of((stream.at(i as u64) % 9) as f64 - 4.0)
}

/// Numbers in `[-1, 1)`.
pub(crate) fn reals<T: Element>(key: &[u64]) -> impl FnMut(usize) -> T + use<T> {
    let stream = Stream::new(key);
    move |i| T::of(f64::from(stream.uniform_at(i as u64)) * 2.0 - 1.0)
}

/// Bit patterns, to compare what `==` does not tell apart.
pub(crate) fn bits<T: Element>(data: &[T]) -> Vec<u64> {
    data.iter().map(|x| x.f64().to_bits()).collect()
}

/// `Σ a·b`.
pub(crate) fn dot<T: Element>(a: &[T], b: &[T]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a.f64() * b.f64()).sum()
}

/// Pools of 1, 2, 3 and 8 threads.
pub(crate) fn pools() -> [Pool; 4] {
    [1, 2, 3, 8].map(|threads| Pool::new(threads).expect("threads start"))
}

/// Compares a gradient with the five-point stencil of `f` along a random unit direction.
///
/// The relative error is taken over at least a hundredth of the gradient's norm, the size of the terms
/// that the derivative is a sum of, so that one near zero does not fail by cancellation;
/// what the rounding of `f` alone explains is no error.
pub(crate) fn check_gradient(
    name: &str,
    at: &[f64],
    gradient: &[f64],
    tolerance: f64,
    key: &[u64],
    f: impl Fn(&[f64]) -> f64,
) {
    const H: f64 = 1e-3;
    // Each value of `f` is rounded, and the stencil divides what is left of them.
    let noise = 8.0 * f64::EPSILON * f(at).abs() / H;
    if at.is_empty() {
        return;
    }
    let mut stream = Stream::new(key);
    let mut direction: Vec<f64> = at.iter().map(|_| stream.normal()).collect();
    let norm = dot(&direction, &direction).sqrt();
    direction.iter_mut().for_each(|d| *d /= norm);
    let step = |t: f64| {
        let moved: Vec<f64> = at.iter().zip(&direction).map(|(x, d)| x + t * d).collect();
        f(&moved)
    };
    let stencil = step(-2.0 * H) - 8.0 * step(-H) + 8.0 * step(H) - step(2.0 * H);
    let numeric = stencil / (12.0 * H);
    let analytic = dot(gradient, &direction);
    let scale = dot(gradient, gradient).sqrt();
    let excess = ((numeric - analytic).abs() - noise).max(0.0);
    let error = excess / analytic.abs().max(1e-2 * scale).max(1e-12);
    assert!(
        error <= tolerance,
        "{name}: derivative {numeric}, gradient says {analytic}, relative error {error:e}"
    );
}
