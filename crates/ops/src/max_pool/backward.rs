//! Gradients to the winners.

use super::Grid;
use crate::Window;
use crate::tile::rows_per_tile;
use inception_tensor::{Element, Pool, View, ViewMut};

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
    let gather = Gather { grid, dy, winners };
    pool.for_each_rows(dx, rows_per_tile(x.c), |first, mut block| {
        for r in 0..block.shape().n {
            let row = (first + r) / x.w;
            let at = [row % x.h, (first + r) % x.w];
            gather.pixel(row / x.h, at, block.row_mut(r));
        }
    });
}

/// The operands of a backward pass.
struct Gather<'a, T> {
    grid: Grid,
    dy: View<'a, T>,
    winners: &'a [u8],
}

/// One window over a pixel.
#[derive(Clone, Copy)]
struct Claim<'a, T> {
    /// The pixel's place in the window.
    place: u8,
    dy: &'a [T],
    winners: &'a [u8],
}

impl<'a, T: Element> Gather<'a, T> {
    /// The windows over pixel `at` of image `n`, by rows and columns.
    #[inline(always)]
    fn claims(&self, n: usize, [iy, ix]: [usize; 2]) -> impl Iterator<Item = Claim<'a, T>> {
        let (y, Grid { rows, columns }) = (self.dy.shape(), self.grid);
        let (dy, winners) = (self.dy, self.winners);
        rows.windows(iy, y.h)
            .filter_map(move |oy| Some((oy, rows.place(oy, iy)?)))
            .flat_map(move |(oy, ky)| {
                columns
                    .windows(ix, y.w)
                    .filter_map(move |ox| Some((ox, columns.place(ox, ix)?)))
                    .map(move |(ox, kx)| {
                        let o = (n * y.h + oy) * y.w + ox;
                        Claim {
                            place: (ky * columns.kernel + kx) as u8,
                            dy: dy.row(o),
                            winners: &winners[o * y.c..][..y.c],
                        }
                    })
            })
    }

    /// The gradient of pixel `at` of image `n`, four windows at a time.
    fn pixel(&self, n: usize, at: [usize; 2], dx: &mut [T]) {
        let mut claims = self.claims(n, at);
        dx.fill(T::zero());
        while let Some(a) = claims.next() {
            match (claims.next(), claims.next(), claims.next()) {
                (Some(b), Some(c), Some(d)) => add_won(dx, [a, b, c, d]),
                (Some(b), Some(c), _) => add_won(dx, [a, b, c]),
                (Some(b), _, _) => add_won(dx, [a, b]),
                _ => add_won(dx, [a]),
            }
        }
    }
}

/// Adds the gradients of the windows that a pixel won.
#[inline(never)]
#[allow(
    clippy::needless_range_loop,
    reason = "a counted loop goes in vectors to its end"
)]
fn add_won<T: Element, const N: usize>(dx: &mut [T], claims: [Claim<'_, T>; N]) {
    let c = dx.len();
    let claims = claims.map(|claim| Claim {
        dy: &claim.dy[..c],
        winners: &claim.winners[..c],
        ..claim
    });
    for i in 0..c {
        let mut sum = dx[i];
        for claim in &claims {
            // Read in any case, so that the choice needs no branch.
            let d = claim.dy[i];
            let won = claim.winners[i] == claim.place;
            sum += if won { d } else { T::zero() };
        }
        dx[i] = sum;
    }
}
