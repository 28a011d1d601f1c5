//! Maxima of stored maps.

use super::rows_of_a_tile;
use crate::Window;
use crate::max_pool::walk::{Ranks, maxima, suits};
use crate::pooling::{Axis, assert_shapes};
use inception_tensor::{Pool, Stored, Vectorize, View, ViewMut};
use smallvec::SmallVec;

/// Channels whose maxima stay in registers.
const CHUNK: usize = 64;
/// Channels of what is left, the width of a vector.
const SMALL: usize = 16;

/// `y[o] = max_{k} x[o·stride + k·dilation − padding]` over the places on the input and, where
/// asked for, which pixel of its window won (`ky·kw + kx`, the first of equals), one byte an
/// output number. A NaN wins, and a zero is above a negative zero.
///
/// # Shapes
/// `x` is `[n, h, w, c]`, `y` what [`max_pool::shape`](crate::max_pool::shape) says; either may
/// be a channel slice. `winners` has `y.len()` bytes.
///
/// # Panics
/// When `y` or `winners` has another size, or the window does not fit.
pub fn max_pool<S: Stored>(
    pool: &Pool,
    window: &Window,
    x: View<'_, S>,
    y: ViewMut<'_, S>,
    winners: Option<&mut [u8]>,
) {
    let shape = y.shape();
    assert_shapes("max_pool", window, x.shape(), shape);
    if let Some(winners) = &winners {
        assert_eq!(winners.len(), shape.len(), "max_pool: winners of {shape}");
    }
    let axes = [0, 1].map(|axis| Axis::new(window, axis, x.shape()));
    let bytes = winners.unwrap_or_default();
    if suits(&axes) {
        let again = |_: [usize; 3], _: &mut [S], _: &mut [u8]| unreachable!("ranks compare");
        return maxima::<Ranks, _, _>(pool, axes, x, y, bytes, again);
    }
    let rows = rows_of_a_tile(shape.c * 4);
    pool.for_each_rows_beside(y, bytes, rows, |first, y, winners| {
        pool.kernel().vectorize(Maxima {
            axes: &axes,
            width: window.kernel[1],
            size: [shape.h, shape.w],
            x,
            first,
            y,
            winners,
        });
    });
}

/// Consecutive pixels of the output.
struct Maxima<'a, S> {
    axes: &'a [Axis; 2],
    /// Columns of the window.
    width: usize,
    /// Rows and columns of the whole output.
    size: [usize; 2],
    x: View<'a, S>,
    first: usize,
    y: ViewMut<'a, S>,
    /// Empty where nobody asks.
    winners: &'a mut [u8],
}

/// A pixel under a window.
#[derive(Clone, Copy)]
struct Tap<'a, S> {
    place: i16,
    pixel: &'a [S],
}

impl<S: Stored> Vectorize for Maxima<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        let [h, w] = self.size;
        let [rows, columns] = self.axes;
        let c = self.y.shape().c;
        let on_input = |axis: &Axis, o: usize, k: usize| {
            (axis.origin(o) + (k * axis.dilation) as isize) as usize
        };
        let mut taps: SmallVec<[Tap<'_, S>; 16]> = SmallVec::new();
        for r in 0..self.y.shape().n {
            let at = self.first + r;
            let (n, oy, ox) = (at / w / h, at / w % h, at % w);
            taps.clear();
            for ky in rows.taps(oy) {
                for kx in columns.taps(ox) {
                    let (iy, ix) = (on_input(rows, oy, ky), on_input(columns, ox, kx));
                    taps.push(Tap {
                        place: (ky * self.width + kx) as i16,
                        pixel: self.x.pixel(n, iy, ix),
                    });
                }
            }
            let (taps, y) = (&taps[..], self.y.row_mut(r));
            match self.winners.get_mut(r * c..(r + 1) * c) {
                Some(winners) if !winners.is_empty() => by_channel(Places { taps, y, winners }),
                _ => by_channel(Alone { taps, y }),
            }
        }
    }
}

/// What is computed of a window, some channels at a time.
trait Contest {
    /// How many channels there are.
    fn channels(&self) -> usize;

    /// `N` channels from `start` on.
    fn chunk<const N: usize>(&mut self, start: usize);
}

#[inline(always)]
fn by_channel(mut contest: impl Contest) {
    let (len, mut start) = (contest.channels(), 0);
    while start + CHUNK <= len {
        contest.chunk::<CHUNK>(start);
        start += CHUNK;
    }
    while start + SMALL <= len {
        contest.chunk::<SMALL>(start);
        start += SMALL;
    }
    while start < len {
        contest.chunk::<1>(start);
        start += 1;
    }
}

/// Maxima alone.
struct Alone<'a, S> {
    taps: &'a [Tap<'a, S>],
    y: &'a mut [S],
}

impl<S: Stored> Contest for Alone<'_, S> {
    #[inline(always)]
    fn channels(&self) -> usize {
        self.y.len()
    }

    #[inline(always)]
    fn chunk<const N: usize>(&mut self, start: usize) {
        let [first, others @ ..] = self.taps else {
            unreachable!("a window has a pixel");
        };
        let mut max = [S::Rank::default(); N];
        for (m, &v) in max.iter_mut().zip(&first.pixel[start..start + N]) {
            *m = v.rank();
        }
        for tap in others {
            for (m, &v) in max.iter_mut().zip(&tap.pixel[start..start + N]) {
                *m = v.rank().max(*m);
            }
        }
        for (y, &m) in self.y[start..start + N].iter_mut().zip(&max) {
            *y = S::of_rank(m);
        }
    }
}

/// Maxima and their places.
struct Places<'a, S> {
    taps: &'a [Tap<'a, S>],
    y: &'a mut [S],
    winners: &'a mut [u8],
}

impl<S: Stored> Contest for Places<'_, S> {
    #[inline(always)]
    fn channels(&self) -> usize {
        self.winners.len()
    }

    #[inline(always)]
    fn chunk<const N: usize>(&mut self, start: usize) {
        let [first, others @ ..] = self.taps else {
            unreachable!("a window has a pixel");
        };
        let mut max = [S::Rank::default(); N];
        for (m, &v) in max.iter_mut().zip(&first.pixel[start..start + N]) {
            *m = v.rank();
        }
        // As wide as the ranks of pairs. Small loops, which become vectors.
        let mut places = [first.place; N];
        for tap in others {
            let (mut ranks, mut won) = ([S::Rank::default(); N], [0i16; N]);
            for (rank, &v) in ranks.iter_mut().zip(&tap.pixel[start..start + N]) {
                *rank = v.rank();
            }
            for (won, (rank, m)) in won.iter_mut().zip(ranks.iter().zip(&max)) {
                *won = -i16::from(rank > m);
            }
            for (m, &rank) in max.iter_mut().zip(&ranks) {
                *m = rank.max(*m);
            }
            for (place, won) in places.iter_mut().zip(&won) {
                *place = (*place & !won) | (tap.place & won);
            }
        }
        for (y, &m) in self.y[start..start + N].iter_mut().zip(&max) {
            *y = S::of_rank(m);
        }
        for (winner, &place) in self.winners[start..start + N].iter_mut().zip(&places) {
            *winner = place as u8;
        }
    }
}
