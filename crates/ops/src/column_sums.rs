//! Sums over the pixels of a map, per channel.

use crate::tile::{cut, pixels};
use inception_tensor::{Element, Pool, Vectorize, View, with_scratch};
use std::ops::Range;

/// Parts that the pixels are cut into, each summed by one task.
const PARTS: usize = 8;
/// Pixels that are added up before they are added to the rest, so that rounding errors of
/// long sums stay small.
const BLOCK: usize = 64;

/// `sums[c] = Σ_pixels map[.., c]`, in an order that depends on the shape alone.
pub(crate) fn column_sums<T: Element>(pool: &Pool, map: View<'_, T>, sums: &mut [T]) {
    let (rows, c) = (map.shape().rows(), map.shape().c);
    assert_eq!(sums.len(), c, "a sum for each channel");
    sums.fill(T::zero());
    if c == 0 {
        return;
    }
    let share = rows.div_ceil(PARTS).next_multiple_of(BLOCK);
    with_scratch(PARTS * c, |partials: &mut [T]| {
        pool.for_each_chunk(partials, c, |part, partial| {
            let range = (part * share).min(rows)..(part * share + share).min(rows);
            with_scratch(c, |block: &mut [T]| {
                pool.sweep(Part {
                    map,
                    range,
                    block,
                    sums: partial,
                });
            });
        });
        partials
            .chunks_exact(c)
            .for_each(|partial| add(sums, partial));
    });
}

/// The sums of consecutive pixels.
struct Part<'a, T> {
    map: View<'a, T>,
    range: Range<usize>,
    /// Sums of a block.
    block: &'a mut [T],
    sums: &'a mut [T],
}

impl<T: Element> Vectorize for Part<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self {
            map, range, block, ..
        } = self;
        self.sums.fill(T::zero());
        for first in range.clone().step_by(BLOCK) {
            block.fill(T::zero());
            let end = (first + BLOCK).min(range.end);
            let mut p = first;
            while p + 4 <= end {
                add_rows::<_, 4>(block, pixels(&map, p));
                p += 4;
            }
            (p..end).for_each(|p| add(block, map.row(p)));
            add(self.sums, block);
        }
    }
}

#[inline(always)]
fn add<T: Element>(sums: &mut [T], terms: &[T]) {
    add_rows(sums, [terms]);
}

/// Adds rows one after another; several share one load and store of a sum.
#[inline(always)]
fn add_rows<T: Element, const N: usize>(sums: &mut [T], rows: [&[T]; N]) {
    let len = sums.len();
    let (sums, rows) = (&mut sums[..len], cut(rows, len));
    for c in 0..len {
        sums[c] = rows.iter().fold(sums[c], |sum, row| sum + row[c]);
    }
}
