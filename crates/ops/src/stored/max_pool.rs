//! Maxima of stored maps.

use super::rows_of_a_tile;
use crate::Window;
use crate::pooling::{Axis, assert_shapes};
use inception_tensor::{Pool, Stored, Vectorize, View, ViewMut};
use smallvec::SmallVec;

/// Channels whose maxima stay in registers.
const CHUNK: usize = 64;
/// Channels of what is left, the width of a vector.
const SMALL: usize = 16;

/// `y[o] = max_{k} x[o·stride + k·dilation − padding]` over the places on the input; a NaN
/// wins. See [`max_pool::forward`](crate::max_pool::forward).
///
/// # Shapes
/// `x` is `[n, h, w, c]`, `y` what [`max_pool::shape`](crate::max_pool::shape) says; either may
/// be a channel slice.
///
/// # Panics
/// When `y` has another size, or the window does not fit.
pub fn max_pool<S: Stored>(pool: &Pool, window: &Window, x: View<'_, S>, y: ViewMut<'_, S>) {
    let shape = y.shape();
    assert_shapes("max_pool", window, x.shape(), shape);
    let axes = [0, 1].map(|axis| Axis::new(window, axis, x.shape()));
    pool.for_each_rows(y, rows_of_a_tile(shape.c * 4), |first, y| {
        pool.kernel().vectorize(Maxima {
            axes: &axes,
            size: [shape.h, shape.w],
            x,
            first,
            y,
        });
    });
}

/// Consecutive pixels of the output.
struct Maxima<'a, S> {
    axes: &'a [Axis; 2],
    /// Rows and columns of the whole output.
    size: [usize; 2],
    x: View<'a, S>,
    first: usize,
    y: ViewMut<'a, S>,
}

impl<S: Stored> Vectorize for Maxima<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        let [h, w] = self.size;
        let [rows, columns] = self.axes;
        let place = |axis: &Axis, o: usize, k: usize| {
            (axis.origin(o) + (k * axis.dilation) as isize) as usize
        };
        let mut pixels: SmallVec<[&[S]; 16]> = SmallVec::new();
        for r in 0..self.y.shape().n {
            let at = self.first + r;
            let (n, oy, ox) = (at / w / h, at / w % h, at % w);
            pixels.clear();
            for ky in rows.taps(oy) {
                for kx in columns.taps(ox) {
                    let (iy, ix) = (place(rows, oy, ky), place(columns, ox, kx));
                    pixels.push(self.x.pixel(n, iy, ix));
                }
            }
            maxima(&pixels, self.y.row_mut(r));
        }
    }
}

/// By channel.
#[inline(always)]
fn maxima<S: Stored>(pixels: &[&[S]], y: &mut [S]) {
    let mut start = 0;
    while start + CHUNK <= y.len() {
        chunk::<S, CHUNK>(pixels, start, y);
        start += CHUNK;
    }
    while start + SMALL <= y.len() {
        chunk::<S, SMALL>(pixels, start, y);
        start += SMALL;
    }
    while start < y.len() {
        chunk::<S, 1>(pixels, start, y);
        start += 1;
    }
}

/// `N` channels from `start` on.
#[inline(always)]
fn chunk<S: Stored, const N: usize>(pixels: &[&[S]], start: usize, y: &mut [S]) {
    let [first, others @ ..] = pixels else {
        unreachable!("a window has a pixel");
    };
    let mut max = [S::Rank::default(); N];
    for (m, &v) in max.iter_mut().zip(&first[start..start + N]) {
        *m = v.rank();
    }
    for pixel in others {
        for (m, &v) in max.iter_mut().zip(&pixel[start..start + N]) {
            *m = v.rank().max(*m);
        }
    }
    for (y, &m) in y[start..start + N].iter_mut().zip(&max) {
        *y = S::of_rank(m);
    }
}
