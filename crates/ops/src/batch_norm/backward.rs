//! Gradients, with the statistics of the batch or with frozen ones.

use super::Norm;
use super::partial::{self, Partials};
use crate::Activation;
use crate::relu::pass;
use crate::tile::assert_same;
use inception_tensor::{Element, Pool, View, ViewMut, with_scratch};

/// Gradients that a backward function writes.
#[derive(Debug)]
pub struct Grads<'a, T> {
    /// Of the input; left out where nobody asks.
    pub dx: Option<ViewMut<'a, T>>,
    /// Of γ.
    pub dgamma: Option<&'a mut [T]>,
    /// Of β.
    pub dbeta: Option<&'a mut [T]>,
}

/// What a backward pass reads.
#[derive(Clone, Copy)]
struct Operands<'a, T> {
    x: View<'a, T>,
    dy: View<'a, T>,
    /// The output, where its sign masks the gradient.
    y: Option<View<'a, T>>,
}

impl<'a, T: Element> Operands<'a, T> {
    /// Checks shapes; keeps `y` only where `activation` needs it.
    #[track_caller]
    fn new(
        norm: &Norm<'_, T>,
        activation: Activation,
        x: View<'a, T>,
        y: Option<View<'a, T>>,
        dy: View<'a, T>,
    ) -> Self {
        assert_same("batch_norm", x.shape(), dy.shape());
        norm.assert_channels(x.shape().c);
        let y = match activation {
            Activation::None => None,
            Activation::Relu => {
                let y = y.expect("batch_norm: the gradient of a ReLU needs its output");
                assert_same("batch_norm", x.shape(), y.shape());
                Some(y)
            }
        };
        Self { x, dy, y }
    }
}

impl<T: Element> Grads<'_, T> {
    #[track_caller]
    fn assert_shapes(&self, x: View<'_, T>) {
        if let Some(dx) = &self.dx {
            assert_same("batch_norm", x.shape(), dx.shape());
        }
        for vector in [&self.dgamma, &self.dbeta].into_iter().flatten() {
            assert_eq!(
                vector.len(),
                x.shape().c,
                "batch_norm: numbers of a gradient"
            );
        }
    }
}

/// Training: the statistics depend on `x`. `y` is the output, needed when `activation` is
/// ReLU (its mask is `y > 0`).
///
/// With `dz` the gradient before the activation, `x̂ = (x − mean)/√(var + eps)` and sums over
/// the N values of a channel: `dβ = Σ dz`, `dγ = Σ dz·x̂`,
/// `dx = γ/√(var + eps)·(dz − dβ/N − x̂·dγ/N)`.
///
/// # Shapes
/// `x`, `y`, `dy` and `dx` have as many pixels and channels; each may be a channel slice.
/// The vectors of `norm`, `dgamma` and `dbeta` have `c` numbers, `workspace` at least
/// [`workspace`](super::workspace).
///
/// # Panics
/// When they do not, or `y` is missing where it is needed.
#[allow(clippy::too_many_arguments, reason = "operands of one formula")]
pub fn backward_train<T: Element>(
    pool: &Pool,
    norm: &Norm<'_, T>,
    activation: Activation,
    x: View<'_, T>,
    y: Option<View<'_, T>>,
    dy: View<'_, T>,
    grads: Grads<'_, T>,
    workspace: &mut [T],
) {
    let operands = Operands::new(norm, activation, x, y, dy);
    grads.assert_shapes(x);
    let (c, count) = (x.shape().c, x.shape().rows() as f64);
    let partial::Split {
        mut partials,
        coefficients,
    } = partial::split(x.shape(), workspace);
    operands.sums(pool, norm.mean, &mut partials);
    let (offsets, slopes) = coefficients.split_at_mut(c);
    for (i, (offset, slope)) in offsets.iter_mut().zip(slopes).enumerate() {
        let (sums, inverse) = (partials.total(i), norm.inverse_std(i));
        *offset = T::of(sums.first / count);
        *slope = T::of(sums.second * inverse * inverse / count);
    }
    write_vectors(norm, &partials, grads.dgamma, grads.dbeta);
    let Some(dx) = grads.dx else { return };
    let (offsets, slopes) = coefficients.split_at(c);
    for_each_scaled_row(pool, norm, dx, |row, scales, dx| {
        let terms = Terms {
            x: operands.x.row(row),
            mean: norm.mean,
            scales,
            offsets,
            slopes: &slopes[..c],
        };
        let dy = &operands.dy.row(row)[..c];
        match operands.y.map(|y| &y.row(row)[..c]) {
            None => terms.write(|i| dy[i], dx),
            Some(y) => terms.write(|i| pass(y[i], dy[i]), dx),
        }
    });
}

