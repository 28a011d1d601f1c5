//! The gradients of weights and bias.

use super::places::Places;
use super::winograd::{self, Tiling};
use super::{Method, NAME, check, workspace_of};
use crate::column_sums::column_sums;
use inception_tensor::{
    Accumulate, Element, PADDING, Pool, Shape, Terms, View, ViewMut, multiply_outer, with_scratch,
};
use std::ops::Range;

/// Tasks that a product should have at least.
const TASKS: usize = 8;
/// Bytes of `x` and `dy` that stay in a core's own cache while all taps read them.
const CACHED: usize = 512 << 10;

/// Numbers of workspace that [`backward_weight`] needs: transformed tiles and sums, where
/// the method transforms.
///
/// # Shapes
/// `y`: the output, `[n, oh, ow, c_out]`; weight: `[kh, kw, c_in, c_out]`.
pub fn backward_weight_workspace(method: &Method, y: Shape, weight: Shape) -> usize {
    match method.gradient_tiling() {
        Some(Tiling::Plane(form)) => winograd::backward_weight_workspace(form, y, weight),
        Some(Tiling::Line(_)) | None => 0,
    }
}

/// `dw[p, q, c, o] = Σ_{n, i, j} x[n, i·s + p·d − t, j·s + q·d − l, c]·dy[n, i, j, o]` and,
/// where asked for, `db[o] = Σ_{n, i, j} dy[n, i, j, o]`.
///
/// Pixels are summed in blocks, in order; in each block, a task owns some rows `[p, q, c]` of
/// the gradient. So the order depends on shapes alone. All operands may be channel slices.
/// An empty batch gives zeros.
///
/// # Shapes
/// `x`: `[n, h, w, c_in]`, `dy`: `[n, oh, ow, c_out]`, `dw`: `[kh, kw, c_in, c_out]`, `db`:
/// `c_out`, workspace: at least [`backward_weight_workspace`].
///
/// # Panics
/// When shapes do not fit, or the workspace is too small.
pub fn backward_weight<T: Element>(
    pool: &Pool,
    method: &Method,
    x: View<'_, T>,
    dy: View<'_, T>,
    dw: ViewMut<'_, T>,
    db: Option<&mut [T]>,
    workspace: &mut [T],
) {
    let window = &method.window;
    check(window, x.shape(), dw.shape(), dy.shape());
    assert!(
        db.as_ref().is_none_or(|db| db.len() == dy.shape().c),
        "{NAME}: the bias of weight {} has another size",
        dw.shape()
    );
    let needed = backward_weight_workspace(method, dy.shape(), dw.shape());
    let workspace = workspace_of(workspace, needed);
    if let Some(Tiling::Plane(form)) = method.gradient_tiling() {
        let [[top, _], [left, _]] = window.padding;
        winograd::backward_weight(pool, form, x, [top, left], dy, dw, workspace);
    } else {
        let places = Places::forward(window, &x, [dy.shape().h, dy.shape().w]);
        Job { places, x, dy }.sum(pool, dw);
    }
    if let Some(db) = db {
        column_sums(pool, dy, db);
    }
}

/// A product over the pixels of `dy`.
struct Job<'a, T> {
    places: Places,
    x: View<'a, T>,
    dy: View<'a, T>,
}

/// Rows of the gradient that one run of multiplications computes.
struct Segment {
    /// The first row within the task.
    start: usize,
    rows: usize,
    /// The first tap.
    tap: usize,
    /// How many taps, side by side.
    taps: usize,
    /// The first channel of the first tap.
    channel: usize,
}

