//! Strides above 1.
//!
//! A window of stride `s` moves by whole squares of `s × s` pixels. On a map in which such a square
//! is one pixel of `s²` times the channels it moves by one, and its taps are squares too: a kernel
//! of `k × k` has `⌈k/s⌉ × ⌈k/s⌉` of them, filled up with zeros. The border is part of that map, and
//! no pixel of it has fewer than [`LANES`] channels: behind those that are there, zeros.

use super::tiles::Tiles;
use super::{Form, SIDE};
use inception_tensor::{Element, LANES, Shape, View, with_scratch};

/// The weight `[r, r, s²·c_in, c_out]` of stride 1 of a weight `[k, k, c_in, c_out]`.
pub(super) fn phased(form: Form, weight: Shape) -> Shape {
    let (taps, k) = (form.taps(), form.channels(weight.w));
    Shape::new(taps, taps, k, weight.c)
}

/// Calls `f` with the weight of stride 1.
pub(super) fn phased_weight<T: Element>(
    form: Form,
    weight: View<'_, T>,
    f: impl FnOnce(View<'_, T>),
) {
    let shape = phased(form, weight.shape());
    with_scratch(shape.len(), |numbers: &mut [T]| {
        numbers.fill(T::zero());
        let (stride, [side, c_in]) = (form.stride, [weight.shape().h, weight.shape().w]);
        for row in 0..weight.shape().rows() {
            let (y, x, c) = (row / c_in / side, row / c_in % side, row % c_in);
            let tap = y / stride * form.taps() + x / stride;
            let phase = y % stride * stride + x % stride;
            let place = (tap * stride * stride + phase) * c_in + c;
            numbers[place * shape.c..][..shape.c].copy_from_slice(weight.row(row));
        }
        f(View::new(numbers, shape));
    });
}

/// A part of the map of stride 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gather<'a, S> {
    form: Form,
    x: View<'a, S>,
    /// Rows and columns of the border before `x`.
    offset: [usize; 2],
    /// Image, row and column where the part begins.
    start: [usize; 3],
    /// Images, rows and columns.
    size: [usize; 3],
}

impl<'a, S: Copy + Default> Gather<'a, S> {
    /// What some tiles read.
    pub(super) fn of_tiles(form: Form, x: View<'a, S>, offset: [usize; 2], tiles: Tiles) -> Self {
        let ([image, row, column], [images, rows, columns]) = (tiles.start, tiles.size);
        let step = tiles.step;
        let reach = |count: usize| count * step + SIDE - step;
        Self {
            form,
            x,
            offset,
            start: [image, row * step, column * step],
            size: [images, reach(rows), reach(columns)],
        }
    }

    pub(super) fn shape(&self) -> Shape {
        let [n, h, w] = self.size;
        let channels = self.form.channels(self.x.shape().c);
        Shape::new(n, h, w, channels.max(LANES))
    }

    /// Writes all numbers of the part.
    pub(super) fn run(&self, map: &mut [S]) {
        let (Shape { h, w, c, .. }, stride) = (self.shape(), self.form.stride);
        let run = stride * self.x.shape().c;
        if c > stride * run {
            map.fill(S::default());
        }
        for (i, line) in map.chunks_exact_mut((w * c).max(1)).enumerate() {
            let image = self.start[0] + i / h;
            for phase in 0..stride {
                // Before the near edge this wraps around to a row beyond the far edge.
                let row = (self.start[1] + i % h) * stride + phase;
                let y = row.wrapping_sub(self.offset[0]);
                self.line(image, y, &mut line[phase * run..], c);
            }
        }
    }

    /// Writes a row of `x` to its channels of a row of the map, whose pixels are `pitch` apart.
    fn line(&self, image: usize, y: usize, to: &mut [S], pitch: usize) {
        let (Shape { h, w, c, .. }, stride) = (self.x.shape(), self.form.stride);
        let (columns, run) = (self.size[2], stride * c);
        let first = self.start[2] * stride;
        // Squares that lie inside as a whole, in one piece.
        let inside = match y < h && self.x.is_dense() {
            true => {
                let before = self.offset[1].saturating_sub(first).div_ceil(stride);
                let end = (w + self.offset[1]).saturating_sub(first) / stride;
                before.min(columns)..end.clamp(before.min(columns), columns)
            }
            false => 0..0,
        };
        for column in (0..inside.start).chain(inside.end..columns) {
            for phase in 0..stride {
                let x = (first + column * stride + phase).wrapping_sub(self.offset[1]);
                let to = &mut to[column * pitch + phase * c..][..c];
                match y < h && x < w {
                    true => to.copy_from_slice(self.x.pixel(image, y, x)),
                    false => to.fill(S::default()),
                }
            }
        }
        if inside.is_empty() {
            return;
        }
        let x = first + inside.start * stride - self.offset[1];
        let from = &self.x.data()[((image * h + y) * w + x) * c..][..inside.len() * run];
        let to = &mut to[inside.start * pitch..];
        match run {
            // Of a known length, for images of three channels.
            6 => copy_runs::<S, 6>(from, to, pitch),
            _ => {
                let runs = to.chunks_mut(pitch).zip(from.chunks_exact(run));
                runs.for_each(|(to, from)| to[..run].copy_from_slice(from));
            }
        }
    }
}

/// Copies runs of `N` numbers to places `pitch` apart.
fn copy_runs<S: Copy, const N: usize>(from: &[S], to: &mut [S], pitch: usize) {
    let (runs, _) = from.as_chunks::<N>();
    for (to, from) in to.chunks_mut(pitch).zip(runs) {
        if let Some(to) = to.first_chunk_mut() {
            *to = *from;
        }
    }
}