/// Frozen statistics: the statistics are constants.
///
/// With `dz` the gradient before the activation: `dx = γ/√(var + eps)·dz`, `dβ = Σ dz`,
/// `dγ = Σ dz·(x − mean)/√(var + eps)`.
///
/// # Shapes
/// As [`backward_train`].
///
/// # Panics
/// As [`backward_train`].
#[allow(clippy::too_many_arguments, reason = "operands of one formula")]
pub fn backward_eval<T: Element>(
    pool: &Pool,
    norm: &Norm<'_, T>,
    activation: Activation,
    x: View<'_, T>,
    y: Option<View<'_, T>>,
    dy: View<'_, T>,
    grads: Grads<'_, T>,
    workspace: &mut [T],
) {
    let operands = Operands::new(norm, activation, x, y, dy);
    grads.assert_shapes(x);
    if grads.dgamma.is_some() || grads.dbeta.is_some() {
        let mut partials = partial::split(x.shape(), workspace).partials;
        operands.sums(pool, norm.mean, &mut partials);
        write_vectors(norm, &partials, grads.dgamma, grads.dbeta);
    }
    let Some(dx) = grads.dx else { return };
    for_each_scaled_row(pool, norm, dx, |row, scales, dx| {
        let c = dx.len();
        let (dy, scales) = (&operands.dy.row(row)[..c], &scales[..c]);
        match operands.y.map(|y| &y.row(row)[..c]) {
            None => (0..c).for_each(|i| dx[i] = scales[i] * dy[i]),
            Some(y) => (0..c).for_each(|i| dx[i] = scales[i] * pass(y[i], dy[i])),
        }
    });
}

/// `dγ` and `dβ` from the sums of `dz·(x − mean)` and `dz`.
fn write_vectors<T: Element>(
    norm: &Norm<'_, T>,
    partials: &Partials<'_, T>,
    dgamma: Option<&mut [T]>,
    dbeta: Option<&mut [T]>,
) {
    for (c, d) in dgamma.into_iter().flatten().enumerate() {
        *d = T::of(partials.total(c).second * norm.inverse_std(c));
    }
    for (c, d) in dbeta.into_iter().flatten().enumerate() {
        *d = T::of(partials.total(c).first);
    }
}

/// Calls `f(pixel, γ/√(var + eps), dx)` for each pixel, in parallel.
fn for_each_scaled_row<T: Element>(
    pool: &Pool,
    norm: &Norm<'_, T>,
    dx: ViewMut<'_, T>,
    f: impl Fn(usize, &[T], &mut [T]) + Send + Sync,
) {
    let c = dx.shape().c;
    pool.for_each_rows(dx, partial::rows_per_part(c), |first, mut block| {
        with_scratch(c, |scales| {
            for (i, scale) in scales.iter_mut().enumerate() {
                *scale = T::of(norm.scale(i));
            }
            for r in 0..block.shape().n {
                f(first + r, scales, block.row_mut(r));
            }
        });
    });
}

/// What the gradient of one pixel is made of, beside `dz`.
struct Terms<'a, T> {
    x: &'a [T],
    mean: &'a [T],
    scales: &'a [T],
    /// `Σ dz/N`.
    offsets: &'a [T],
    /// `Σ dz·(x − mean)/(N·(var + eps))`.
    slopes: &'a [T],
}

impl<T: Element> Terms<'_, T> {
    /// `dx = scale·(dz − offset − (x − mean)·slope)`.
    #[inline(always)]
    fn write(&self, dz: impl Fn(usize) -> T, dx: &mut [T]) {
        let c = dx.len();
        let (x, mean, scales) = (&self.x[..c], &self.mean[..c], &self.scales[..c]);
        let (offsets, slopes) = (&self.offsets[..c], &self.slopes[..c]);
        for i in 0..c {
            dx[i] = scales[i] * (dz(i) - offsets[i] - (x[i] - mean[i]) * slopes[i]);
        }
    }
}

impl<T: Element> Operands<'_, T> {
    /// `Σ dz` and `Σ dz·(x − mean)` of each channel.
    fn sums(&self, pool: &Pool, mean: &[T], partials: &mut Partials<'_, T>) {
        let shape = self.x.shape();
        partials.compute(pool, shape.rows(), |first, rows, sums| {
            let (plain, weighted) = sums.split_at_mut(shape.c);
            let mut row = first;
            while row + 4 <= first + rows {
                self.add(mean, [0, 1, 2, 3].map(|j| row + j), plain, weighted);
                row += 4;
            }
            for row in row..first + rows {
                self.add(mean, [row], plain, weighted);
            }
        });
    }

    /// Adds `N` pixels, among themselves in `T`.
    #[inline(always)]
    fn add<const N: usize>(
        &self,
        mean: &[T],
        pixels: [usize; N],
        plain: &mut [f64],
        weighted: &mut [f64],
    ) {
        let c = mean.len();
        let x = pixels.map(|p| &self.x.row(p)[..c]);
        let dy = pixels.map(|p| &self.dy.row(p)[..c]);
        let sums = [&mut plain[..c], &mut weighted[..c]];
        match self.y {
            None => add_rows(mean, x, |j, i| dy[j][i], sums),
            Some(y) => {
                let y = pixels.map(|p| &y.row(p)[..c]);
                add_rows(mean, x, |j, i| pass(y[j][i], dy[j][i]), sums);
            }
        }
    }
}

/// Adds `dz(j, c)` and `dz(j, c)·(x[j][c] − mean[c])` over `j` to the sums.
#[inline(always)]
fn add_rows<T: Element, const N: usize>(
    mean: &[T],
    x: [&[T]; N],
    dz: impl Fn(usize, usize) -> T,
    [plain, weighted]: [&mut [f64]; 2],
) {
    let len = mean.len();
    let (plain, weighted, x) = (
        &mut plain[..len],
        &mut weighted[..len],
        x.map(|x| &x[..len]),
    );
    for c in 0..len {
        let (mut p, mut w) = (T::zero(), T::zero());
        for (j, x) in x.iter().enumerate() {
            let d = dz(j, c);
            p += d;
            w += d * (x[c] - mean[c]);
        }
        plain[c] += p.f64();
        weighted[c] += w.f64();
    }
}
