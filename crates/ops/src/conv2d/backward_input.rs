//! The gradient of the input.

use super::patches::{DEPTH, Lowered, Offsets, Patches, Place, ROWS, cut};
use super::{NAME, check};
use crate::Window;
use crate::parts::{Outputs, Part, for_each_part, rows};
use crate::transpose::{STRIP, transpose};
use inception_tensor::{
    Accumulate, Element, Epilogue, Operand, Pool, Shape, View, ViewMut, gemm, with_scratch,
};
use smallvec::SmallVec;
use std::ops::Range;

/// Numbers of workspace that [`backward_input`] needs for these weights: room for their
/// transposes, whatever the window.
///
/// # Shapes
/// Each `[kh, kw, c_in, c_out]`.
pub fn backward_input_workspace(_window: &Window, weights: &[Shape]) -> usize {
    weights.iter().map(|w| w.len()).sum()
}

/// `dx = Σ_i convᵀ(dy[i], weights[i])`:
/// `dx[n, y, x, c] = Σ_{i, p, q, o} dy[i][n, (y + t − p·d)/s, (x + l − q·d)/s, o]·w[i][p, q, c, o]`
/// over the taps where the quotients are whole and inside.
///
/// The sum is gathered: each input pixel reads the output pixels that read it. Input pixels
/// whose places agree modulo the stride are reached by the same taps, so each such phase is
/// a convolution of stride 1 that multiplies no zeros between pixels. All operands may be
/// channel slices. Banks are added in their order.
///
/// # Shapes
/// Each of `dy`: `[n, oh, ow, c_out]`, its weight `[kh, kw, c_in, c_out]`, `dx`:
/// `[n, h, w, c_in]`, workspace: at least [`backward_input_workspace`].
///
/// # Panics
/// When shapes do not fit, there is no bank, or the workspace is too small.
///
/// # Sources
/// Dumoulin and Visin 2016, *A guide to convolution arithmetic for deep learning*, chapter 4.
pub fn backward_input<T: Element>(
    pool: &Pool,
    window: &Window,
    dy: &[View<'_, T>],
    weights: &[View<'_, T>],
    dx: ViewMut<'_, T>,
    workspace: &mut [T],
) {
    assert_eq!(dy.len(), weights.len(), "{NAME}: a weight for each bank");
    assert!(!dy.is_empty(), "{NAME}: no bank");
    for (dy, weight) in dy.iter().zip(weights) {
        check(window, dx.shape(), weight.shape(), dy.shape());
    }
    if dx.shape().is_empty() {
        return;
    }
    let sizes: SmallVec<[Shape; 4]> = weights.iter().map(View::shape).collect();
    let needed = backward_input_workspace(window, &sizes);
    assert!(
        workspace.len() >= needed,
        "{NAME}: workspace of {} numbers, needs {needed}",
        workspace.len()
    );
    let phases = Phase::all(window);
    let mut rest = &mut workspace[..needed];
    let mut turned: SmallVec<[&[T]; 4]> = SmallVec::new();
    for weight in weights {
        let (block, tail) = rest.split_at_mut(weight.shape().len());
        turn(pool, &phases, *weight, block);
        turned.push(block);
        rest = tail;
    }
    match window.stride {
        [1, 1] => dense(pool, window, &phases[0], dy, &turned, dx),
        stride => phased(pool, &phases, stride, dy, &turned, dx),
    }
}

/// `dx = dy·weightᵀ`: [`backward_input`] of a pointwise window and one bank, without a
/// workspace. The weight is read across its rows, which is slow but for few rows of `dy`.
pub(crate) fn backward_input_by_rows<T: Element>(
    pool: &Pool,
    dy: View<'_, T>,
    weight: View<'_, T>,
    dx: ViewMut<'_, T>,
) {
    check(&Window::square(1), dx.shape(), weight.shape(), dy.shape());
    let lowered = Lowered::Rows(dy);
    let outputs = Outputs::from_iter([dx]);
    for_each_part(pool, outputs, lowered.tile(), |pixels, parts, scratch| {
        for Part { column, out, .. } in parts {
            let size = out.shape();
            for depth in lowered.depths() {
                let left = lowered.transposed(&pixels, &depth, scratch);
                let right = rows(weight, *column, size.c).channels(depth.start, depth.len());
                gemm(
                    Operand::Transposed(left.channels(0, size.rows())),
                    Operand::Transposed(right),
                    accumulate(depth.start == 0),
                    Epilogue::NONE,
                    out.reborrow(),
                );
            }
        }
    });
}

/// The first product replaces, the others add.
fn accumulate(first: bool) -> Accumulate {
    if first {
        Accumulate::Replace
    } else {
        Accumulate::Add
    }
}

/// Taps along one axis that reach the pixels of a phase, by increasing output pixel.
#[derive(Clone, Debug)]
struct Taps {
    /// Indices into the kernel.
    kernel: SmallVec<[usize; 8]>,
    /// For each, the output pixel relative to the input pixel's number in its phase.
    offsets: Offsets,
}

impl Taps {
    fn new(window: &Window, axis: usize, phase: usize) -> Self {
        let stride = window.stride[axis] as isize;
        let place = (phase + window.padding[axis][0]) as isize;
        let (kernel, offsets) = (0..window.kernel[axis])
            .rev()
            .map(|tap| (tap, place - (tap * window.dilation[axis]) as isize))
            .filter(|(_, distance)| distance.rem_euclid(stride) == 0)
            .map(|(tap, distance)| (tap, distance.div_euclid(stride)))
            .unzip();
        Self { kernel, offsets }
    }
}

/// Input pixels whose rows and columns leave the remainders `start` by the stride.
#[derive(Clone, Debug)]
struct Phase {
    start: [usize; 2],
    rows: Taps,
    columns: Taps,
    /// How many taps the phases before this one have.
    before: usize,
}

impl Phase {
    /// All phases; each tap of the kernel belongs to one.
    fn all(window: &Window) -> SmallVec<[Self; 4]> {
        let mut before = 0;
        let [height, width] = window.stride;
        let starts = (0..height).flat_map(|y| (0..width).map(move |x| [y, x]));
        starts
            .map(|start| {
                let phase = Self {
                    start,
                    rows: Taps::new(window, 0, start[0]),
                    columns: Taps::new(window, 1, start[1]),
                    before,
                };
                before += phase.taps();
                phase
            })
            .collect()
    }

    fn taps(&self) -> usize {
        self.rows.kernel.len() * self.columns.kernel.len()
    }

    /// Row and column in the kernel of tap `i` in the order of patches.
    fn tap(&self, i: usize) -> [usize; 2] {
        let width = self.columns.kernel.len();
        [self.rows.kernel[i / width], self.columns.kernel[i % width]]
    }

    /// What the pixels of this phase read.
    fn patches<'a, T>(&self, dy: View<'a, T>) -> Patches<'a, T> {
        Patches {
            source: dy,
            rows: self.rows.offsets.clone(),
            columns: self.columns.offsets.clone(),
            step: [1, 1],
        }
    }

    /// The right factor of this phase: `taps·c_out` rows of `c_in`.
    fn factor<'a, T>(&self, turned: &'a [T], c_out: usize, c_in: usize) -> View<'a, T> {
        let size = c_out * c_in;
        let data = &turned[self.before * size..][..self.taps() * size];
        View::new(data, Shape::matrix(self.taps() * c_out, c_in))
    }
}

