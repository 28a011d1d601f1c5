//! Transformed filters.

use super::transform::{LANES, Lane, Square, both_ways, evaluate, load};
use super::{Form, POINTS, SIDE};
use inception_tensor::{Element, PANEL, Pool, Shape, Vectorize, View, packed_len};
use std::array;

/// What the filters are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Direction {
    /// The output: sums over the channels in.
    Forward,
    /// The input's gradient: flipped filters, sums over the channels out.
    Backward,
}

impl Direction {
    /// Channels that are summed over, and channels of the result.
    fn channels(self, weight: Shape) -> [usize; 2] {
        match self {
            Self::Forward => [weight.w, weight.c],
            Self::Backward => [weight.c, weight.w],
        }
    }
}

/// Numbers that [`filter`] writes for a weight `[r, r, c_in, c_out]`.
pub(in super::super) fn filter_len(weight: Shape, direction: Direction) -> usize {
    let [k, n] = direction.channels(weight);
    POINTS * packed_len(k, n)
}

/// Transforms a weight `[r, r, c_in, c_out]`: for each panel of the result's channels, for
/// each point, `k` rows of [`PANEL`] numbers.
pub(in super::super) fn filter<T: Element>(
    pool: &Pool,
    form: Form,
    weight: View<'_, T>,
    direction: Direction,
    out: &mut [T],
) {
    let [k, _] = direction.channels(weight.shape());
    assert_eq!(out.len(), filter_len(weight.shape(), direction));
    if out.is_empty() {
        return;
    }
    pool.for_each_chunk(out, POINTS * k * PANEL, |panel, out| match form {
        Form::Kernel3 => pool.kernel().vectorize(Panel::<T, 3> {
            weight,
            direction,
            panel,
            out,
        }),
        Form::Kernel5 => pool.kernel().vectorize(Panel::<T, 5> {
            weight,
            direction,
            panel,
            out,
        }),
    });
}

/// One panel of transformed filters of `R × R` taps.
struct Panel<'a, T, const R: usize> {
    weight: View<'a, T>,
    direction: Direction,
    panel: usize,
    out: &'a mut [T],
}

impl<T: Element, const R: usize> Vectorize for Panel<'_, T, R> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        let [k, _] = self.direction.channels(self.weight.shape());
        for lane in (0..PANEL).step_by(LANES) {
            let channel = self.panel * PANEL + lane;
            match self.direction {
                Direction::Forward => {
                    for row in 0..k {
                        let taps = array::from_fn(|p| {
                            array::from_fn(|q| load(self.weight.pixel(p, q, row), channel))
                        });
                        self.write(&taps, k, row, lane);
                    }
                }
                Direction::Backward => {
                    for first in (0..k).step_by(LANES) {
                        let block = self.transposed(first, channel);
                        for row in first..k.min(first + LANES) {
                            let taps =
                                array::from_fn(|p| array::from_fn(|q| block[p][q][row - first]));
                            self.write(&taps, k, row, lane);
                        }
                    }
                }
            }
        }
    }
}

impl<T: Element, const R: usize> Panel<'_, T, R> {
    /// The flipped taps of the channels out `first ..`, each with the channels in
    /// `channel ..` side by side.
    #[inline(always)]
    fn transposed(&self, first: usize, channel: usize) -> [[[Lane<T>; LANES]; R]; R] {
        let c_in = self.weight.shape().w;
        let mut block = [[[[T::zero(); LANES]; LANES]; R]; R];
        for (p, line) in block.iter_mut().enumerate() {
            for (q, square) in line.iter_mut().enumerate() {
                for l in 0..LANES.min(c_in.saturating_sub(channel)) {
                    let filters = self.weight.pixel(R - 1 - p, R - 1 - q, channel + l);
                    let filters = load(filters, first);
                    for (row, &x) in square.iter_mut().zip(&filters) {
                        row[l] = x;
                    }
                }
            }
        }
        block
    }

    #[inline(always)]
    fn write(&mut self, taps: &Square<T, R>, k: usize, row: usize, lane: usize) {
        let transformed = both_ways(taps, evaluate);
        for point in 0..POINTS {
            let to = &mut self.out[(point * k + row) * PANEL + lane..][..LANES];
            to.copy_from_slice(&transformed[point / SIDE][point % SIDE]);
        }
    }
}
