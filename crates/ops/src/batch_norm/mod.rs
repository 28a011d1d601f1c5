//! Batch normalisation over images and pixels, per channel (Ioffe and Szegedy 2015).
//!
//! Training is [`statistics`], [`normalize`] and [`backward_train`]; evaluation is
//! [`normalize`] with running statistics, or [`fold`] into the convolution before it.
//!
//! # Sources
//! Ioffe and Szegedy, "Batch normalization", 2015, algorithm 1 and §3; PyTorch
//! `BatchNorm2d` for the running statistics.
use crate::tile::assert_same;
use crate::{Activation, OpError};
use inception_tensor::{Element, Kept, Pool, Shape, Vectorize, View, ViewMut, with_scratch};

mod backward;
mod partial;
pub mod reference;
mod running;
mod statistics;

pub use backward::{Grads, backward_eval, backward_train};
pub use partial::workspace;
pub use running::{fold, update_running};
pub use statistics::statistics;

/// Per-channel vectors that a normalisation reads.
#[derive(Clone, Copy, Debug)]
pub struct Norm<'a, T> {
    /// Mean, of the batch or running.
    pub mean: &'a [T],
    /// Variance with divisor N, of the batch or running.
    pub var: &'a [T],
    /// γ; 1 where absent.
    pub gamma: Option<&'a [T]>,
    /// β; 0 where absent.
    pub beta: Option<&'a [T]>,
    /// Added to the variance.
    pub eps: f64,
}

impl<T: Element> Norm<'_, T> {
    /// `1/√(var + eps)` of channel `c`; 0 where both are 0, for there is nothing to scale.
    fn inverse_std(&self, c: usize) -> f64 {
        match self.var[c].f64() + self.eps {
            0.0 => 0.0,
            var => 1.0 / var.sqrt(),
        }
    }

    /// `γ/√(var + eps)` of channel `c`.
    fn scale(&self, c: usize) -> f64 {
        self.gamma.map_or(1.0, |gamma| gamma[c].f64()) * self.inverse_std(c)
    }

    /// β of channel `c`.
    fn shift(&self, c: usize) -> T {
        self.beta.map_or(T::zero(), |beta| beta[c])
    }

    /// Panics unless each vector has `channels` numbers.
    #[track_caller]
    fn assert_channels(&self, channels: usize) {
        let vectors = [Some(self.mean), Some(self.var), self.gamma, self.beta];
        for vector in vectors.into_iter().flatten() {
            assert_eq!(vector.len(), channels, "batch_norm: numbers of a vector");
        }
    }
}

/// Checks a training batch: each channel needs more than one value.
///
/// # Errors
/// When `x` has one pixel or none: its variance says nothing.
pub fn check_train(x: Shape) -> Result<(), OpError> {
    if x.rows() > 1 {
        return Ok(());
    }
    Err(OpError::Shape {
        op: "batch_norm",
        detail: format!("training needs more than 1 value per channel, found {x}"),
    })
}

/// `y = activation(γ·(x − mean)/√(var + eps) + β)`: both modes, after [`statistics`] in training.
///
/// The mean is subtracted first, so that a large one costs no accuracy.
///
/// # Shapes
/// `x` and `y` have as many pixels and channels; either may be a channel slice. The vectors
/// of `norm` have `c` numbers.
///
/// # Panics
/// When they do not.
pub fn normalize<T: Element, X: Kept>(
    pool: &Pool,
    norm: &Norm<'_, T>,
    activation: Activation,
    x: View<'_, X>,
    y: ViewMut<'_, X>,
) {
    let c = x.shape().c;
    assert_same("batch_norm", x.shape(), y.shape());
    norm.assert_channels(c);
    with_line(norm, |line| {
        pool.for_each_rows(y, partial::rows_per_part(c), |first, y| {
            pool.kernel().vectorize(Normalize {
                line,
                activation,
                x,
                first,
                y,
            });
        });
    });
}

/// The normalisation of consecutive pixels.
struct Normalize<'a, T, X> {
    line: Line<'a, T>,
    activation: Activation,
    x: View<'a, X>,
    /// The first pixel of `x`.
    first: usize,
    y: ViewMut<'a, X>,
}

impl<T: Element, X: Kept> Vectorize for Normalize<'_, T, X> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        let c = self.y.shape().c;
        let line = self.line.cut(c);
        for r in 0..self.y.shape().n {
            let (x, y) = (&self.x.row(self.first + r)[..c], self.y.row_mut(r));
            for i in 0..c {
                y[i] = X::keep(self.activation.apply(line.at(i, x[i].number())));
            }
        }
    }
}

/// What a normalisation does to each channel: `z = (x − mean)·scale + shift`.
#[derive(Clone, Copy)]
struct Line<'a, T> {
    mean: &'a [T],
    /// `γ/√(var + eps)`.
    scales: &'a [T],
    /// β.
    shifts: &'a [T],
}

impl<T: Element> Line<'_, T> {
    /// The first `c` channels, which spares loops over them the checks.
    #[inline(always)]
    fn cut(self, c: usize) -> Self {
        Self {
            mean: &self.mean[..c],
            scales: &self.scales[..c],
            shifts: &self.shifts[..c],
        }
    }

    /// `z` of channel `c`. The backward pass asks again for the sign of what the forward pass
    /// wrote, and gets the same bits.
    #[inline(always)]
    fn at(&self, c: usize, x: T) -> T {
        (x - self.mean[c]) * self.scales[c] + self.shifts[c]
    }
}

/// Calls `f` with the line of `norm`.
fn with_line<T: Element, R>(norm: &Norm<'_, T>, f: impl FnOnce(Line<'_, T>) -> R) -> R {
    let c = norm.mean.len();
    with_scratch(2 * c, |scratch| {
        let (scales, shifts) = scratch.split_at_mut(c);
        for i in 0..c {
            scales[i] = T::of(norm.scale(i));
            shifts[i] = norm.shift(i);
        }
        f(Line {
            mean: norm.mean,
            scales,
            shifts,
        })
    })
}
