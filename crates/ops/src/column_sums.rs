//! Sums over the pixels of a map, per channel.

use inception_tensor::{Element, Pool, View, with_scratch};

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
            partial.fill(T::zero());
            let range = (part * share).min(rows)..(part * share + share).min(rows);
            with_scratch(c, |block: &mut [T]| {
                for first in range.clone().step_by(BLOCK) {
                    block.fill(T::zero());
                    (first..(first + BLOCK).min(range.end)).for_each(|p| add(block, map.row(p)));
                    add(partial, block);
                }
            });
        });
        partials
            .chunks_exact(c)
            .for_each(|partial| add(sums, partial));
    });
}

fn add<T: Element>(sums: &mut [T], terms: &[T]) {
    sums.iter_mut().zip(terms).for_each(|(sum, &x)| *sum += x);
}
