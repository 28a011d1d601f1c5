//! Sums over pixels as partial sums of fixed parts, in double precision.

use crate::tile::rows_per_tile;
use inception_tensor::{Element, Pool, Shape, Vectorize, with_scratch};

/// Pixels in a part, at least: per-channel work at its ends must stay a small part.
const MIN_ROWS: usize = 64;

/// Sums per channel that a pass computes.
const SUMS: usize = 2;

/// Vectors of coefficients that a pass derives from its sums.
const COEFFICIENTS: usize = 2;

/// How many pixels of `channels` channels make a part.
pub(super) fn rows_per_part(channels: usize) -> usize {
    rows_per_tile(channels).max(MIN_ROWS)
}

/// Numbers of workspace for [`statistics`](super::statistics) and
/// [`backward_train`](super::backward_train).
///
/// Two sums a channel for each part of the pixels, each sum as two numbers (its nearest
/// value and what that leaves), and two coefficients a channel.
pub fn workspace(x: Shape) -> usize {
    let parts = x.rows().div_ceil(rows_per_part(x.c));
    (parts * SUMS * 2 + COEFFICIENTS) * x.c
}

/// Two sums of a channel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sums {
    pub(super) first: f64,
    pub(super) second: f64,
}

/// Sums of all channels, part by part.
pub(super) struct Partials<'a, T> {
    parts: &'a mut [T],
    channels: usize,
}

/// The rest of a workspace beside its partial sums.
pub(super) struct Split<'a, T> {
    pub(super) partials: Partials<'a, T>,
    pub(super) coefficients: &'a mut [T],
}

/// Divides a workspace.
///
/// # Panics
/// When it has less than [`workspace`] numbers.
#[track_caller]
pub(super) fn split<T: Element>(x: Shape, workspace: &mut [T]) -> Split<'_, T> {
    let needed = self::workspace(x);
    let found = workspace.len();
    assert!(
        found >= needed,
        "batch_norm: {needed} numbers of workspace for {x}, found {found}"
    );
    let (coefficients, parts) = workspace[..needed].split_at_mut(COEFFICIENTS * x.c);
    Split {
        partials: Partials {
            parts,
            channels: x.c,
        },
        coefficients,
    }
}

impl<T: Element> Partials<'_, T> {
    /// Lets `f(first, rows, sums)` add pixels `first .. first + rows` to `sums`, the first
    /// sum of each channel before the second of each, zero at first.
    pub(super) fn compute(
        &mut self,
        pool: &Pool,
        pixels: usize,
        f: impl Fn(usize, usize, &mut [f64]) + Send + Sync,
    ) {
        let (c, rows) = (self.channels, rows_per_part(self.channels));
        if c == 0 {
            return;
        }
        pool.for_each_chunk(self.parts, SUMS * 2 * c, |part, numbers| {
            let first = part * rows;
            with_scratch(SUMS * c, |sums: &mut [f64]| {
                sums.fill(0.0);
                f(first, rows.min(pixels - first), sums);
                let (high, low) = numbers.split_at_mut(SUMS * c);
                for ((high, low), &sum) in high.iter_mut().zip(low).zip(&*sums) {
                    *high = T::of(sum);
                    *low = T::of(sum - high.f64());
                }
            });
        });
    }

    /// Calls `f` with the sums of each channel over all parts, in their order.
    pub(super) fn totals<R>(&self, pool: &Pool, f: impl FnOnce(Totals<'_>) -> R) -> R {
        with_scratch(SUMS * self.channels, |sums: &mut [f64]| {
            sums.fill(0.0);
            for part in self.parts.chunks_exact(sums.len().max(1) * 2) {
                pool.sweep(AddPart { sums, part });
            }
            f(Totals(sums.split_at(self.channels)))
        })
    }
}

/// The sums of all channels.
#[derive(Clone, Copy)]
pub(super) struct Totals<'a>((&'a [f64], &'a [f64]));

impl Totals<'_> {
    /// Those of channel `c`.
    pub(super) fn of(&self, c: usize) -> Sums {
        let (first, second) = self.0;
        Sums {
            first: first[c],
            second: second[c],
        }
    }
}

/// Adds the sums of a part, each as two numbers.
struct AddPart<'a, T> {
    sums: &'a mut [f64],
    part: &'a [T],
}

impl<T: Element> Vectorize for AddPart<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (high, low) = self.part.split_at(self.sums.len());
        for ((sum, high), low) in self.sums.iter_mut().zip(high).zip(low) {
            *sum += high.f64() + low.f64();
        }
    }
}
