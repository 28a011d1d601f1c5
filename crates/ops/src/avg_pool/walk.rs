//! Means over three rows, column by column of the output.
//!
//! Windows below one another share rows. The sum of a row's pixels under a window is taken once,
//! stays in registers, and serves every window that the row belongs to.

use super::Sliding;
use crate::average::{Grid, Windows};
use crate::pooling::{Column, columns, rows_of_a_walk};
use crate::tile::{chunk, starts};
use inception_tensor::{Element, Pool, Shape, Vectorize, View, ViewMut};
use std::ops::{Add, Range};

/// How numbers are added up, and what their mean is kept as.
pub(crate) trait Mean<T, U>: Copy + Send + Sync {
    type Sum: Copy + Add<Output = Self::Sum>;

    /// The sum of no numbers.
    fn none() -> Self::Sum;

    /// What a number adds to a sum.
    fn term(self, x: T) -> Self::Sum;

    /// The factor with which [`mean`](Self::mean) makes a mean of the sum of `count`.
    fn factor(self, count: usize) -> Self::Sum;

    fn mean(self, sum: Self::Sum, factor: Self::Sum) -> U;
}

/// Real numbers.
#[derive(Clone, Copy)]
pub(crate) struct Reals;

impl<T: Element> Mean<T, T> for Reals {
    type Sum = T;

    #[inline(always)]
    fn none() -> T {
        T::zero()
    }

    #[inline(always)]
    fn term(self, x: T) -> T {
        x
    }

    #[inline(always)]
    fn factor(self, count: usize) -> T {
        T::of(count as f64)
    }

    #[inline(always)]
    fn mean(self, sum: T, count: T) -> T {
        sum / count
    }
}

/// Whether windows are walked: three rows that overlap by two.
pub(crate) fn suits(grid: &Grid<Sliding>) -> bool {
    grid.rows.axis.kernel == 3 && grid.rows.axis.stride == 1
}

/// The means of windows that [suit](suits): sums of three lines, from top to bottom, of pixels
/// from left to right.
pub(crate) fn means<M, T, U>(
    pool: &Pool,
    grid: Grid<Sliding>,
    mean: M,
    x: View<'_, T>,
    y: ViewMut<'_, U>,
) where
    M: Mean<T, U>,
    T: Copy + Send + Sync,
    U: Copy + Send,
{
    let whole = y.shape();
    pool.for_each_rows(y, rows_of_a_walk(whole) * whole.w, |first, y| {
        pool.kernel().vectorize(Walk {
            grid,
            mean,
            whole,
            x,
            first,
            y,
        });
    });
}

/// Whole rows of the output.
struct Walk<'a, M, T, U> {
    grid: Grid<Sliding>,
    mean: M,
    /// Shape of the whole output.
    whole: Shape,
    x: View<'a, T>,
    /// The first pixel of `y` in the whole output.
    first: usize,
    y: ViewMut<'a, U>,
}

impl<M: Mean<T, U>, T: Copy, U: Copy> Vectorize for Walk<'_, M, T, U> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        let Shape { w, c, .. } = self.whole;
        for column in columns(self.whole, self.first / w, self.y.shape().n / w) {
            // The sums of three lines stay in registers.
            match (c, size_of::<T>()) {
                (64.., 1 | 2) => self.chunks::<64>(column),
                (32.., _) => self.chunks::<32>(column),
                (16.., _) => self.chunks::<16>(column),
                _ => self.chunks::<1>(column),
            }
        }
    }
}

impl<M: Mean<T, U>, T: Copy, U: Copy> Walk<'_, M, T, U> {
    /// All channels, `N` at a time.
    #[inline(always)]
    fn chunks<const N: usize>(&mut self, column: Column) {
        let across = self.grid.columns.cover(column.ox);
        for start in starts::<N>(self.whole.c) {
            self.strip::<N>(column, across.pixels.clone(), across.count, start);
        }
    }

    /// `N` channels from `start` on.
    #[inline(always)]
    fn strip<const N: usize>(
        &mut self,
        column: Column,
        across: Range<usize>,
        count: usize,
        start: usize,
    ) {
        let rows = self.grid.rows;
        let line = |j: usize| {
            let row = (column.oy + j).checked_sub(rows.axis.before)?;
            (row < rows.axis.extent).then_some(row)
        };
        let mut a = self.line::<N>(column.n, line(0), &across, start);
        let mut b = self.line::<N>(column.n, line(1), &across, start);
        for r in 0..column.rows {
            let c = self.line::<N>(column.n, line(r + 2), &across, start);
            let factor = self.mean.factor(rows.cover(column.oy + r).count * count);
            let mut means = [self.mean.mean(a[0], factor); N];
            for i in 0..N {
                means[i] = self.mean.mean(a[i] + b[i] + c[i], factor);
            }
            let pixel = column.at + r * self.whole.w;
            self.y.row_mut(pixel)[start..start + N].copy_from_slice(&means);
            (a, b) = (b, c);
        }
    }

    /// The sums of the pixels `across` a row of the input; of none where there is no row.
    #[inline(always)]
    fn line<const N: usize>(
        &self,
        n: usize,
        row: Option<usize>,
        across: &Range<usize>,
        start: usize,
    ) -> [M::Sum; N] {
        let mut sums = [M::none(); N];
        if let Some(row) = row {
            for column in across.clone() {
                let x: [T; N] = chunk(self.x.pixel(n, row, column), start);
                for i in 0..N {
                    sums[i] = sums[i] + self.mean.term(x[i]);
                }
            }
        }
        sums
    }
}