impl<T: Element> Job<'_, T> {
    /// Taps that are summed together where they all lie inside the input: a row of the
    /// window whose taps are neighbours in memory and of few channels each, else one.
    fn joined(&self) -> usize {
        match self.places.row_is_one_piece() {
            true => self.places.axes[1].offsets.len(),
            false => 1,
        }
    }

    /// Whole taps where there are enough of them, else equal parts of a tap.
    fn rows_of_a_task(&self) -> usize {
        let (c, joined) = (self.x.shape().c, self.joined());
        match self.places.taps() {
            _ if joined > 1 => c * joined,
            taps @ 0..TASKS => c.div_ceil(TASKS.div_ceil(taps)).next_multiple_of(14).min(c),
            taps => c * (taps / TASKS),
        }
    }

    /// The rows `first .. first + rows` of the gradient, cut where taps end.
    fn segments(&self, first: usize, rows: usize) -> impl Iterator<Item = Segment> {
        let (c, taps) = (self.x.shape().c, self.joined());
        let mut start = 0;
        std::iter::from_fn(move || {
            let row = first + start;
            let channel = row % (c * taps);
            let segment = Segment {
                start,
                rows: (rows - start).min(c * taps - channel),
                tap: row / (c * taps) * taps,
                taps,
                channel,
            };
            start += segment.rows;
            (segment.rows > 0).then_some(segment)
        })
    }

    /// Pixels whose `x` and `dy` stay in cache.
    fn pixels_of_a_block(&self) -> usize {
        let bytes = size_of::<T>() * (self.x.shape().c + self.dy.shape().c);
        (CACHED / bytes).clamp(128, 1024).next_multiple_of(64)
    }

    /// The whole gradient, block of pixels by block of pixels.
    fn sum(&self, pool: &Pool, mut dw: ViewMut<'_, T>) {
        let (total, step) = (self.dy.shape().rows(), self.pixels_of_a_block());
        if total == 0 {
            return dw.fill(T::zero());
        }
        let serial = pool.on_this_thread();
        for pixel in (0..total).step_by(step) {
            let pixels = pixel..total.min(pixel + step);
            let accumulate = match pixel {
                0 => Accumulate::Replace,
                _ => Accumulate::Add,
            };
            if self.places.taps() == 1 {
                self.pointwise(pool, &pixels, accumulate, dw.reborrow());
                continue;
            }
            let task = |first: usize, mut block: ViewMut<'_, T>| {
                let rows = block.shape().n;
                for segment in self.segments(first, rows) {
                    let out = block.reborrow().rows(segment.start, segment.rows);
                    self.block(&serial, &pixels, &segment, accumulate, out);
                }
            };
            pool.for_each_rows(dw.reborrow(), self.rows_of_a_task(), task);
        }
    }

    /// Adds a block of pixels to the gradient of a single tap.
    fn pointwise(
        &self,
        pool: &Pool,
        pixels: &Range<usize>,
        accumulate: Accumulate,
        dw: ViewMut<'_, T>,
    ) {
        with_scratch(pixels.len(), |offsets: &mut [u32]| {
            self.places.locate(pixels.start, offsets);
            let inside = offsets.iter().copied().enumerate();
            let inside = inside.filter(|place| place.1 != PADDING);
            self.add(pool, pixels, inside, accumulate, dw);
        });
    }

    /// Adds a block of pixels to a segment: all its taps at once for the pixels where they
    /// lie inside the input, tap by tap for the others.
    fn block(
        &self,
        pool: &Pool,
        pixels: &Range<usize>,
        segment: &Segment,
        accumulate: Accumulate,
        mut out: ViewMut<'_, T>,
    ) {
        let (count, taps) = (pixels.len(), segment.taps);
        with_scratch(count * (taps + 1), |memory: &mut [u32]| {
            let (offsets, borders) = memory.split_at_mut(count * taps);
            for (i, offsets) in offsets.chunks_exact_mut(count).enumerate() {
                self.places
                    .only(segment.tap + i)
                    .locate(pixels.start, offsets);
            }
            let (first, last) = (&offsets[..count], &offsets[(taps - 1) * count..]);
            let mut border = 0;
            let inside = (0..count).filter_map(|i| {
                // Taps are side by side, so those between the first and the last are inside
                // where these two are.
                if first[i] != PADDING && last[i] != PADDING {
                    return Some((i, first[i] + segment.channel as u32));
                }
                borders[border] = i as u32;
                border += 1;
                None
            });
            self.add(pool, pixels, inside, accumulate, out.reborrow());
            if taps == 1 {
                return;
            }
            let c = self.x.shape().c;
            for (tap, offsets) in offsets.chunks_exact(count).enumerate() {
                let places = borders[..border].iter().map(|&i| i as usize);
                let places = places.map(|i| (i, offsets[i])).filter(|p| p.1 != PADDING);
                let out = out.reborrow().rows(tap * c, c);
                self.add(pool, pixels, places, Accumulate::Add, out);
            }
        });
    }

    /// How far apart neighbouring pixels of `dy` and what they read of `x` are, on average.
    fn pitch(&self) -> [usize; 2] {
        let [down, across] = &self.places.axes;
        [down.step * across.step * self.x.stride(), self.dy.stride()]
    }

    /// Adds the products of some pixels, each with its place in the input.
    fn add(
        &self,
        pool: &Pool,
        pixels: &Range<usize>,
        places: impl Iterator<Item = (usize, u32)>,
        accumulate: Accumulate,
        out: ViewMut<'_, T>,
    ) {
        with_scratch(pixels.len(), |terms: &mut [[u32; 2]]| {
            let mut used = 0;
            for (i, at) in places {
                terms[used] = [at, ((pixels.start + i) * self.dy.stride()) as u32];
                used += 1;
            }
            let (x, dy) = (self.x.data(), self.dy.data());
            let terms = Terms {
                offsets: &terms[..used],
                pitch: self.pitch(),
            };
            multiply_outer(pool, x, dy, terms, accumulate, out);
        });
    }
}
