//! Maxima over 3 × 3 pixels, column by column of the output.
//!
//! Windows below one another share rows. The maxima of three neighbours in a row are taken once,
//! stay in registers, and serve every window that the row belongs to.

use crate::pooling::{Axis, Column, columns, rows_of_a_walk};
use crate::tile::{chunk, starts};
use inception_tensor::{Element, Pool, Shape, Stored, Vectorize, View, ViewMut};
use std::marker::PhantomData;
use std::ops::Add;

/// Who wins among numbers of a type.
pub(crate) trait Order<T>: Copy + Send + Sync {
    /// What is compared.
    type Rank: Copy + Default + PartialOrd;
    /// A place in a window, as wide as what is compared.
    type Place: Copy + From<u8> + Add<Output = Self::Place>;

    fn rank(x: T) -> Self::Rank;
    fn of_rank(rank: Self::Rank) -> T;
    fn byte(place: Self::Place) -> u8;

    /// Remembers in `doubt` when one of three does not compare.
    fn doubt(doubt: Self::Rank, three: [Self::Rank; 3]) -> Self::Rank;

    /// Whether some did not.
    fn doubtful(doubt: Self::Rank) -> bool;
}

/// Real numbers, among which a NaN compares with nothing.
#[derive(Clone, Copy)]
pub(crate) struct Reals;

impl<T: Element> Order<T> for Reals {
    type Rank = T;
    type Place = u32;

    #[inline(always)]
    fn rank(x: T) -> T {
        x
    }

    #[inline(always)]
    fn of_rank(rank: T) -> T {
        rank
    }

    #[inline(always)]
    fn byte(place: u32) -> u8 {
        place as u8
    }

    /// A sum with a NaN is one. So is one of infinities, which is looked at twice for nothing.
    #[inline(always)]
    fn doubt(doubt: T, [a, b, c]: [T; 3]) -> T {
        doubt + (a + b + c)
    }

    #[inline(always)]
    fn doubtful(doubt: T) -> bool {
        doubt.is_nan()
    }
}

/// Stored numbers by their ranks, which all compare.
#[derive(Clone, Copy)]
pub(crate) struct Ranks;

impl<S: Stored> Order<S> for Ranks {
    type Rank = S::Rank;
    type Place = u16;

    #[inline(always)]
    fn rank(x: S) -> S::Rank {
        x.rank()
    }

    #[inline(always)]
    fn of_rank(rank: S::Rank) -> S {
        S::of_rank(rank)
    }

    #[inline(always)]
    fn byte(place: u16) -> u8 {
        place as u8
    }

    #[inline(always)]
    fn doubt(doubt: S::Rank, _: [S::Rank; 3]) -> S::Rank {
        doubt
    }

    #[inline(always)]
    fn doubtful(_: S::Rank) -> bool {
        false
    }
}

/// Whether windows are walked: 3 × 3 neighbours that overlap.
pub(crate) fn suits([rows, columns]: &[Axis; 2]) -> bool {
    let plain = |axis: &Axis| axis.kernel == 3 && axis.dilation == 1;
    plain(rows) && plain(columns) && rows.stride <= 2
}

/// The maxima of windows that [suit](suits), and where they are unless `winners` is empty.
/// `again` takes those at `[n, oy, ox]` once more, where numbers did not compare.
pub(crate) fn maxima<O, T, F>(
    pool: &Pool,
    axes: [Axis; 2],
    x: View<'_, T>,
    y: ViewMut<'_, T>,
    winners: &mut [u8],
    again: F,
) where
    O: Order<T>,
    T: Copy + Send + Sync,
    F: Fn([usize; 3], &mut [T], &mut [u8]) + Copy + Send + Sync,
{
    let whole = y.shape();
    let rows = rows_of_a_walk(whole);
    pool.for_each_rows_beside(y, winners, rows * whole.w, |first, y, winners| {
        pool.kernel().vectorize(Walk {
            order: PhantomData::<O>,
            axes,
            whole,
            x,
            first,
            y,
            winners,
            again,
        });
    });
}

/// Whole rows of the output.
struct Walk<'a, O, T, F> {
    order: PhantomData<O>,
    axes: [Axis; 2],
    /// Shape of the whole output.
    whole: Shape,
    x: View<'a, T>,
    /// The first pixel of `y` in the whole output.
    first: usize,
    y: ViewMut<'a, T>,
    /// Empty where nobody asks.
    winners: &'a mut [u8],
    again: F,
}

