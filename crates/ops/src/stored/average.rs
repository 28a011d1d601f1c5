//! Averages of stored maps.

use super::{Scale, rows_of_a_tile};
use crate::average::{Cover, Grid, Windows};
use crate::avg_pool::walk::{self, Mean};
use crate::tile::{chunk, starts};
use crate::{PadCount, Window, adaptive_avg_pool as adaptive, avg_pool as sliding};
use inception_tensor::{Bf16, Pool, Shape, Stored, Vectorize, View, ViewMut};

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
    match walk::suits(&grid) {
        true => walk::means(pool, grid, line, x, y),
        false => average(pool, grid, line, x, y),
    }
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

impl<S: Stored, U: Stored> Mean<S, U> for Line {
    type Sum = f32;

    #[inline(always)]
    fn none() -> f32 {
        0.0
    }

    #[inline(always)]
    fn term(self, x: S) -> f32 {
        x.decode() - self.zero
    }

    #[inline(always)]
    fn factor(self, count: usize) -> f32 {
        self.factor / count as f32
    }

    #[inline(always)]
    fn mean(self, sum: f32, factor: f32) -> U {
        U::encode(sum * factor + self.shift)
    }
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
        pool.kernel().vectorize(Average {
            grid,
            line,
            whole,
            x,
            first,
            block,
        });
    });
}

/// Channels whose sums stay in registers.
const CHANNELS: usize = 64;
/// The same of narrow maps.
const NARROW: usize = 16;

/// Consecutive pixels of the output.
struct Average<'a, S, U, W> {
    grid: Grid<W>,
    line: Line,
    whole: Shape,
    x: View<'a, S>,
    first: usize,
    block: ViewMut<'a, U>,
}

impl<S: Stored, U: Stored, W: Windows> Vectorize for Average<'_, S, U, W> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        let Shape { h, w, c, .. } = self.whole;
        for r in 0..self.block.shape().n {
            let at = self.first + r;
            let (oy, ox) = (at / w % h, at % w);
            let under = Under {
                n: at / w / h,
                rows: self.grid.rows.cover(oy),
                columns: self.grid.columns.cover(ox),
            };
            match c {
                CHANNELS.. => self.chunks::<CHANNELS>(r, &under),
                NARROW.. => self.chunks::<NARROW>(r, &under),
                _ => self.chunks::<1>(r, &under),
            }
        }
    }
}

/// What a window lies on.
struct Under {
    n: usize,
    rows: Cover,
    columns: Cover,
}

impl<S: Stored, U: Stored, W: Windows> Average<'_, S, U, W> {
    /// All channels of pixel `r` of the block, `N` at a time.
    #[inline(always)]
    fn chunks<const N: usize>(&mut self, r: usize, under: &Under) {
        let line = self.line;
        let factor = Mean::<S, U>::factor(line, under.rows.count * under.columns.count);
        for start in starts::<N>(self.whole.c) {
            let mut sums = [0.0; N];
            for iy in under.rows.pixels.clone() {
                for ix in under.columns.pixels.clone() {
                    let x: [S; N] = chunk(self.x.pixel(under.n, iy, ix), start);
                    for i in 0..N {
                        sums[i] += Mean::<S, U>::term(line, x[i]);
                    }
                }
            }
            let mut means = [U::encode(0.0); N];
            for i in 0..N {
                means[i] = Mean::<S, U>::mean(line, sums[i], factor);
            }
            self.block.row_mut(r)[start..start + N].copy_from_slice(&means);
        }
    }
}
