//! Maxima and who won.

use super::Grid;
use crate::Window;
use crate::tile::rows_per_tile;
use inception_tensor::{Element, Pool, View, ViewMut};

/// Consecutive output pixels and their winners.
struct Band<'a, T> {
    first: usize,
    y: ViewMut<'a, T>,
    winners: Option<&'a mut [u8]>,
}

impl<T> Band<'_, T> {
    fn rows(&self) -> usize {
        self.y.shape().rows()
    }

    /// The first `rows` pixels, and the rest.
    fn split(self, rows: usize) -> (Self, Self) {
        let at = rows * self.y.shape().c;
        let (y, rest) = self.y.split_rows(rows);
        let (winners, others) = self.winners.map(|w| w.split_at_mut(at)).unzip();
        let head = Self {
            first: self.first,
            y,
            winners,
        };
        let tail = Self {
            first: self.first + rows,
            y: rest,
            winners: others,
        };
        (head, tail)
    }
}

/// `y` and, where asked for, which pixel of its window won (`ky·kw + kx`, the first of
/// equals), one byte an output number, dense.
///
/// `y[o] = max_{k} x[o·stride + k·dilation − padding]` over the places on the input. A NaN
/// wins; of several, the last.
///
/// # Shapes
/// `x` is `[n, h, w, c]`, `y` what [`shape`](super::shape) says; either may be a channel
/// slice. `winners` has `y.len()` bytes.
///
/// # Panics
/// When `y` or `winners` has another size, or [`shape`](super::shape) refuses the window.
pub fn forward<T: Element>(
    pool: &Pool,
    window: &Window,
    x: View<'_, T>,
    y: ViewMut<'_, T>,
    winners: Option<&mut [u8]>,
) {
    let shape = y.shape();
    let grid = Grid::new(window, x.shape(), shape);
    if let Some(winners) = &winners {
        assert_eq!(winners.len(), shape.len(), "max_pool: winners of {shape}");
    }
    let band = Band {
        first: 0,
        y,
        winners,
    };
    let [oh, ow] = [shape.h, shape.w];
    in_bands(pool, rows_per_tile(shape.c), band, &|band| {
        pool_band(grid, [oh, ow], x, band);
    });
}

/// Calls `f` for bands of at most `rows` pixels, in parallel by halves.
fn in_bands<T: Element>(
    pool: &Pool,
    rows: usize,
    band: Band<'_, T>,
    f: &(impl Fn(Band<'_, T>) + Sync),
) {
    let tiles = band.rows().div_ceil(rows);
    if tiles <= 1 {
        return f(band);
    }
    let (head, tail) = band.split(tiles / 2 * rows);
    pool.join(
        || in_bands(pool, rows, head, f),
        || in_bands(pool, rows, tail, f),
    );
}

/// The maxima of a band.
fn pool_band<T: Element>(grid: Grid, [oh, ow]: [usize; 2], x: View<'_, T>, band: Band<'_, T>) {
    let Band {
        first,
        mut y,
        mut winners,
    } = band;
    let c = y.shape().c;
    for r in 0..y.shape().rows() {
        let (n, oy, ox) = (
            (first + r) / ow / oh,
            (first + r) / ow % oh,
            (first + r) % ow,
        );
        let taps = Taps {
            x,
            image: n * grid.rows.extent,
            origin: [grid.rows.origin(oy), grid.columns.origin(ox)],
            rows: grid.rows.taps(oy),
            columns: grid.columns.taps(ox),
            grid,
        };
        match &mut winners {
            Some(winners) => taps.winners(y.row_mut(r), &mut winners[r * c..][..c]),
            None => taps.maxima(y.row_mut(r)),
        }
    }
}

/// One window over the input.
struct Taps<'a, T> {
    x: View<'a, T>,
    /// Rows of the images before.
    image: usize,
    origin: [isize; 2],
    rows: std::ops::Range<usize>,
    columns: std::ops::Range<usize>,
    grid: Grid,
}

impl<'a, T: Element> Taps<'a, T> {
    /// The pixel at place `(ky, kx)`, which lies on the input.
    #[inline(always)]
    fn pixel(&self, ky: usize, kx: usize) -> &'a [T] {
        let Grid { rows, columns } = &self.grid;
        let iy = (self.origin[0] + (ky * rows.dilation) as isize) as usize;
        let ix = (self.origin[1] + (kx * columns.dilation) as isize) as usize;
        self.x.row((self.image + iy) * columns.extent + ix)
    }

    /// Lets the window's pixels challenge what `contest` holds, in the order of their
    /// places, up to three neighbours at a time.
    fn play(&self, contest: &mut impl Contest<T>) {
        let width = self.grid.columns.kernel;
        for ky in self.rows.clone() {
            let mut kx = self.columns.start;
            while kx < self.columns.end {
                let place = (ky * width + kx) as u8;
                let group = (self.columns.end - kx).min(3);
                match group {
                    1 => contest.challenge(place, [self.pixel(ky, kx)]),
                    2 => contest.challenge(place, [0, 1].map(|j| self.pixel(ky, kx + j))),
                    _ => contest.challenge(place, [0, 1, 2].map(|j| self.pixel(ky, kx + j))),
                }
                kx += group;
            }
        }
    }

    /// Each channel's maximum into `y`.
    fn maxima(&self, y: &mut [T]) {
        y.fill(T::neg_infinity());
        self.play(&mut Maxima { max: y });
    }

    /// Each channel's maximum into `y` and its place into `winners`.
    fn winners(&self, y: &mut [T], winners: &mut [u8]) {
        let first = self.rows.start * self.grid.columns.kernel + self.columns.start;
        y.fill(T::neg_infinity());
        winners.fill(first as u8);
        self.play(&mut Winners { max: y, winners });
    }
}

/// The maxima of a pixel's channels so far.
trait Contest<T> {
    /// Lets pixels at `place`, `place + 1`, … challenge them, one after another.
    fn challenge<const N: usize>(&mut self, place: u8, pixels: [&[T]; N]);
}

/// Maxima alone.
struct Maxima<'a, T> {
    max: &'a mut [T],
}

/// Maxima and their places.
struct Winners<'a, T> {
    max: &'a mut [T],
    winners: &'a mut [u8],
}

/// Whether `v` takes the place of the maximum `max` so far.
#[inline(always)]
fn wins<T: Element>(v: T, max: T) -> bool {
    (v > max) | v.is_nan()
}

impl<T: Element> Contest<T> for Maxima<'_, T> {
    #[inline(always)]
    fn challenge<const N: usize>(&mut self, _: u8, pixels: [&[T]; N]) {
        let len = self.max.len();
        let (max, pixels) = (&mut self.max[..len], pixels.map(|p| &p[..len]));
        for i in 0..len {
            max[i] = pixels.iter().fold(max[i], |m, pixel| {
                let v = pixel[i];
                if wins(v, m) { v } else { m }
            });
        }
    }
}

impl<T: Element> Contest<T> for Winners<'_, T> {
    #[inline(always)]
    fn challenge<const N: usize>(&mut self, place: u8, pixels: [&[T]; N]) {
        let len = self.max.len();
        let (max, winners) = (&mut self.max[..len], &mut self.winners[..len]);
        let pixels = pixels.map(|p| &p[..len]);
        for i in 0..len {
            let (mut m, mut w) = (max[i], winners[i]);
            for (j, pixel) in pixels.iter().enumerate() {
                let v = pixel[i];
                let won = wins(v, m);
                m = if won { v } else { m };
                w = if won { place.wrapping_add(j as u8) } else { w };
            }
            max[i] = m;
            winners[i] = w;
        }
    }
}
