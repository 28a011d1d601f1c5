//! Maxima and who won.

use super::Grid;
use super::walk::{Reals, maxima, suits};
use crate::Window;
use crate::tile::{cut, rows_per_tile};
use inception_tensor::{Element, Pool, Shape, Vectorize, View, ViewMut};
use std::ops::Range;

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
    let bytes = winners.unwrap_or_default();
    let axes = [grid.rows, grid.columns];
    if suits(&axes) {
        let again = |[n, oy, ox]: [usize; 3], max: &mut [T], winners: &mut [u8]| {
            Taps::new(x, grid, n, [oy, ox]).winner(max, winners);
        };
        return maxima::<Reals, _, _>(pool, axes, x, y, bytes, again);
    }
    pool.for_each_rows_beside(y, bytes, rows_per_tile(shape.c), |first, y, winners| {
        pool.sweep(Band {
            grid,
            whole: shape,
            x,
            first,
            y,
            winners,
        });
    });
}

/// Consecutive output pixels.
struct Band<'a, T> {
    grid: Grid,
    /// Shape of the whole output.
    whole: Shape,
    x: View<'a, T>,
    first: usize,
    y: ViewMut<'a, T>,
    /// Empty where nobody asks.
    winners: &'a mut [u8],
}

impl<T: Element> Vectorize for Band<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        let Shape { h, w, c, .. } = self.whole;
        for r in 0..self.y.shape().rows() {
            let at = self.first + r;
            let (n, oy, ox) = (at / w / h, at / w % h, at % w);
            let taps = Taps::new(self.x, self.grid, n, [oy, ox]);
            let winners = self.winners.get_mut(r * c..(r + 1) * c);
            taps.winner(self.y.row_mut(r), winners.unwrap_or_default());
        }
    }
}

/// One window over the input.
struct Taps<'a, T> {
    x: View<'a, T>,
    /// Rows of the images before.
    image: usize,
    origin: [isize; 2],
    rows: Range<usize>,
    columns: Range<usize>,
    grid: Grid,
}

impl<'a, T: Element> Taps<'a, T> {
    /// Window `[oy, ox]` of image `n`.
    #[inline(always)]
    fn new(x: View<'a, T>, grid: Grid, n: usize, [oy, ox]: [usize; 2]) -> Self {
        Self {
            x,
            image: n * grid.rows.extent,
            origin: [grid.rows.origin(oy), grid.columns.origin(ox)],
            rows: grid.rows.taps(oy),
            columns: grid.columns.taps(ox),
            grid,
        }
    }

    /// The pixel at place `(ky, kx)`, which lies on the input.
    #[inline(always)]
    fn pixel(&self, ky: usize, kx: usize) -> &'a [T] {
        let Grid { rows, columns } = &self.grid;
        let iy = (self.origin[0] + (ky * rows.dilation) as isize) as usize;
        let ix = (self.origin[1] + (kx * columns.dilation) as isize) as usize;
        self.x.row((self.image + iy) * columns.extent + ix)
    }

    /// The maxima of the window and, unless `winners` is empty, where they are.
    #[inline(always)]
    fn winner(&self, max: &mut [T], winners: &mut [u8]) {
        match winners.is_empty() {
            true => self.play(Maxima { max }),
            false => self.play(Winners { max, winners }),
        }
    }

    /// Lets the window's pixels contest in the order of their places, up to three neighbours at
    /// a time.
    #[inline(always)]
    fn play(&self, mut contest: impl Contest<T>) {
        let width = self.grid.columns.kernel;
        let mut opened = false;
        for ky in self.rows.clone() {
            let mut kx = self.columns.start;
            while kx < self.columns.end {
                let place = (ky * width + kx) as u8;
                if !opened {
                    contest.open(place, [self.pixel(ky, kx)]);
                    opened = true;
                    kx += 1;
                    continue;
                }
                let group = (self.columns.end - kx).min(3);
                match group {
                    1 => contest.challenge(place, [self.pixel(ky, kx)]),
                    2 => contest.challenge(place, [self.pixel(ky, kx), self.pixel(ky, kx + 1)]),
                    _ => {
                        let [a, b, c] = [kx, kx + 1, kx + 2];
                        contest.challenge(
                            place,
                            [self.pixel(ky, a), self.pixel(ky, b), self.pixel(ky, c)],
                        )
                    }
                }
                kx += group;
            }
        }
    }
}

/// The maxima of a pixel's channels so far.
trait Contest<T> {
    /// Starts with the best of pixels at `place`, `place + 1`, …
    fn open<const N: usize>(&mut self, place: u8, pixels: [&[T]; N]);

    /// Lets pixels at `place`, `place + 1`, … challenge them, one after another.
    fn challenge<const N: usize>(&mut self, place: u8, pixels: [&[T]; N]);
}

/// Whether `v` takes the place of the maximum `max` so far.
#[inline(always)]
fn wins<T: Element>(v: T, max: T) -> bool {
    (v > max) | v.is_nan()
}

/// Maxima alone.
struct Maxima<'a, T> {
    max: &'a mut [T],
}

impl<T: Element> Maxima<'_, T> {
    /// `start(maximum so far)` is what the pixels contest with.
    #[inline(always)]
    fn rounds<const N: usize>(&mut self, pixels: [&[T]; N], start: impl Fn(T) -> T) {
        let len = self.max.len();
        let (max, pixels) = (&mut self.max[..len], cut(pixels, len));
        for i in 0..len {
            max[i] = pixels.iter().fold(start(max[i]), |m, pixel| {
                let v = pixel[i];
                if wins(v, m) { v } else { m }
            });
        }
    }
}

impl<T: Element> Contest<T> for Maxima<'_, T> {
    #[inline(always)]
    fn open<const N: usize>(&mut self, _: u8, pixels: [&[T]; N]) {
        self.rounds(pixels, |_| T::neg_infinity());
    }

    #[inline(always)]
    fn challenge<const N: usize>(&mut self, _: u8, pixels: [&[T]; N]) {
        self.rounds(pixels, |max| max);
    }
}

/// Maxima and their places.
struct Winners<'a, T> {
    max: &'a mut [T],
    winners: &'a mut [u8],
}

impl<T: Element> Winners<'_, T> {
    /// `start(maximum, winner)` is what the pixels at `place`, `place + 1`, … contest with.
    #[inline(always)]
    fn rounds<const N: usize>(
        &mut self,
        place: u8,
        pixels: [&[T]; N],
        start: impl Fn(T, u8) -> (T, u8),
    ) {
        let len = self.max.len();
        let (max, winners) = (&mut self.max[..len], &mut self.winners[..len]);
        let pixels = cut(pixels, len);
        for i in 0..len {
            let (mut m, mut w) = start(max[i], winners[i]);
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

impl<T: Element> Contest<T> for Winners<'_, T> {
    #[inline(always)]
    fn open<const N: usize>(&mut self, place: u8, pixels: [&[T]; N]) {
        self.rounds(place, pixels, |_, _| (T::neg_infinity(), place));
    }

    #[inline(always)]
    fn challenge<const N: usize>(&mut self, place: u8, pixels: [&[T]; N]) {
        self.rounds(place, pixels, |max, winner| (max, winner));
    }
}
