//! Averages of stored maps.

use super::{Scale, rows_of_a_tile};
use crate::average::{Grid, Windows};
use crate::{PadCount, Window, adaptive_avg_pool as adaptive, avg_pool as sliding};
use inception_tensor::{Bf16, Pool, Stored, Vectorize, View, ViewMut, with_scratch};

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
    average(pool, grid, zero, x, y, |mean| S::encode(mean + zero));
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
    let zero = f32::from(scale.zero);
    average(pool, grid, zero, x, y, |mean| {
        Bf16::from_f32(mean * scale.step)
    });
}

/// `y[o] = finish(Σ_{i under o} (x[i] − zero) / count(o))`, pixels in order.
fn average<S: Stored, U: Stored, W: Windows>(
    pool: &Pool,
    grid: Grid<W>,
    zero: f32,
    x: View<'_, S>,
    y: ViewMut<'_, U>,
    finish: impl Fn(f32) -> U + Sync,
) {
    let shape = y.shape();
    let reads = (x.shape().rows() / shape.rows().max(1)).max(1);
    pool.for_each_rows(y, rows_of_a_tile(shape.c * reads), |first, mut block| {
        with_scratch(shape.c, |sums: &mut [f32]| {
            for r in 0..block.shape().n {
                let at = first + r;
                let (n, oy, ox) = (at / shape.w / shape.h, at / shape.w % shape.h, at % shape.w);
                let (rows, columns) = (grid.rows.cover(oy), grid.columns.cover(ox));
                sums.fill(0.0);
                for iy in rows.pixels.clone() {
                    for ix in columns.pixels.clone() {
                        let x = x.pixel(n, iy, ix);
                        pool.kernel().vectorize(Add { sums, zero, x });
                    }
                }
                let count = (rows.count * columns.count) as f32;
                for (y, sum) in block.row_mut(r).iter_mut().zip(&*sums) {
                    *y = finish(sum / count);
                }
            }
        });
    });
}

struct Add<'a, S> {
    sums: &'a mut [f32],
    zero: f32,
    x: &'a [S],
}

impl<S: Stored> Vectorize for Add<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (sum, x) in self.sums.iter_mut().zip(self.x) {
            *sum += x.decode() - self.zero;
        }
    }
}
