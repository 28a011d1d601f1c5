//! Gradients to the winners.

use super::{Grid, MAX_PIXELS};
use crate::Window;
use crate::tile::rows_per_tile;
use inception_tensor::{Element, Pool, Shape, View, ViewMut};
use std::ops::Range;

/// Rows of the input in a band, at least: a band reads the outputs of a few rows beyond its
/// ends too, which must stay a small part.
const MIN_ROWS: usize = 8;

/// `dx`: each gradient goes to the pixel that won.
///
/// `dx[i] = Σ_{o: winner of o is i} dy[o]`, in the order of the outputs. Each band of input
/// rows scans the outputs that read it and takes what is its own.
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
    let lines = rows_per_tile(x.w * x.c).max(MIN_ROWS);
    let scatter = Scatter {
        grid,
        stride: dx.stride(),
        dy,
        winners,
        x,
    };
    pool.for_each_rows(dx, lines * x.w, |first, mut band| {
        band.fill(T::zero());
        let lines = first / x.w..(first + band.shape().n) / x.w;
        scatter.band(lines, band.data_mut());
    });
}

/// The operands of a backward pass.
struct Scatter<'a, T> {
    grid: Grid,
    /// Distance of the pixels of `dx`.
    stride: usize,
    dy: View<'a, T>,
    winners: &'a [u8],
    x: Shape,
}

impl<T: Element> Scatter<'_, T> {
    /// Rows `lines` of all images' rows, which lie in `dx`.
    fn band(&self, lines: Range<usize>, dx: &mut [T]) {
        let y = self.dy.shape();
        let steps = self.steps();
        for n in lines.start / self.x.h..lines.end.div_ceil(self.x.h) {
            let image = n * self.x.h;
            let own = lines.start.max(image) - image..lines.end.min(image + self.x.h) - image;
            for oy in self.grid.rows.windows(own, y.h) {
                // From the band's start: rows above it wrap to places beyond any slice.
                let line =
                    (image as isize + self.grid.rows.origin(oy)).wrapping_sub(lines.start as isize);
                for ox in 0..y.w {
                    let column = self.grid.columns.origin(ox);
                    let at = (line * self.x.w as isize + column) * self.stride as isize;
                    self.pixel((n * y.h + oy) * y.w + ox, &steps, at as usize, dx);
                }
            }
        }
    }

    /// How far each place of a window lies from its first, in numbers.
    fn steps(&self) -> [usize; MAX_PIXELS] {
        let Grid { rows, columns } = &self.grid;
        std::array::from_fn(|k| {
            let (ky, kx) = (k / columns.kernel, k % columns.kernel);
            (ky * rows.dilation * self.x.w + kx * columns.dilation) * self.stride
        })
    }

    /// Adds the gradients of output pixel `o`, whose window starts at `at`, to `dx`;
    /// winners outside of it are another band's.
    #[inline(always)]
    fn pixel(&self, o: usize, steps: &[usize; MAX_PIXELS], at: usize, dx: &mut [T]) {
        let dy = self.dy.row(o);
        let winners = &self.winners[o * dy.len()..][..dy.len()];
        for (c, (&d, &k)) in dy.iter().zip(winners).enumerate() {
            let place = at.wrapping_add(steps[usize::from(k)]).wrapping_add(c);
            if let Some(dx) = dx.get_mut(place) {
                *dx += d;
            }
        }
    }
}
