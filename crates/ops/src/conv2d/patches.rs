//! Convolutions as matrix products: one row of input numbers for each output pixel.

use crate::Window;
use crate::parts::{Tile, rows};
use crate::transpose::{STRIP, transpose, transpose_strip};
use inception_tensor::{Element, Shape, View};
use smallvec::SmallVec;
use std::ops::Range;

/// The most columns of patches that are gathered at once. With [`ROWS`] rows of it, patches
/// stay in a core's second-level cache until they are multiplied; a multiple of the depth
/// that the product packs at once, so that cutting here cuts nothing there.
pub(super) const DEPTH: usize = 512;

/// The most patches that are gathered at once.
pub(super) const ROWS: usize = 256;

/// Distances along one axis, in increasing order.
pub(super) type Offsets = SmallVec<[isize; 8]>;

/// Where a patch is: an image, and a row and column of the grid of patches.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) image: usize,
    pub(super) row: usize,
    pub(super) column: usize,
}

/// Patches of a map: the one of grid pixel `(y, x)` reads rows `y·step[0] + rows[i]`, of
/// each the columns `x·step[1] + columns[j]`, of each all channels; 0 outside the map.
#[derive(Debug)]
pub(super) struct Patches<'a, T> {
    pub(super) source: View<'a, T>,
    pub(super) rows: Offsets,
    pub(super) columns: Offsets,
    pub(super) step: [usize; 2],
}

impl<'a, T: Element> Patches<'a, T> {
    /// What the output pixels of a convolution read.
    pub(super) fn new(window: &Window, source: View<'a, T>) -> Self {
        let offsets = |axis: usize| -> Offsets {
            let before = window.padding[axis][0] as isize;
            (0..window.kernel[axis])
                .map(|k| (k * window.dilation[axis]) as isize - before)
                .collect()
        };
        Self {
            source,
            rows: offsets(0),
            columns: offsets(1),
            step: window.stride,
        }
    }

    /// Numbers of a patch.
    pub(super) fn depth(&self) -> usize {
        self.rows.len() * self.columns.len() * self.source.shape().c
    }

    /// Whether the pixels that a row of a patch reads are neighbours in memory.
    fn joined(&self) -> bool {
        self.source.is_dense() && self.columns.windows(2).all(|p| p[1] == p[0] + 1)
    }

    /// Writes the numbers `depth` of patches, a row of `out` for each place.
    pub(super) fn gather(
        &self,
        places: impl Iterator<Item = Place>,
        depth: &Range<usize>,
        out: &mut [T],
    ) {
        let joined = self.joined();
        for (patch, at) in out.chunks_exact_mut(depth.len()).zip(places) {
            self.gather_one(at, depth.start, joined, patch);
        }
    }

    /// The same as columns of `out`, which has `depth` rows, the columns padded with zeros
    /// to a multiple of [`STRIP`]; through a strip of `STRIP·depth` numbers.
    pub(super) fn gather_transposed(
        &self,
        mut places: impl Iterator<Item = Place>,
        depth: &Range<usize>,
        strip: &mut [T],
        out: &mut [T],
        count: usize,
    ) {
        let stride = count.next_multiple_of(STRIP);
        for first in (0..count).step_by(STRIP) {
            let rows = STRIP.min(count - first);
            let (filled, rest) = strip.split_at_mut(rows * depth.len());
            self.gather(places.by_ref().take(rows), depth, filled);
            rest.fill(T::zero());
            let strip = View::new(strip, Shape::matrix(STRIP, depth.len()));
            transpose_strip(strip, &mut out[first..], stride);
        }
    }

    /// Writes the numbers of one patch from `depth` on.
    fn gather_one(&self, at: Place, depth: usize, joined: bool, patch: &mut [T]) {
        let run = self.columns.len() * self.source.shape().c;
        let top = (at.row * self.step[0]) as isize;
        let left = (at.column * self.step[1]) as isize;
        let (mut tap, mut start) = (depth / run, depth % run);
        let mut rest = patch;
        while !rest.is_empty() {
            let end = run.min(start + rest.len());
            let (out, tail) = rest.split_at_mut(end - start);
            match self.inside(top + self.rows[tap]) {
                None => out.fill(T::zero()),
                Some(y) if joined => self.copy_joined(at.image, y, left, start..end, out),
                Some(y) => self.copy_apart(at.image, y, left, start..end, out),
            }
            (tap, start, rest) = (tap + 1, 0, tail);
        }
    }

    /// The row of the map, where it has it.
    fn inside(&self, y: isize) -> Option<usize> {
        let y = usize::try_from(y).ok()?;
        (y < self.source.shape().h).then_some(y)
    }

    /// Numbers `run` of one row of a patch whose pixels are neighbours in memory.
    fn copy_joined(&self, n: usize, y: usize, left: isize, run: Range<usize>, out: &mut [T]) {
        let s = self.source.shape();
        let width = (s.w * s.c) as isize;
        let base = (left + self.columns[0]) * s.c as isize;
        let clip = |x: isize| (x.clamp(run.start as isize, run.end as isize)) as usize;
        let (low, high) = (clip(-base), clip(width - base));
        let (before, rest) = out.split_at_mut(low - run.start);
        let (inside, after) = rest.split_at_mut(high - low);
        before.fill(T::zero());
        after.fill(T::zero());
        if !inside.is_empty() {
            let row = (n * s.h + y) * s.w * s.c;
            let start = row + (base + low as isize) as usize;
            inside.copy_from_slice(&self.source.data()[start..start + inside.len()]);
        }
    }