impl<O, T, F> Vectorize for Walk<'_, O, T, F>
where
    O: Order<T>,
    T: Copy,
    F: Fn([usize; 3], &mut [T], &mut [u8]),
{
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        match (self.winners.is_empty(), self.axes[0].stride) {
            (true, 1) => self.walk::<1, false>(),
            (true, _) => self.walk::<2, false>(),
            (false, 1) => self.walk::<1, true>(),
            (false, _) => self.walk::<2, true>(),
        }
    }
}

impl<O, T, F> Walk<'_, O, T, F>
where
    O: Order<T>,
    T: Copy,
    F: Fn([usize; 3], &mut [T], &mut [u8]),
{
    #[inline(always)]
    fn walk<const STRIDE: usize, const PLACES: bool>(&mut self) {
        let Shape { w, c, .. } = self.whole;
        for column in columns(self.whole, self.first / w, self.y.shape().n / w) {
            // What is compared, and its places, stay in registers.
            let doubtful = match (c, size_of::<T>(), PLACES) {
                (64.., 1 | 2, _) => self.chunks::<64, STRIDE, PLACES>(column),
                (32.., 3.., false) => self.chunks::<32, STRIDE, PLACES>(column),
                (16.., ..) => self.chunks::<16, STRIDE, PLACES>(column),
                _ => self.chunks::<1, STRIDE, PLACES>(column),
            };
            if doubtful {
                self.again::<PLACES>(column);
            }
        }
    }

    /// All channels, `N` at a time.
    #[inline(always)]
    fn chunks<const N: usize, const STRIDE: usize, const PLACES: bool>(
        &mut self,
        column: Column,
    ) -> bool {
        let mut doubtful = false;
        for start in starts::<N>(self.whole.c) {
            doubtful |= self.strip::<N, STRIDE, PLACES>(column, start);
        }
        doubtful
    }

    /// `N` channels from `start` on.
    #[inline(always)]
    fn strip<const N: usize, const STRIDE: usize, const PLACES: bool>(
        &mut self,
        column: Column,
        start: usize,
    ) -> bool {
        let [down, across] = self.axes;
        let beside = inside(&across, column.ox);
        let left = across.origin(column.ox);
        let lines = Lines {
            x: self.x,
            image: column.n * down.extent * across.extent,
            down,
            top: down.origin(column.oy),
            width: across.extent,
            columns: beside.map(|k| (left + k as isize) as usize),
            start,
        };
        let mut doubt = [O::Rank::default(); N];
        let mut a = Best::<O, T, N>::of_line::<PLACES>(lines.at(0), beside, &mut doubt);
        let mut b = match STRIDE {
            1 => Best::of_line::<PLACES>(lines.at(1), beside, &mut doubt),
            _ => a,
        };
        for r in 0..column.rows {
            if STRIDE == 2 {
                b = Best::of_line::<PLACES>(lines.at(2 * r + 1), beside, &mut doubt);
            }
            let c = Best::of_line::<PLACES>(lines.at(STRIDE * r + 2), beside, &mut doubt);
            let below = inside(&down, column.oy + r);
            let best = a
                .on_row::<PLACES>(below[0])
                .or_better::<PLACES>(&b, below[1])
                .or_better::<PLACES>(&c, below[2]);
            (a, b) = match STRIDE {
                1 => (b, c),
                _ => (c, c),
            };
            let pixel = column.at + r * self.whole.w;
            let mut y = [O::of_rank(best.ranks[0]); N];
            for (y, &rank) in y.iter_mut().zip(&best.ranks) {
                *y = O::of_rank(rank);
            }
            self.y.row_mut(pixel)[start..start + N].copy_from_slice(&y);
            if PLACES {
                let mut winners = [0; N];
                for (winner, &place) in winners.iter_mut().zip(&best.places) {
                    *winner = O::byte(place);
                }
                let to = pixel * self.whole.c + start;
                self.winners[to..to + N].copy_from_slice(&winners);
            }
        }
        doubt.into_iter().any(|doubt| O::doubtful(doubt))
    }

    #[cold]
    fn again<const PLACES: bool>(&mut self, column: Column) {
        let c = self.whole.c;
        for r in 0..column.rows {
            let pixel = column.at + r * self.whole.w;
            let winners = match PLACES {
                true => &mut self.winners[pixel * c..(pixel + 1) * c],
                false => &mut [],
            };
            let at = [column.n, column.oy + r, column.ox];
            (self.again)(at, self.y.row_mut(pixel), winners);
        }
    }
}