/// Writes a weight as `[tap, c_out, c_in]`, taps in the order of phases and patches.
fn turn<T: Element>(pool: &Pool, phases: &[Phase], weight: View<'_, T>, out: &mut [T]) {
    let Shape { w: c_in, c, .. } = weight.shape();
    pool.for_each_chunk(out, c * c_in, |i, block| {
        let after = phases.partition_point(|phase| phase.before <= i);
        let phase = &phases[after - 1];
        let [row, column] = phase.tap(i - phase.before);
        let first = (row * weight.shape().h + column) * c_in;
        transpose(rows(weight, first, c_in), block, c_in);
    });
}

/// Stride 1: one phase, whose pixels are those of `dx`.
fn dense<T: Element>(
    pool: &Pool,
    window: &Window,
    phase: &Phase,
    dy: &[View<'_, T>],
    turned: &[&[T]],
    dx: ViewMut<'_, T>,
) {
    let Shape { h, w, c: c_in, .. } = dx.shape();
    let lowered: SmallVec<[Lowered<'_, T>; 4]> = dy
        .iter()
        .map(|&dy| match window.is_pointwise() {
            true => Lowered::Rows(dy),
            false => Lowered::Patches(phase.patches(dy), [h, w]),
        })
        .collect();
    let deepest = lowered.iter().max_by_key(|lowered| lowered.depth());
    let tile = deepest.expect("a bank").tile();
    let outputs = Outputs::from_iter([dx]);
    for_each_part(pool, outputs, tile, |pixels, parts, scratch| {
        for Part { column, out, .. } in parts {
            let size = out.shape();
            for (bank, (lowered, turned)) in lowered.iter().zip(turned).enumerate() {
                let factor = phase.factor(turned, dy[bank].shape().c, c_in);
                for depth in lowered.depths() {
                    let left = lowered.transposed(&pixels, &depth, scratch);
                    let right = rows(factor, depth.start, depth.len());
                    gemm(
                        Operand::Transposed(left.channels(0, size.rows())),
                        Operand::Plain(right.channels(*column, size.c)),
                        accumulate(bank == 0 && depth.start == 0),
                        Epilogue::NONE,
                        out.reborrow(),
                    );
                }
            }
        }
    });
}

/// Any stride: tiles of whole rows of `dx`, phase by phase.
fn phased<T: Element>(
    pool: &Pool,
    phases: &[Phase],
    stride: [usize; 2],
    dy: &[View<'_, T>],
    turned: &[&[T]],
    dx: ViewMut<'_, T>,
) {
    let shape = dx.shape();
    let columns = shape.w.div_ceil(stride[1]);
    let lines = (ROWS / columns).max(1) * stride[0];
    let fair = (shape.n * shape.h).div_ceil(8).next_multiple_of(stride[0]);
    let lines = lines.min(fair);
    pool.for_each_rows(dx, lines * shape.w, |first, mut block| {
        let lines = first / shape.w..(first + block.shape().n) / shape.w;
        for phase in phases {
            let grid = Grid {
                shape,
                stride,
                start: phase.start,
                lines: lines.clone(),
            };
            if grid.count() > 0 {
                fill_phase(phase, &grid, dy, turned, &mut block);
            }
        }
    });
}

/// The pixels of a phase in a tile of rows, counted over all images.
#[derive(Debug)]
struct Grid {
    shape: Shape,
    stride: [usize; 2],
    start: [usize; 2],
    lines: Range<usize>,
}

impl Grid {
    /// Pixels of each row.
    fn columns(&self) -> usize {
        let rest = self.shape.w.saturating_sub(self.start[1]);
        rest.div_ceil(self.stride[1])
    }

    /// The rows of the phase, counted over all images.
    fn rows(&self) -> impl Iterator<Item = usize> + '_ {
        let mine = |line: &usize| line % self.shape.h % self.stride[0] == self.start[0];
        self.lines.clone().filter(mine)
    }

    /// The pixels of the phase.
    fn places(&self) -> impl Iterator<Item = Place> + '_ {
        self.rows().flat_map(move |line| {
            (0..self.columns()).map(move |column| Place {
                image: line / self.shape.h,
                row: line % self.shape.h / self.stride[0],
                column,
            })
        })
    }

    /// Pixels of the phase.
    fn count(&self) -> usize {
        self.columns() * self.rows().count()
    }
}

/// Computes one phase of a tile in scratch memory and deals it out.
fn fill_phase<T: Element>(
    phase: &Phase,
    grid: &Grid,
    dy: &[View<'_, T>],
    turned: &[&[T]],
    block: &mut ViewMut<'_, T>,
) {
    let (count, c_in) = (grid.count(), grid.shape.c);
    let padded = count.next_multiple_of(STRIP);
    let widest = dy.iter().map(|dy| dy.shape().c).max().unwrap_or(0);
    let depth = (phase.taps() * widest).min(DEPTH);
    with_scratch(padded * (depth + c_in) + depth * STRIP, |memory| {
        let (product, scratch) = memory.split_at_mut(padded * c_in);
        // A phase that no tap reaches has a gradient of zero.
        product.fill(T::zero());
        for (dy, turned) in dy.iter().zip(turned) {
            let patches = phase.patches(*dy);
            let factor = phase.factor(turned, dy.shape().c, c_in);
            for depth in cut(0..patches.depth(), DEPTH) {
                let size = depth.len();
                let (strip, left) = scratch.split_at_mut(size * STRIP);
                let left = &mut left[..size * padded];
                patches.gather_transposed(grid.places(), &depth, strip, left, count);
                gemm(
                    Operand::Transposed(View::new(left, Shape::matrix(size, padded))),
                    Operand::Plain(rows(factor, depth.start, size)),
                    Accumulate::Add,
                    Epilogue::NONE,
                    ViewMut::new(product, Shape::matrix(padded, c_in)),
                );
            }
        }
        let mut pixels = product.chunks_exact(c_in);
        for line in grid.rows() {
            let first = (line - grid.lines.start) * grid.shape.w;
            let columns = (grid.start[1]..grid.shape.w).step_by(grid.stride[1]);
            for (column, pixel) in columns.zip(pixels.by_ref()) {
                block.row_mut(first + column).copy_from_slice(pixel);
            }
        }
    });
}
