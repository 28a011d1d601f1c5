//! Convolutions as matrix products: one row of input numbers for each output pixel.

use crate::Window;
use crate::parts::rows;
use inception_tensor::{Element, View};
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

    /// Writes the numbers `depth` of `count` patches along a row of the grid.
    pub(super) fn gather(&self, at: Place, count: usize, depth: Range<usize>, out: &mut [T]) {
        let c = self.source.shape().c;
        let run = self.columns.len() * c;
        let joined = self.source.is_dense() && self.columns.windows(2).all(|p| p[1] == p[0] + 1);
        let top = (at.row * self.step[0]) as isize;
        for (i, patch) in out.chunks_exact_mut(depth.len()).take(count).enumerate() {
            let left = ((at.column + i) * self.step[1]) as isize;
            let (mut from, mut rest) = (depth.start, patch);
            while !rest.is_empty() {
                let (tap, start) = (from / run, from % run);
                let end = run.min(start + rest.len());
                let (out, tail) = rest.split_at_mut(end - start);
                match self.inside(top + self.rows[tap]) {
                    None => out.fill(T::zero()),
                    Some(y) if joined => self.copy_joined(at.image, y, left, start..end, out),
                    Some(y) => self.copy_apart(at.image, y, left, start..end, out),
                }
                (from, rest) = (from + end - start, tail);
            }
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

    /// Numbers of scratch memory that [`Lowered::block`] needs for each row.
    pub(super) fn scratch(&self) -> usize {
        match self {
            Self::Rows(_) => 0,
            Self::Patches(patches, _) => patches.depth().min(DEPTH),
        }
    }

    /// Ranges of columns to ask [`Lowered::block`] for, in order.
    pub(super) fn depths(&self) -> impl Iterator<Item = Range<usize>> + use<T> {
        let depth = self.depth();
        let step = match self {
            Self::Rows(_) => depth,
            Self::Patches(..) => DEPTH,
        };
        cut(0..depth, step)
    }

    /// Rows `first .. first + count` and columns `depth` of the factor.
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
                gather_grid(patches, *grid, first, depth.clone(), scratch);
                let shape = inception_tensor::Shape::matrix(count, depth.len());
                View::new(scratch, shape)
            }
        }
    }
}

/// Writes patches of consecutive pixels of the grid, over its rows and images.
fn gather_grid<T: Element>(
    patches: &Patches<'_, T>,
    [height, width]: [usize; 2],
    first: usize,
    depth: Range<usize>,
    mut out: &mut [T],
) {
    let mut at = Place {
        image: first / width / height,
        row: first / width % height,
        column: first % width,
    };
    while !out.is_empty() {
        let count = (width - at.column).min(out.len() / depth.len());
        let (run, tail) = out.split_at_mut(count * depth.len());
        patches.gather(at, count, depth.clone(), run);
        out = tail;
        (at.row, at.column) = (at.row + 1, 0);
        if at.row == height {
            (at.image, at.row) = (at.image + 1, 0);
        }
    }
}

/// Cuts a range into ranges of `step`, the last one possibly shorter.
pub(super) fn cut(range: Range<usize>, step: usize) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range
        .step_by(step.max(1))
        .map(move |start| start..end.min(start + step))
}
