//! Gradients to the winners.

use super::Grid;
use crate::Window;
use crate::tile::{chunk, rows_per_tile, starts};
use inception_tensor::{Element, Pool, Shape, Vectorize, View, ViewMut};
use smallvec::SmallVec;
use std::ops::Range;

/// Channels that are summed in registers.
const CHANNELS: usize = 32;

/// `dx`: each gradient goes to the pixel that won.
///
/// `dx[i] = Σ_{o: winner of o is i} dy[o]`. Each input pixel asks the windows over it in
/// their order, so that tiles of `dx` own what they write, and channels go in vectors.
///
/// # Shapes
/// `dx` is `[n, h, w, c]`, `dy` what [`shape`](super::shape) says; either may be a channel
/// slice. `winners` is as [`forward`](super::forward) wrote it.
///
/// # Panics
/// When `dy` or `winners` has another size, or
/// [`shape`](super::shape) refuses the window.
pub fn backward<T: Element>(
    pool: &Pool,
    window: &Window,
    dy: View<'_, T>,
    winners: &[u8],
    dx: ViewMut<'_, T>,
) {
    let (x, y) = (dx.shape(), dy.shape());
    let grid = Grid::new(window, x, y);
    assert_eq!(winners.len(), y.len(), "max_pool: winners of {y}");
    pool.for_each_rows(dx, rows_per_tile(x.c), |first, dx| {
        pool.sweep(Gather {
            grid,
            whole: x,
            dy,
            winners,
            first,
            dx,
        });
    });
}

/// Consecutive pixels of the input's gradient.
struct Gather<'a, T> {
    grid: Grid,
    /// Shape of the whole input.
    whole: Shape,
    dy: View<'a, T>,
    winners: &'a [u8],
    first: usize,
    dx: ViewMut<'a, T>,
}

/// One window over a pixel.
#[derive(Clone, Copy)]
struct Claim<'a, T> {
    /// The pixel's place in the window.
    place: u8,
    dy: &'a [T],
    winners: &'a [u8],
}

impl<T: Element> Vectorize for Gather<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        let (h, w, count) = (self.whole.h, self.whole.w, self.dx.shape().n);
        let mut done = 0;
        while done < count {
            let (line, start) = ((self.first + done) / w, (self.first + done) % w);
            let columns = start..w.min(start + count - done);
            self.line([line / h, line % h], columns.clone(), done);
            done += columns.len();
        }
    }
}

impl<T: Element> Gather<'_, T> {
    /// The gradients of some columns of row `iy` of image `n`, the first of which is pixel
    /// `at` of the tile: windows by rows and columns.
    #[inline(always)]
    fn line(&mut self, [n, iy]: [usize; 2], pixels: Range<usize>, at: usize) {
        let (dy, winners, Grid { rows, columns }) = (self.dy, self.winners, self.grid);
        let y = dy.shape();
        let over = rows.windows(iy, y.h);
        let mut across = columns.windows(pixels.start, y.w);
        let mut claims: SmallVec<[Claim<'_, T>; 9]> = SmallVec::new();
        for (i, ix) in pixels.enumerate() {
            columns.slide(&mut across, ix, y.w);
            claims.clear();
            for oy in over.clone() {
                let Some(ky) = rows.place(oy, iy) else {
                    continue;
                };
                for ox in across.clone() {
                    let Some(kx) = columns.place(ox, ix) else {
                        continue;
                    };
                    let o = (n * y.h + oy) * y.w + ox;
                    claims.push(Claim {
                        place: (ky * columns.kernel + kx) as u8,
                        dy: dy.row(o),
                        winners: &winners[o * y.c..][..y.c],
                    });
                }
            }
            grant(&claims, self.dx.row_mut(at + i));
        }
    }
}

/// The gradients of the windows that a pixel won, some channels at a time.
#[inline(always)]
fn grant<T: Element>(claims: &[Claim<'_, T>], dx: &mut [T]) {
    match dx.len() {
        CHANNELS.. => grant_chunks::<T, CHANNELS>(claims, dx),
        _ => grant_chunks::<T, 1>(claims, dx),
    }
}

#[inline(always)]
fn grant_chunks<T: Element, const N: usize>(claims: &[Claim<'_, T>], dx: &mut [T]) {
    for start in starts::<N>(dx.len()) {
        let mut sum = [T::zero(); N];
        for claim in claims {
            let (dy, winners): ([T; N], [u8; N]) =
                (chunk(claim.dy, start), chunk(claim.winners, start));
            for i in 0..N {
                let won = winners[i] == claim.place;
                sum[i] += if won { dy[i] } else { T::zero() };
            }
        }
        dx[start..start + N].copy_from_slice(&sum);
    }
}
