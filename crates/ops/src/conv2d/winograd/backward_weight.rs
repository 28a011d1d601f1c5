//! Weight gradients.
//!
//! `dw = Aᵀ[Σ_tiles (Bᵀ·x·B) ⊙ (G·dy·Gᵀ)]A`: the gradient is a convolution of the input by
//! the output's gradient, tile by tile, and the sum over tiles can be taken in the
//! transformed domain. So only one transform leads back.

use super::tiles::{Tiles, TransformTiles, Transformed};
use super::transform::{Evaluate, Input, Line, Output, both_ways, half};
use super::{Form, POINTS, SIDE, SKEW, Taps};
use inception_tensor::{
    Accumulate, BoxMut, Element, Kernel, LANES, Lanes, Pool, Shape, Terms, View, ViewMut,
    WithLanes, multiply_outer, with_scratch,
};

/// Tiles that a task transforms.
const GROUP: usize = 16;
/// The least and the most numbers of transformed tiles that are summed at a time: few stay in
/// a core's own cache, but the sums are read and written once a block.
const BLOCK: [usize; 2] = [1 << 20, 1 << 22];
/// The most groups of a block.
const BLOCK_GROUPS: usize = 128;
/// Rows of the gradient that a task transforms back.
const TASK_ROWS: usize = 8;

/// From one point of a group of tiles to the next.
fn pitch(c: usize) -> usize {
    GROUP * c + SKEW
}

/// Numbers of a transformed group of tiles of `c` channels.
fn group_len(c: usize) -> usize {
    POINTS * pitch(c)
}

/// The sizes of a weight gradient's work.
struct Sizes {
    tiles: Tiles,
    c_in: usize,
    c_out: usize,
    /// Groups of tiles in a block.
    groups: usize,
}

impl Sizes {
    fn new(form: Form, y: Shape, weight: Shape) -> Self {
        let tiles = Tiles::all([y.n, y.h, y.w], form.tile());
        let group = group_len(weight.w) + group_len(weight.c);
        let sums = weight.w * weight.c * POINTS;
        let most = (2 * sums).clamp(BLOCK[0], BLOCK[1]) / group;
        let most = most.clamp(1, BLOCK_GROUPS);
        let groups = tiles.count().div_ceil(GROUP).max(1);
        Self {
            tiles,
            c_in: weight.w,
            c_out: weight.c,
            // As even blocks as few blocks allow.
            groups: groups.div_ceil(groups.div_ceil(most)),
        }
    }

    /// Numbers of the sum, of the block's transformed input and output gradient.
    fn memory(&self) -> [usize; 3] {
        let tiles = |c| self.groups * group_len(c);
        [
            self.c_in * self.c_out * POINTS,
            tiles(self.c_in),
            tiles(self.c_out),
        ]
    }
}

/// Numbers of workspace that [`backward_weight`] needs.
pub(in super::super) fn backward_weight_workspace(form: Form, y: Shape, weight: Shape) -> usize {
    Sizes::new(form, y, weight).memory().iter().sum()
}

/// `dw[p, q, c, o] = Σ_{n, i, j} x[n, i + p − t, j + q − l, c]·dy[n, i, j, o]` with
/// `offset = [t, l]`.
///
/// Tiles are summed in order in blocks of a size that depends on shapes alone.
pub(in super::super) fn backward_weight<T: Element>(
    pool: &Pool,
    form: Form,
    x: View<'_, T>,
    offset: [usize; 2],
    dy: View<'_, T>,
    mut dw: ViewMut<'_, T>,
    workspace: &mut [T],
) {
    if dy.shape().is_empty() {
        return dw.fill(T::zero());
    }
    let sizes = Sizes::new(form, dy.shape(), dw.shape());
    let [sum_len, x_len, dy_len] = sizes.memory();
    let (sum, rest) = workspace.split_at_mut(sum_len);
    let (x_tiles, rest) = rest.split_at_mut(x_len);
    let dy_tiles = &mut rest[..dy_len];
    let (total, step) = (sizes.tiles.count(), sizes.groups * GROUP);
    for first in (0..total).step_by(step) {
        let count = step.min(total - first);
        let block = Block {
            pool,
            tiles: sizes.tiles,
            first,
            count,
        };
        block.transform(x, offset, Input, x_tiles);
        match form.taps {
            Taps::Three => block.transform::<T, _, 4>(dy, [0, 0], Evaluate, dy_tiles),
            Taps::Four => block.transform::<T, _, 3>(dy, [0, 0], Evaluate, dy_tiles),
            Taps::Five => block.transform::<T, _, 2>(dy, [0, 0], Evaluate, dy_tiles),
        }
        let accumulate = match first {
            0 => Accumulate::Replace,
            _ => Accumulate::Add,
        };
        block.multiply(x_tiles, dy_tiles, &sizes, accumulate, sum);
    }
    let rows = Shape::new(form.taps(), form.taps(), TASK_ROWS, sizes.c_out);
    pool.for_each_box(dw, rows, |part| {
        back(pool.kernel(), form, sum, sizes.c_in, part);
    });
}

