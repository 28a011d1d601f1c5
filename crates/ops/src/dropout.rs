//! Inverted dropout.
//!
//! # Sources
//! Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting",
//! JMLR 15, 2014.
use crate::OpError;
use crate::tile::for_each_run;
use inception_tensor::{Element, Pool, Stream, View, ViewMut};

/// Checks `0 ≤ rate < 1`.
///
/// # Errors
/// When it is not so; a NaN is not.
pub fn check(rate: f64) -> Result<(), OpError> {
    if (0.0..1.0).contains(&rate) {
        return Ok(());
    }
    Err(OpError::Setting {
        op: "dropout",
        detail: format!("the rate must be at least 0 and below 1, found {rate}"),
    })
}

/// `y = x·mask/(1 − rate)`, where number `i` of the map (in `[n, h, w, c]` order) is kept
/// when `stream.uniform_at(i) >= rate`. The backward pass is the same function of `dy`.
///
/// A dropped number gives 0 whatever it was. The mask is a function of the stream and the
/// place alone: it is made again in the backward pass and not kept.
///
/// # Shapes
/// `x` and `y` have as many pixels and channels; a channel slice counts its own channels.
///
/// # Panics
/// When they do not, or [`check`] refuses `rate`.
///
/// # Examples
/// ```
/// use inception_ops::dropout;
/// use inception_tensor::{Pool, Shape, Stream, Tensor};
///
/// let x = Tensor::from_fn(Shape::matrix(1, 1000), |_| 1.0f32);
/// let mut y = Tensor::zeros(x.shape());
/// dropout::apply(&Pool::serial(), 0.5, &Stream::new(&[7]), x.view(), y.view_mut());
/// assert!(y.data().iter().all(|&v| v == 0.0 || v == 2.0));
/// ```
pub fn apply<T: Element>(
    pool: &Pool,
    rate: f64,
    stream: &Stream,
    x: View<'_, T>,
    y: ViewMut<'_, T>,
) {
    check(rate).unwrap_or_else(|error| panic!("{error}"));
    let scale = T::of(1.0 / (1.0 - rate));
    // `uniform_at` is a whole number of 24 bits over 2²⁴, so the comparison is one of
    // whole numbers, without rounding.
    let threshold = (rate * f64::from(1u32 << 24)).ceil() as u64;
    for_each_run(pool, "dropout", [x], y, |at, [x], y| {
        for (i, (y, &x)) in (at as u64..).zip(y.iter_mut().zip(x)) {
            let kept = stream.at(i) >> 40 >= threshold;
            *y = if kept { x * scale } else { T::zero() };
        }
    });
}

/// Plain loops.
pub mod reference {
    use inception_tensor::{Element, Stream, Tensor};

    /// `y = x·mask/(1 − rate)`.
    pub fn apply<T: Element>(rate: f64, stream: &Stream, x: &Tensor<T>) -> Tensor<T> {
        Tensor::from_fn(x.shape(), |i| {
            if f64::from(stream.uniform_at(i as u64)) >= rate {
                x.data()[i] * T::of(1.0 / (1.0 - rate))
            } else {
                T::zero()
            }
        })
    }
}