/// Which place of window `o` stands for each of three: itself, or the nearest on the input,
/// which as its own equal never wins over itself. As [`Axis::taps`], without the divisions that
/// dilation needs.
#[inline(always)]
fn inside(axis: &Axis, o: usize) -> [usize; 3] {
    let start = o * axis.stride;
    let first = axis.before.saturating_sub(start);
    let last = (axis.extent + axis.before - start).min(3) - 1;
    [0, 1, 2].map(|place: usize| place.max(first).min(last))
}

/// The rows of the input that a column of windows reads, three pixels of each.
struct Lines<'a, T> {
    x: View<'a, T>,
    /// Pixels of the images before.
    image: usize,
    down: Axis,
    /// The first row, negative in the padding.
    top: isize,
    /// Pixels of a row.
    width: usize,
    columns: [usize; 3],
    /// The first channel.
    start: usize,
}

impl<T: Copy> Lines<'_, T> {
    /// `N` channels of three pixels in row `j`, or in the nearest one on the input.
    #[inline(always)]
    fn at<const N: usize>(&self, j: usize) -> [[T; N]; 3] {
        let row = (self.top + j as isize).clamp(0, self.down.extent as isize - 1) as usize;
        let first = self.image + row * self.width;
        let [a, b, c] = self.columns;
        [
            self.pixel(first + a),
            self.pixel(first + b),
            self.pixel(first + c),
        ]
    }

    #[inline(always)]
    fn pixel<const N: usize>(&self, row: usize) -> [T; N] {
        chunk(self.x.row(row), self.start)
    }
}

/// The best of some pixels, for `N` channels.
struct Best<O: Order<T>, T, const N: usize> {
    ranks: [O::Rank; N],
    /// Where they are in the window; nowhere, where nobody asks.
    places: [O::Place; N],
}

impl<O: Order<T>, T, const N: usize> Clone for Best<O, T, N> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<O: Order<T>, T, const N: usize> Copy for Best<O, T, N> {}

impl<O: Order<T>, T: Copy, const N: usize> Best<O, T, N> {
    /// The best of three neighbours in a row, at these places in it.
    #[inline(always)]
    fn of_line<const PLACES: bool>(
        [x, y, z]: [[T; N]; 3],
        places: [usize; 3],
        doubt: &mut [O::Rank; N],
    ) -> Self {
        let places = places.map(|place| O::Place::from(place as u8));
        let mut best = Self {
            ranks: [O::Rank::default(); N],
            places: [places[0]; N],
        };
        for i in 0..N {
            let three = [O::rank(x[i]), O::rank(y[i]), O::rank(z[i])];
            doubt[i] = O::doubt(doubt[i], three);
            best.ranks[i] = three[0];
            for k in 1..3 {
                best.challenge::<PLACES>(i, three[k], places[k]);
            }
        }
        best
    }

    /// The same, with places in the window whose row `k` it is.
    #[inline(always)]
    fn on_row<const PLACES: bool>(mut self, k: usize) -> Self {
        if PLACES {
            let row = O::Place::from(3 * k as u8);
            self.places
                .iter_mut()
                .for_each(|place| *place = *place + row);
        }
        self
    }

    /// The better of `self` and row `k` of the window; an equal does not win.
    #[inline(always)]
    fn or_better<const PLACES: bool>(mut self, line: &Self, k: usize) -> Self {
        let line = line.on_row::<PLACES>(k);
        for i in 0..N {
            self.challenge::<PLACES>(i, line.ranks[i], line.places[i]);
        }
        self
    }

    /// Lets another number of channel `i` win.
    #[inline(always)]
    fn challenge<const PLACES: bool>(&mut self, i: usize, rank: O::Rank, place: O::Place) {
        let won = rank > self.ranks[i];
        self.ranks[i] = if won { rank } else { self.ranks[i] };
        if PLACES {
            self.places[i] = if won { place } else { self.places[i] };
        }
    }
}
