//! Gradients to the winners.

use super::Grid;
use crate::Window;
use crate::tile::rows_per_tile;
use inception_tensor::{Element, Pool, Shape, Vectorize, View, ViewMut};
use std::ops::Range;

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

impl<T> Claim<'_, T> {
    const NOBODY: Self = Self {
        place: 0,
        dy: &[],
        winners: &[],
    };
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
    /// `at` of the tile: windows by rows and columns, four at a time.
    #[inline(always)]
    fn line(&mut self, [n, iy]: [usize; 2], pixels: Range<usize>, at: usize) {
        let (dy, winners, Grid { rows, columns }) = (self.dy, self.winners, self.grid);
        let y = dy.shape();
        let over = rows.windows(iy, y.h);
        let mut across = columns.windows(pixels.start, y.w);
        for (i, ix) in pixels.enumerate() {
            columns.slide(&mut across, ix, y.w);
            let (mut held, mut count) = ([Claim::NOBODY; 4], 0);
            let dx = self.dx.row_mut(at + i);
            let mut sum = Sum { dx, begun: false };
            for oy in over.clone() {
                let Some(ky) = rows.place(oy, iy) else {
                    continue;
                };
                for ox in across.clone() {
                    let Some(kx) = columns.place(ox, ix) else {
                        continue;
                    };
                    let o = (n * y.h + oy) * y.w + ox;
                    held[count] = Claim {
                        place: (ky * columns.kernel + kx) as u8,
                        dy: dy.row(o),
                        winners: &winners[o * y.c..][..y.c],
                    };
                    count += 1;
                    if count == held.len() {
                        sum.add(held);
                        count = 0;
                    }
                }
            }
            match held {
                [a, ..] if count == 1 => sum.add([a]),
                [a, b, ..] if count == 2 => sum.add([a, b]),
                [a, b, c, _] if count == 3 => sum.add([a, b, c]),
                _ => sum.end(),
            }
        }
    }
}

/// The gradients of the windows that a pixel won.
struct Sum<'a, T> {
    dx: &'a mut [T],
    /// Whether `dx` holds anything yet.
    begun: bool,
}

impl<T: Element> Sum<'_, T> {
    #[inline(always)]
    fn add<const N: usize>(&mut self, claims: [Claim<'_, T>; N]) {
        match std::mem::replace(&mut self.begun, true) {
            true => self.add_to(claims, |sum| sum),
            false => self.add_to(claims, |_| T::zero()),
        }
    }

    /// `start(what dx holds)` is what is added to.
    #[inline(always)]
    fn add_to<const N: usize>(&mut self, mut claims: [Claim<'_, T>; N], start: impl Fn(T) -> T) {
        let c = self.dx.len();
        let dx = &mut self.dx[..c];
        for claim in &mut claims {
            claim.dy = &claim.dy[..c];
            claim.winners = &claim.winners[..c];
        }
        #[allow(
            clippy::needless_range_loop,
            reason = "an iterator hides from the compiler that all slices end together; it then \
                      checks each index, and leaves the last vectors of every pixel to scalar code"
        )]
        for i in 0..c {
            dx[i] = claims.iter().fold(start(dx[i]), |sum, claim| {
                // Read in any case, so that the choice needs no branch.
                let d = claim.dy[i];
                let won = claim.winners[i] == claim.place;
                sum + if won { d } else { T::zero() }
            });
        }
    }

    /// No window is left.
    #[inline(always)]
    fn end(&mut self) {
        if !self.begun {
            self.dx.fill(T::zero());
        }
    }
}
