//! Weighted sums of maps: residual connections, total losses, gradients that meet.
use crate::tile::{Spans, assert_same, cut, for_each_span, span};
use crate::{Activation, OpError};
use inception_tensor::{Element, Pool, Shape, Vectorize, View, ViewMut};

/// Numbers added at a time: they stay in the first-level cache over all operands.
const STRIP: usize = 1 << 11;

/// Shape of the sum; all operands have it.
///
/// # Errors
/// When there is no operand, or two differ.
pub fn shape(xs: &[Shape]) -> Result<Shape, OpError> {
    let fail = |detail| OpError::Shape { op: "sum", detail };
    let Some(&first) = xs.first() else {
        return Err(fail("needs at least one operand".to_owned()));
    };
    match xs.iter().enumerate().find(|&(_, &x)| x != first) {
        Some((i, x)) => Err(fail(format!(
            "operand {i} is {x}, expected the shape of operand 0, {first}"
        ))),
        None => Ok(first),
    }
}

/// `y = activation(Σ_i scales[i]·xs[i])`, added from left to right.
///
/// # Shapes
/// All `xs` and `y` have as many pixels and channels.
///
/// # Panics
/// When they do not, `xs` is empty, or there are not as many `scales`.
///
/// # Examples
/// ```
/// use inception_ops::{Activation, sum};
/// use inception_tensor::{Pool, Shape, Tensor};
///
/// let a = Tensor::from_vec(Shape::vector(2), vec![1.0f32, 2.0]);
/// let b = Tensor::from_vec(Shape::vector(2), vec![10.0f32, -20.0]);
/// let mut y = Tensor::zeros(a.shape());
/// let pool = Pool::serial();
/// sum::forward(&pool, &[a.view(), b.view()], &[1.0, 0.5], Activation::Relu, y.view_mut());
/// assert_eq!(y.data(), [6.0, 0.0]);
/// ```
pub fn forward<T: Element>(
    pool: &Pool,
    xs: &[View<'_, T>],
    scales: &[f64],
    activation: Activation,
    y: ViewMut<'_, T>,
) {
    assert!(!xs.is_empty(), "sum: needs at least one operand");
    add(pool, None, xs, scales, activation, y);
}

/// `y = activation(scale·y + Σ_i scales[i]·xs[i])`: the first operand is in `y` already.
///
/// # Shapes
/// All `xs` and `y` have as many pixels and channels; `xs` may be empty.
///
/// # Panics
/// When they do not, or there are not as many `scales`.
pub fn forward_in_place<T: Element>(
    pool: &Pool,
    scale: f64,
    xs: &[View<'_, T>],
    scales: &[f64],
    activation: Activation,
    y: ViewMut<'_, T>,
) {
    add(pool, Some(scale), xs, scales, activation, y);
}

/// The sum, with `y` as its first operand where it has a `scale`.
fn add<T: Element>(
    pool: &Pool,
    scale: Option<f64>,
    xs: &[View<'_, T>],
    scales: &[f64],
    activation: Activation,
    y: ViewMut<'_, T>,
) {
    assert_eq!(xs.len(), scales.len(), "sum: operands and scales");
    xs.iter()
        .for_each(|x| assert_same("sum", x.shape(), y.shape()));
    for_each_span(pool, Spans::of(xs, &y), y, |first, rows, y| {
        pool.sweep(Span {
            scale: scale.map(T::of),
            xs,
            scales,
            activation,
            first,
            rows,
            y,
        });
    });
}

/// A span of a sum.
struct Span<'a, T> {
    scale: Option<T>,
    xs: &'a [View<'a, T>],
    scales: &'a [f64],
    activation: Activation,
    /// Its first pixel.
    first: usize,
    rows: usize,
    y: &'a mut [T],
}

impl<T: Element> Vectorize for Span<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (i, y) in self.y.chunks_mut(STRIP).enumerate() {
            let len = y.len();
            let terms = self.xs.iter().zip(self.scales).map(|(x, &scale)| Term {
                scale: T::of(scale),
                x: &span(x, self.first, self.rows)[i * STRIP..][..len],
            });
            add_strip(self.scale, terms, self.activation, y);
        }
    }
}

/// One operand of a sum.
struct Term<'a, T> {
    scale: T,
    x: &'a [T],
}

/// The sum of one strip, two terms at a time: a term more costs a load where another pass
/// would cost a store too. A first term without a `y` before it is written, not added.
#[inline(always)]
fn add_strip<'a, T: Element>(
    scale: Option<T>,
    mut terms: impl Iterator<Item = Term<'a, T>>,
    activation: Activation,
    y: &mut [T],
) {
    match scale {
        Some(scale) if scale != T::one() => y.iter_mut().for_each(|y| *y *= scale),
        Some(_) => {}
        None => {
            let a = terms.next().expect("a sum has an operand");
            match terms.next() {
                None => each(y, [a.x], |_, [x]| a.scale * x),
                Some(b) => each(y, [a.x, b.x], |_, [p, q]| a.scale * p + b.scale * q),
            }
        }
    }
    while let Some(a) = terms.next() {
        match terms.next() {
            None => each(y, [a.x], |y, [x]| y + a.scale * x),
            Some(b) => each(y, [a.x, b.x], |y, [p, q]| y + a.scale * p + b.scale * q),
        }
    }
    if activation == Activation::Relu {
        y.iter_mut().for_each(|y| *y = Activation::Relu.apply(*y));
    }
}

/// `y[i] = f(y[i], xs[..][i])`.
#[inline(always)]
fn each<T: Element, const N: usize>(y: &mut [T], xs: [&[T]; N], f: impl Fn(T, [T; N]) -> T) {
    let len = y.len();
    let (y, xs) = (&mut y[..len], cut(xs, len));
    for i in 0..len {
        y[i] = f(y[i], xs.map(|x| x[i]));
    }
}

/// Plain loops.
pub mod reference {
    use crate::Activation;
    use inception_tensor::{Element, Tensor};

    /// `y = activation(Σ_i scales[i]·xs[i])`.
    pub fn forward<T: Element>(
        xs: &[Tensor<T>],
        scales: &[f64],
        activation: Activation,
    ) -> Tensor<T> {
        Tensor::from_fn(xs[0].shape(), |i| {
            let terms = xs.iter().zip(scales);
            let mut products = terms.map(|(x, &s)| T::of(s) * x.data()[i]);
            let first = products.next().expect("a sum has an operand");
            activation.apply(products.fold(first, |sum, p| sum + p))
        })
    }
}
