//! Means over rectangles of pixels: what average pools share, whatever their windows are.

use crate::tile::{rows_per_tile, sum_rows};
use inception_tensor::{Element, Pool, Shape, Vectorize, View, ViewMut};
use std::ops::Range;

/// What one window covers of one axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cover {
    /// Input pixels under the window.
    pub(crate) pixels: Range<usize>,
    /// The axis's factor of the divisor.
    pub(crate) count: usize,
}

/// Windows along one axis.
pub(crate) trait Windows: Copy + Send + Sync {
    /// What window `o` covers.
    fn cover(&self, o: usize) -> Cover;

    /// The windows that cover pixel `i`.
    fn covering(&self, i: usize) -> Range<usize>;
}

/// Windows along rows and along columns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid<W> {
    pub(crate) rows: W,
    pub(crate) columns: W,
}

/// A place in a map.
struct Place {
    n: usize,
    y: usize,
    x: usize,
}

/// Where pixel `p` of all images lies.
fn place(shape: Shape, p: usize) -> Place {
    Place {
        n: p / (shape.h * shape.w),
        y: p / shape.w % shape.h,
        x: p % shape.w,
    }
}

/// `y[o] = Σ_{i under o} x[i] / count(o)`, rows of a window from top to bottom.
pub(crate) fn forward<T: Element, W: Windows>(
    pool: &Pool,
    grid: Grid<W>,
    x: View<'_, T>,
    y: ViewMut<'_, T>,
) {
    let shape = y.shape();
    if shape.is_empty() {
        return;
    }
    let reads = (x.shape().rows() / shape.rows()).max(1);
    let tile = rows_per_tile(shape.c * reads);
    pool.for_each_rows(y, tile, |first, y| {
        pool.sweep(Forward {
            grid,
            whole: shape,
            x,
            first,
            y,
        });
    });
}

/// Consecutive pixels of the output.
struct Forward<'a, T, W> {
    grid: Grid<W>,
    whole: Shape,
    x: View<'a, T>,
    first: usize,
    y: ViewMut<'a, T>,
}

impl<T: Element, W: Windows> Vectorize for Forward<'_, T, W> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        let (grid, x) = (self.grid, self.x);
        for r in 0..self.y.shape().n {
            let at = place(self.whole, self.first + r);
            let (rows, columns) = (grid.rows.cover(at.y), grid.columns.cover(at.x));
            let pixels = rows
                .pixels
                .flat_map(|iy| columns.pixels.clone().map(move |ix| (iy, ix)))
                .map(|(iy, ix)| x.pixel(at.n, iy, ix));
            let sum = self.y.row_mut(r);
            sum_rows(sum, pixels);
            let count = T::of((rows.count * columns.count) as f64);
            sum.iter_mut().for_each(|s| *s /= count);
        }
    }
}

/// `dx[i] = Σ_{o over i} dy[o] / count(o)`: each input pixel gathers, so that tiles of `dx`
/// own what they write.
pub(crate) fn backward<T: Element, W: Windows>(
    pool: &Pool,
    grid: Grid<W>,
    dy: View<'_, T>,
    dx: ViewMut<'_, T>,
) {
    let shape = dx.shape();
    let reads = (dy.shape().rows() / shape.rows().max(1)).max(1);
    let tile = rows_per_tile(shape.c * reads);
    pool.for_each_rows(dx, tile, |first, dx| {
        pool.sweep(Backward {
            grid,
            whole: shape,
            dy,
            first,
            dx,
        });
    });
}

/// Consecutive pixels of the input's gradient.
struct Backward<'a, T, W> {
    grid: Grid<W>,
    whole: Shape,
    dy: View<'a, T>,
    first: usize,
    dx: ViewMut<'a, T>,
}

impl<T: Element, W: Windows> Vectorize for Backward<'_, T, W> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        for r in 0..self.dx.shape().n {
            let at = place(self.whole, self.first + r);
            gather(self.grid, self.dy, &at, self.dx.row_mut(r));
        }
    }
}

/// One pixel of the input's gradient. Where all windows over it have one divisor, which
/// holds away from the border, the sum is divided once.
#[inline(always)]
fn gather<T: Element, W: Windows>(grid: Grid<W>, dy: View<'_, T>, at: &Place, dx: &mut [T]) {
    let (rows, columns) = (grid.rows.covering(at.y), grid.columns.covering(at.x));
    let windows = || {
        rows.clone()
            .flat_map(|oy| columns.clone().map(move |ox| (oy, ox)))
    };
    let count = |(oy, ox)| grid.rows.cover(oy).count * grid.columns.cover(ox).count;
    let Some(common) = windows().next().map(count) else {
        return dx.fill(T::zero());
    };
    if windows().all(|o| count(o) == common) {
        sum_rows(dx, windows().map(|(oy, ox)| dy.pixel(at.n, oy, ox)));
        let count = T::of(common as f64);
        dx.iter_mut().for_each(|d| *d /= count);
        return;
    }
    dx.fill(T::zero());
    for (oy, ox) in windows() {
        let count = T::of(count((oy, ox)) as f64);
        let row = dy.pixel(at.n, oy, ox);
        dx.iter_mut().zip(row).for_each(|(d, &g)| *d += g / count);
    }
}
