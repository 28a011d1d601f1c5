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
    let [rows, columns] = [0, 1].map(|axis| Axis::new(window, axis, x.shape()));
    pool.for_each_rows(y, rows_of_a_tile(shape.c * 4), |first, mut block| {
        let mut pixels: SmallVec<[&[S]; 16]> = SmallVec::new();
        for r in 0..block.shape().n {
            let at = first + r;
            let (n, oy, ox) = (at / shape.w / shape.h, at / shape.w % shape.h, at % shape.w);
            let place = |axis: &Axis, o: usize, k: usize| {
                (axis.origin(o) + (k * axis.dilation) as isize) as usize
            };
            pixels.clear();
            for ky in rows.taps(oy) {
                for kx in columns.taps(ox) {
                    let (iy, ix) = (place(&rows, oy, ky), place(&columns, ox, kx));
                    pixels.push(x.pixel(n, iy, ix));
                }
            }
            pool.kernel().vectorize(Maxima {
                pixels: &pixels,
                y: block.row_mut(r),
            });
        }
    });
}

/// The maxima of some pixels' channels.
struct Maxima<'a, S> {
    pixels: &'a [&'a [S]],
    y: &'a mut [S],
}

impl<S: Stored> Vectorize for Maxima<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        let whole = self.y.len() / CHUNK * CHUNK;
        let (len, mut start) = (self.y.len(), 0);
        while start < whole {
            self.chunk::<CHUNK>(start);
            start += CHUNK;
        }
        while start + SMALL <= len {
            self.chunk::<SMALL>(start);
            start += SMALL;
        }
        while start < len {
            self.chunk::<1>(start);
            start += 1;
        }
    }
}

impl<S: Stored> Maxima<'_, S> {
    /// `N` channels from `start` on.
    #[inline(always)]
    fn chunk<const N: usize>(&mut self, start: usize) {
        let [first, others @ ..] = self.pixels else {
            unreachable!("a window has a pixel");
        };
        let mut max = [0.0; N];
        for (m, &v) in max.iter_mut().zip(&first[start..start + N]) {
            *m = v.decode();
        }
        for pixel in others {
            for (m, &v) in max.iter_mut().zip(&pixel[start..start + N]) {
                let v = v.decode();
                *m = if (v > *m) | v.is_nan() { v } else { *m };
            }
        }
        // What was stored is stored again without rounding.
        for (y, &m) in self.y[start..start + N].iter_mut().zip(&max) {
            *y = S::encode(m);
        }
    }
}
