//! Averages of stored maps.

use super::{Scale, rows_of_a_tile};
use crate::average::{Grid, Windows};
use crate::{PadCount, Window, adaptive_avg_pool as adaptive, avg_pool as sliding};
use inception_tensor::{Bf16, Pool, Shape, Stored, Vectorize, View, ViewMut, with_scratch};

/// The mean of each window, stored as `x` is; see [`avg_pool::forward`](sliding::forward).
///
/// # Shapes
/// `x` is `[n, h, w, c]`, `y` what [`avg_pool::shape`](sliding::shape) says.
///
/// # Panics
/// When `y` has another shape, or the window does not fit.
pub fn avg_pool<S: Stored>(
    pool: &Pool,
    window: &Window,
    count: PadCount,
    scale: Scale,
    x: View<'_, S>,
    y: ViewMut<'_, S>,
) {
    let grid = sliding::grid(window, count, x.shape(), y.shape());
    let zero = f32::from(scale.zero);
    // What is missing of a window counts as 0, not as byte 0.
    let line = Line {
        zero,
        factor: 1.0,
        shift: zero,
    };
    average(pool, grid, line, x, y);
}

/// The mean of windows that divide the input evenly;
/// see [`adaptive_avg_pool::forward`](adaptive::forward).
///
/// # Shapes
/// `x` is `[n, h, w, c]`, `y` is `[n, oh, ow, c]`.
///
/// # Panics
/// When they differ in images or channels, or have no pixels.
pub fn adaptive_avg_pool<S: Stored>(
    pool: &Pool,
    scale: Scale,
    x: View<'_, S>,
    y: ViewMut<'_, Bf16>,
) {
    let grid = adaptive::grid(x.shape(), y.shape());
    let line = Line {
        zero: f32::from(scale.zero),
        factor: scale.step,
        shift: 0.0,
    };
    average(pool, grid, line, x, y);
}

/// What a mean is stored as: `(mean − zero)·factor + shift`.
#[derive(Clone, Copy)]
struct Line {
    zero: f32,
    factor: f32,
    shift: f32,
}

/// `y[o] = Σ_{i under o} (x[i] − zero) / count(o)·factor + shift`, pixels in order.
fn average<S: Stored, U: Stored, W: Windows>(
    pool: &Pool,
    grid: Grid<W>,
    line: Line,
    x: View<'_, S>,
    y: ViewMut<'_, U>,
) {
    let whole = y.shape();
    let reads = (x.shape().rows() / whole.rows().max(1)).max(1);
    pool.for_each_rows(y, rows_of_a_tile(whole.c * reads), |first, block| {
        with_scratch(whole.c, |sums: &mut [f32]| {
            pool.kernel().vectorize(Average {
                grid,
                line,
                whole,
                x,
                first,
                sums,
                block,
            });
        });
    });
}

/// Consecutive pixels of the output.
struct Average<'a, S, U, W> {
    grid: Grid<W>,
    line: Line,
    whole: Shape,
    x: View<'a, S>,
    first: usize,
    /// Room for a pixel.
    sums: &'a mut [f32],
    block: ViewMut<'a, U>,
}

impl<S: Stored, U: Stored, W: Windows> Vectorize for Average<'_, S, U, W> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        let Line {
            zero,
            factor,
            shift,
        } = self.line;
        let Shape { h, w, .. } = self.whole;
        for r in 0..self.block.shape().n {
            let at = self.first + r;
            let (n, oy, ox) = (at / w / h, at / w % h, at % w);
            let (rows, columns) = (self.grid.rows.cover(oy), self.grid.columns.cover(ox));
            self.sums.fill(0.0);
            for iy in rows.pixels.clone() {
                for ix in columns.pixels.clone() {
                    for (sum, x) in self.sums.iter_mut().zip(self.x.pixel(n, iy, ix)) {
                        *sum += x.decode() - zero;
                    }
                }
            }
            let count = (rows.count * columns.count) as f32;
            for (y, sum) in self.block.row_mut(r).iter_mut().zip(&*self.sums) {
                *y = U::encode(sum / count * factor + shift);
            }
        }
    }
}
