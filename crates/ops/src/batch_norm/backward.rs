//! Gradients, with the statistics of the batch or with frozen ones.

use super::partial::{self, Partials, Totals};
use super::{Line, Norm, with_line};
use crate::Activation;
use crate::relu::pass;
use crate::tile::{assert_same, chunk, pixels};
use inception_tensor::{Element, Kept, Pool, Shape, Vectorize, View, ViewMut};

/// Channels that are summed in registers.
const LANES: usize = 16;

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
struct Operands<'a, T, X> {
    activation: Activation,
    x: View<'a, X>,
    dy: View<'a, T>,
}

impl<'a, T: Element, X: Kept> Operands<'a, T, X> {
    /// Checks shapes.
    #[track_caller]
    fn new(norm: &Norm<'_, T>, activation: Activation, x: View<'a, X>, dy: View<'a, T>) -> Self {
        assert_same("batch_norm", x.shape(), dy.shape());
        norm.assert_channels(x.shape().c);
        Self { activation, x, dy }
    }
}

impl<T: Element> Grads<'_, T> {
    #[track_caller]
    fn assert_shapes(&self, x: Shape) {
        if let Some(dx) = &self.dx {
            assert_same("batch_norm", x, dx.shape());
        }
        for vector in [&self.dgamma, &self.dbeta].into_iter().flatten() {
            assert_eq!(vector.len(), x.c, "batch_norm: numbers of a gradient");
        }
    }
}

/// Training: the statistics depend on `x`. The mask of a ReLU is where the output is above 0,
/// which is computed from `x` again: that costs two operations where reading the output would
/// cost its bytes.
///
/// With `dz` the gradient before the activation, `x̂ = (x − mean)/√(var + eps)` and sums over
/// the N values of a channel: `dβ = Σ dz`, `dγ = Σ dz·x̂`,
/// `dx = γ/√(var + eps)·(dz − dβ/N − x̂·dγ/N)`.
///
/// # Shapes
/// `x`, `dy` and `dx` have as many pixels and channels; each may be a channel slice.
/// The vectors of `norm`, `dgamma` and `dbeta` have `c` numbers, `workspace` at least
/// [`workspace`](super::workspace).
///
/// # Panics
/// When they do not.
pub fn backward_train<T: Element, X: Kept>(
    pool: &Pool,
    norm: &Norm<'_, T>,
    activation: Activation,
    x: View<'_, X>,
    dy: View<'_, T>,
    grads: Grads<'_, T>,
    workspace: &mut [T],
) {
    let operands = Operands::new(norm, activation, x, dy);
    grads.assert_shapes(x.shape());
    let (c, count) = (x.shape().c, x.shape().rows() as f64);
    let partial::Split {
        mut partials,
        coefficients,
    } = partial::split(x.shape(), workspace);
    operands.sums(pool, norm, &mut partials);
    let (offsets, slopes) = coefficients.split_at_mut(c);
    partials.totals(pool, |totals| {
        for (i, (offset, slope)) in offsets.iter_mut().zip(slopes).enumerate() {
            let (sums, inverse) = (totals.of(i), norm.inverse_std(i));
            *offset = T::of(sums.first / count);
            *slope = T::of(sums.second * inverse * inverse / count);
        }
        write_vectors(norm, totals, grads.dgamma, grads.dbeta);
    });
    let Some(dx) = grads.dx else { return };
    let (offsets, slopes) = coefficients.split_at(c);
    let correction = Correction {
        offsets,
        slopes: &slopes[..c],
    };
    operands.write(pool, norm, correction, dx);
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
pub fn backward_eval<T: Element, X: Kept>(
    pool: &Pool,
    norm: &Norm<'_, T>,
    activation: Activation,
    x: View<'_, X>,
    dy: View<'_, T>,
    grads: Grads<'_, T>,
    workspace: &mut [T],
) {
    let operands = Operands::new(norm, activation, x, dy);
    grads.assert_shapes(x.shape());
    if grads.dgamma.is_some() || grads.dbeta.is_some() {
        let mut partials = partial::split(x.shape(), workspace).partials;
        operands.sums(pool, norm, &mut partials);
        partials.totals(pool, |totals| {
            write_vectors(norm, totals, grads.dgamma, grads.dbeta);
        });
    }
    let Some(dx) = grads.dx else { return };
    operands.write(pool, norm, Constant, dx);
}

/// `dγ` and `dβ` from the sums of `dz·(x − mean)` and `dz`.
fn write_vectors<T: Element>(
    norm: &Norm<'_, T>,
    totals: Totals<'_>,
    dgamma: Option<&mut [T]>,
    dbeta: Option<&mut [T]>,
) {
    for (c, d) in dgamma.into_iter().flatten().enumerate() {
        *d = T::of(totals.of(c).second * norm.inverse_std(c));
    }
    for (c, d) in dbeta.into_iter().flatten().enumerate() {
        *d = T::of(totals.of(c).first);
    }
}

/// What statistics that depend on the input take from its gradient.
trait Statistics<T>: Copy + Send + Sync {
    /// Of `c` channels: spares loops over them the checks.
    fn cut(self, c: usize) -> Self;

    /// `dz` without the share of channel `c`'s statistics; `x` has the mean taken off.
    fn correct(&self, c: usize, dz: T, x: T) -> T;
}

/// Statistics that depend on nothing.
#[derive(Clone, Copy)]
struct Constant;

impl<T> Statistics<T> for Constant {
    #[inline(always)]
    fn cut(self, _: usize) -> Self {
        self
    }

    #[inline(always)]
    fn correct(&self, _: usize, dz: T, _: T) -> T {
        dz
    }
}

/// Statistics of the batch.
#[derive(Clone, Copy)]
struct Correction<'a, T> {
    /// `Σ dz/N`.
    offsets: &'a [T],
    /// `Σ dz·(x − mean)/(N·(var + eps))`.
    slopes: &'a [T],
}

