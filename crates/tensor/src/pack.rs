//! Packing of right operands into panels.

use crate::kernel::PANEL;
use crate::{Element, Operand, Pool};

/// Numbers that a packed `k × n` matrix takes: whole panels of [`PANEL`] columns.
pub const fn packed_len(k: usize, n: usize) -> usize {
    n.div_ceil(PANEL) * PANEL * k
}

/// Packs rows `first .. first + b's rows` of a `k × n` matrix into `packed`, the layout that
/// [`multiply_rows`](crate::multiply_rows) reads: panel after panel of [`PANEL`] columns, in
/// each of them row after row, the last panel filled up with zeros.
///
/// # Panics
/// When `packed` is not [`packed_len`]`(k, n)` long or the rows go beyond `k`.
pub fn pack<T: Element>(pool: &Pool, b: Operand<'_, T>, k: usize, first: usize, packed: &mut [T]) {
    let (rows, n) = b.size();
    assert_eq!(packed.len(), packed_len(k, n), "packed {k}×{n}");
    assert!(first + rows <= k, "rows {first}..{} of {k}", first + rows);
    if packed.is_empty() {
        return;
    }
    pool.for_each_chunk(packed, k * PANEL, |panel, packed| {
        let columns = PANEL.min(n - panel * PANEL);
        let packed = &mut packed[first * PANEL..(first + rows) * PANEL];
        let lines = packed.chunks_exact_mut(PANEL).enumerate();
        match b {
            Operand::Plain(b) => lines.for_each(|(i, line)| {
                let row = &b.row(i)[panel * PANEL..][..columns];
                line[..columns].copy_from_slice(row);
                line[columns..].fill(T::zero());
            }),
            Operand::Transposed(b) => {
                if columns < PANEL {
                    packed.fill(T::zero());
                }
                for j in 0..columns {
                    let source = b.row(panel * PANEL + j);
                    for (line, &x) in packed.chunks_exact_mut(PANEL).zip(source) {
                        line[j] = x;
                    }
                }
            }
        }
    });
}