/// Tiles that are summed at a time.
struct Block<'a> {
    pool: &'a Pool,
    tiles: Tiles,
    first: usize,
    count: usize,
}

impl Block<'_> {
    /// Transforms the tiles of `map`: groups of `[POINTS][GROUP][c]`.
    fn transform<T: Element, F: Line<T, N, SIDE>, const N: usize>(
        &self,
        map: View<'_, T>,
        offset: [usize; 2],
        line: F,
        out: &mut [T],
    ) {
        let width = map.shape().c;
        let pitch = pitch(width);
        let used = self.count.div_ceil(GROUP) * group_len(width);
        self.pool
            .for_each_chunk(&mut out[..used], group_len(width), |group, data| {
                let transform = TransformTiles {
                    tiles: self.tiles,
                    first: self.first + group * GROUP,
                    count: GROUP.min(self.count - group * GROUP),
                    map,
                    offset,
                    line,
                    to: Transformed { data, pitch, width },
                };
                transform.run(self.pool.kernel());
            });
    }

    /// Adds the products of all points to the sums.
    fn multiply<T: Element>(
        &self,
        x: &[T],
        dy: &[T],
        sizes: &Sizes,
        accumulate: Accumulate,
        sum: &mut [T],
    ) {
        let [c_in, c_out] = [sizes.c_in, sizes.c_out];
        let serial = self.pool.on_this_thread();
        self.pool.for_each_chunk(sum, c_in * c_out, |point, sum| {
            with_scratch(self.count, |terms: &mut [[u32; 2]]| {
                for (i, term) in terms.iter_mut().enumerate() {
                    let place = |c| (i / GROUP * POINTS + point) * pitch(c) + i % GROUP * c;
                    *term = [place(c_in) as u32, place(c_out) as u32];
                }
                let sum = ViewMut::new(sum, Shape::matrix(c_in, c_out));
                let terms = Terms::scattered(terms);
                multiply_outer(&serial, x, dy, terms, accumulate, sum);
            });
        });
    }
}

/// Transforms some rows of the sum back.
fn back<T: Element>(kernel: Kernel, form: Form, sum: &[T], c_in: usize, part: BoxMut<'_, T>) {
    match form.taps {
        Taps::Three => kernel.with_lanes(Back::<T, 3> { sum, c_in, part }),
        Taps::Four => kernel.with_lanes(Back::<T, 4> { sum, c_in, part }),
        Taps::Five => kernel.with_lanes(Back::<T, 5> { sum, c_in, part }),
    }
}

/// The way back for kernels of `R × R`.
struct Back<'a, T, const R: usize> {
    /// `[POINTS][c_in][c_out]`.
    sum: &'a [T],
    c_in: usize,
    part: BoxMut<'a, T>,
}

impl<T: Element, const R: usize> WithLanes<T> for Back<'_, T, R> {
    type Output = ();

    #[inline(always)]
    fn run(mut self, lanes: impl Lanes<T>) {
        let Shape { w: rows, c, .. } = self.part.shape();
        let first = self.part.start()[2];
        let mut memory = half(lanes);
        for row in 0..rows {
            for channel in (0..c).step_by(LANES) {
                let end = c.min(channel + LANES);
                let load = |p: usize, q: usize| {
                    let at = ((p * SIDE + q) * self.c_in + first + row) * c;
                    lanes.load_part(&self.sum[at + channel..at + end])
                };
                both_ways::<T, _, _, SIDE, R>(lanes, Output, &mut memory, load, |p, q, tap| {
                    let pixel = self.part.pixel_mut(p, q, row);
                    lanes.store_part(tap, &mut pixel[channel..end]);
                });
            }
        }
    }
}