impl<T: Element> Statistics<T> for Correction<'_, T> {
    #[inline(always)]
    fn cut(self, c: usize) -> Self {
        Self {
            offsets: &self.offsets[..c],
            slopes: &self.slopes[..c],
        }
    }

    #[inline(always)]
    fn correct(&self, c: usize, dz: T, x: T) -> T {
        dz - self.offsets[c] - x * self.slopes[c]
    }
}

impl<T: Element, X: Kept> Operands<'_, T, X> {
    /// `Σ dz` and `Σ dz·(x − mean)` of each channel.
    fn sums(&self, pool: &Pool, norm: &Norm<'_, T>, partials: &mut Partials<'_, T>) {
        let shape = self.x.shape();
        with_line(norm, |line| {
            partials.compute(pool, shape.rows(), |first, rows, sums| {
                let (plain, weighted) = sums.split_at_mut(shape.c);
                pool.sweep(PartSums {
                    operands: *self,
                    line,
                    first,
                    rows,
                    plain,
                    weighted,
                });
            });
        });
    }

    /// `dx = scale·(dz − what the statistics take)`.
    fn write(
        &self,
        pool: &Pool,
        norm: &Norm<'_, T>,
        statistics: impl Statistics<T>,
        dx: ViewMut<'_, T>,
    ) {
        let rows = partial::rows_per_part(dx.shape().c);
        with_line(norm, |line| {
            pool.for_each_rows(dx, rows, |first, dx| {
                pool.sweep(PartGradient {
                    operands: *self,
                    line,
                    statistics,
                    first,
                    dx,
                });
            });
        });
    }
}

/// Adds up the gradients of consecutive pixels, four at a time.
struct PartSums<'a, T, X> {
    operands: Operands<'a, T, X>,
    line: Line<'a, T>,
    first: usize,
    rows: usize,
    plain: &'a mut [f64],
    weighted: &'a mut [f64],
}

impl<T: Element, X: Kept> Vectorize for PartSums<'_, T, X> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        let end = self.first + self.rows;
        let mut row = self.first;
        while row + 4 <= end {
            self.add::<4>(row);
            row += 4;
        }
        for row in row..end {
            self.add::<1>(row);
        }
    }
}

impl<T: Element, X: Kept> PartSums<'_, T, X> {
    /// Adds `N` pixels, among themselves in `T`.
    #[inline(always)]
    fn add<const N: usize>(&mut self, first: usize) {
        match self.operands.activation {
            Activation::None => self.add_rows::<N, false>(first),
            Activation::Relu => self.add_rows::<N, true>(first),
        }
    }

    #[inline(always)]
    fn add_rows<const N: usize, const RELU: bool>(&mut self, first: usize) {
        let Operands { x, dy, .. } = self.operands;
        let (x, dy): ([_; N], [_; N]) = (pixels(&x, first), pixels(&dy, first));
        let (mut c, channels) = (0, self.plain.len());
        while c + LANES <= channels {
            self.add_channels::<N, LANES, RELU>(c, x, dy);
            c += LANES;
        }
        for c in c..channels {
            self.add_channels::<N, 1, RELU>(c, x, dy);
        }
    }

    /// Channels `first .. first + L`, taken by value: no memory that they might share has to be
    /// told apart.
    #[inline(always)]
    fn add_channels<const N: usize, const L: usize, const RELU: bool>(
        &mut self,
        first: usize,
        x: [&[X]; N],
        dy: [&[T]; N],
    ) {
        let Line {
            mean,
            scales,
            shifts,
        } = self.line;
        let mean: [T; L] = chunk(mean, first);
        let (scales, shifts): ([T; L], [T; L]) = (chunk(scales, first), chunk(shifts, first));
        let (mut p, mut w) = ([T::zero(); L], [T::zero(); L]);
        for (x, dy) in x.into_iter().zip(dy) {
            let (x, dy): ([X; L], [T; L]) = (chunk(x, first), chunk(dy, first));
            for i in 0..L {
                let x = x[i].number::<T>() - mean[i];
                let d = match RELU {
                    true => pass(x * scales[i] + shifts[i], dy[i]),
                    false => dy[i],
                };
                p[i] += d;
                w[i] += d * x;
            }
        }
        for (sums, terms) in [(&mut *self.plain, p), (&mut *self.weighted, w)] {
            for (sum, term) in sums[first..first + L].iter_mut().zip(terms) {
                *sum += term.f64();
            }
        }
    }
}

/// The gradients of consecutive pixels.
struct PartGradient<'a, T, X, S> {
    operands: Operands<'a, T, X>,
    line: Line<'a, T>,
    statistics: S,
    first: usize,
    dx: ViewMut<'a, T>,
}

impl<T: Element, X: Kept, S: Statistics<T>> Vectorize for PartGradient<'_, T, X, S> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        let c = self.dx.shape().c;
        let (line, statistics) = (self.line.cut(c), self.statistics.cut(c));
        let Operands { activation, x, dy } = self.operands;
        for r in 0..self.dx.shape().n {
            let (x, dy) = (&x.row(self.first + r)[..c], &dy.row(self.first + r)[..c]);
            let dx = self.dx.row_mut(r);
            for i in 0..c {
                let x = x[i].number();
                let dz = match activation {
                    Activation::None => dy[i],
                    Activation::Relu => pass(line.at(i, x), dy[i]),
                };
                dx[i] = line.scales[i] * statistics.correct(i, dz, x - line.mean[i]);
            }
        }
    }
}
