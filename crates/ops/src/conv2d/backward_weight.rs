//! The gradients of weights and bias.

use super::places::Places;
use super::{NAME, check};
use crate::Window;
use crate::column_sums::column_sums;
use inception_tensor::{
    Accumulate, Element, PADDING, Pool, View, ViewMut, multiply_outer, with_scratch,
};

/// The most rows of a task: enough that reading `dy` is shared.
const MOST_ROWS: usize = 56;
/// The fewest, but for smaller gradients.
const FEWEST_ROWS: usize = 14;
/// Tasks that a product should have at least.
const TASKS: usize = 8;
/// Output pixels whose `x` and `dy` stay in a core's own cache.
const PIXELS: usize = 256;

/// `dw[p, q, c, o] = Σ_{n, i, j} x[n, i·s + p·d − t, j·s + q·d − l, c]·dy[n, i, j, o]` and,
/// where asked for, `db[o] = Σ_{n, i, j} dy[n, i, j, o]`.
///
/// A task owns some rows `[p, q, c]` of the gradient and sums over all pixels, in blocks of
/// pixels in order: the order depends on shapes alone. All operands may be channel slices. An empty
/// batch gives zeros.
///
/// # Shapes
/// `x`: `[n, h, w, c_in]`, `dy`: `[n, oh, ow, c_out]`, `dw`: `[kh, kw, c_in, c_out]`, `db`:
/// `c_out`.
///
/// # Panics
/// When shapes do not fit.
pub fn backward_weight<T: Element>(
    pool: &Pool,
    window: &Window,
    x: View<'_, T>,
    dy: View<'_, T>,
    dw: ViewMut<'_, T>,
    db: Option<&mut [T]>,
) {
    check(window, x.shape(), dw.shape(), dy.shape());
    assert!(
        db.as_ref().is_none_or(|db| db.len() == dy.shape().c),
        "{NAME}: the bias of weight {} has another size",
        dw.shape()
    );
    let places = Places::forward(window, &x, [dy.shape().h, dy.shape().w]);
    let even = dw
        .shape()
        .rows()
        .div_ceil(TASKS)
        .next_multiple_of(FEWEST_ROWS);
    let serial = pool.on_this_thread();
    pool.for_each_rows(
        dw,
        even.clamp(FEWEST_ROWS, MOST_ROWS),
        |first, mut block| {
            // A task may begin in one tap and end in another.
            let mut row = first;
            while !block.shape().is_empty() {
                let (tap, channel) = (row / x.shape().c, row % x.shape().c);
                let rows = block.shape().n.min(x.shape().c - channel);
                let (part, rest) = block.split_rows(rows);
                let slice = x.channels(channel, rows);
                sum_over_pixels(&serial, &places.only(tap), slice, dy, part);
                (block, row) = (rest, row + rows);
            }
        },
    );
    if let Some(db) = db {
        column_sums(pool, dy, db);
    }
}

/// `out = Σ_pixels xᵀ·dy` for some channels of `x` as one tap reads them.
fn sum_over_pixels<T: Element>(
    pool: &Pool,
    places: &Places,
    x: View<'_, T>,
    dy: View<'_, T>,
    mut out: ViewMut<'_, T>,
) {
    if dy.shape().is_empty() {
        return out.fill(T::zero());
    }
    with_scratch(PIXELS, |offsets: &mut [u32]| {
        with_scratch(PIXELS, |terms: &mut [[u32; 2]]| {
            for first in (0..dy.shape().rows()).step_by(PIXELS) {
                let count = PIXELS.min(dy.shape().rows() - first);
                places.locate(first, &mut offsets[..count]);
                let mut used = 0;
                for (i, &at) in offsets[..count].iter().enumerate() {
                    terms[used] = [at, ((first + i) * dy.stride()) as u32];
                    used += usize::from(at != PADDING);
                }
                let accumulate = match first {
                    0 => Accumulate::Replace,
                    _ => Accumulate::Add,
                };
                let (terms, out) = (&terms[..used], out.reborrow());
                multiply_outer(pool, x.data(), dy.data(), terms, accumulate, out);
            }
        });
    });
}