    /// Numbers `run` of one row of a patch, pixel by pixel.
    fn copy_apart(&self, n: usize, y: usize, left: isize, run: Range<usize>, out: &mut [T]) {
        let s = self.source.shape();
        let (mut from, mut rest) = (run.start, out);
        while !rest.is_empty() {
            let (tap, start) = (from / s.c, from % s.c);
            let end = s.c.min(start + rest.len());
            let (out, tail) = rest.split_at_mut(end - start);
            match usize::try_from(left + self.columns[tap]) {
                Ok(x) if x < s.w => {
                    out.copy_from_slice(&self.source.pixel(n, y, x)[start..end]);
                }
                _ => out.fill(T::zero()),
            }
            (from, rest) = (from + end - start, tail);
        }
    }
}

/// The left factor of a convolution's product, a row for each output pixel.
#[derive(Debug)]
pub(super) enum Lowered<'a, T> {
    /// The input's own rows.
    Rows(View<'a, T>),
    /// Patches of the input, at the pixels of a grid of so many rows and columns.
    Patches(Patches<'a, T>, [usize; 2]),
}

impl<'a, T: Element> Lowered<'a, T> {
    /// What the output pixels of a convolution with `grid` rows and columns read.
    pub(super) fn new(window: &Window, x: View<'a, T>, grid: [usize; 2]) -> Self {
        if window.is_pointwise() {
            return Self::Rows(x);
        }
        Self::Patches(Patches::new(window, x), grid)
    }

    /// Columns of the factor.
    pub(super) fn depth(&self) -> usize {
        match self {
            Self::Rows(x) => x.shape().c,
            Self::Patches(patches, _) => patches.depth(),
        }
    }

    /// The scratch memory that [`Lowered::transposed`] needs.
    pub(super) fn tile(&self) -> Tile {
        let depth = self.depth().min(DEPTH);
        Tile {
            scratch: depth,
            fixed: depth * STRIP,
            rows: ROWS,
        }
    }

    /// Ranges of columns to ask [`Lowered::transposed`] for, in order.
    pub(super) fn depths(&self) -> impl Iterator<Item = Range<usize>> + use<T> {
        cut(0..self.depth(), DEPTH)
    }

    /// Columns `depth` and rows `pixels` of the factor, transposed: the layout that a
    /// product reads fastest. The rows are padded with zeros to a multiple of [`STRIP`].
    pub(super) fn transposed<'s>(
        &self,
        pixels: &Range<usize>,
        depth: &Range<usize>,
        scratch: &'s mut [T],
    ) -> View<'s, T> {
        let (first, count) = (pixels.start, pixels.len());
        let shape = Shape::matrix(depth.len(), count.next_multiple_of(STRIP));
        let (strip, out) = scratch.split_at_mut(STRIP * depth.len());
        let out = &mut out[..shape.len()];
        match self {
            Self::Rows(x) => {
                if count < shape.c {
                    out.fill(T::zero());
                }
                let block = rows(*x, first, count).channels(depth.start, depth.len());
                transpose(block, out, shape.c);
            }
            Self::Patches(patches, grid) => {
                let places = places(*grid, first);
                patches.gather_transposed(places, depth, strip, out, count);
            }
        }
        View::new(out, shape)
    }

    /// Rows `first .. first + count` and columns `depth` of the factor; of patches, in
    /// `scratch`.
    pub(super) fn block<'s>(
        &'s self,
        first: usize,
        count: usize,
        depth: Range<usize>,
        scratch: &'s mut [T],
    ) -> View<'s, T> {
        match self {
            Self::Rows(x) => rows(*x, first, count).channels(depth.start, depth.len()),
            Self::Patches(patches, grid) => {
                let scratch = &mut scratch[..count * depth.len()];
                let shape = Shape::matrix(count, depth.len());
                patches.gather(places(*grid, first), &depth, scratch);
                View::new(scratch, shape)
            }
        }
    }
}

/// The pixels of a grid of so many rows and columns, from number `first` on, over images
/// without end.
fn places([height, width]: [usize; 2], first: usize) -> impl Iterator<Item = Place> {
    let start = Place {
        image: first / width / height,
        row: first / width % height,
        column: first % width,
    };
    std::iter::successors(Some(start), move |&at| {
        Some(if at.column + 1 < width {
            Place {
                column: at.column + 1,
                ..at
            }
        } else if at.row + 1 < height {
            Place {
                row: at.row + 1,
                column: 0,
                ..at
            }
        } else {
            Place {
                image: at.image + 1,
                row: 0,
                column: 0,
            }
        })
    })
}

/// Cuts a range into ranges of `step`, the last one possibly shorter.
pub(super) fn cut(range: Range<usize>, step: usize) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range
        .step_by(step.max(1))
        .map(move |start| start..end.min(start + step))
}
