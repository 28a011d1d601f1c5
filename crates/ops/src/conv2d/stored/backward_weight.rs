//! The gradient of the weight by products of pairs.
//!
//! A sum over pixels is a product whose left operand has a row for each tap and channel. Where
//! channels are planes with the borders that padding stands for, a tap is the same plane from
//! another pixel on: so the input is turned over once for all taps, some images at a time, and
//! the product reads it where it lies.

use super::super::{NAME, check, workspace_of};
use super::plain_sums;
use crate::Window;
use crate::column_sums::column_sums;
use inception_tensor::{
    Accumulate, Bf16, DotRows, Element, PADDING, PANEL, Pool, Shape, View, ViewMut, pack_pixels,
    packed_words, transpose_pixels, with_scratch,
};

/// Pixels whose two operands stay in a core's own cache.
const BLOCK: usize = 1024;
/// Bands of a block at most.
const BANDS: usize = 16;
/// Bands have a multiple of as many pixels, so that tiles of any kernel read them where they lie.
const CHUNK: usize = 32;
/// Channels of a task that turns pixels over.
const CHANNELS: usize = 16;

/// How the pixels of outputs are cut: an image into bands of rows, and some bands into a block.
#[derive(Clone, Copy, Debug)]
struct Bands {
    window: Window,
    /// The input and the output; of a pointwise window all pixels are one column.
    x: Shape,
    y: Shape,
    /// Rows of a band, and bands of an image.
    rows: usize,
    of_an_image: usize,
    /// Pixels from one row of a plane to the next: a row with its padding.
    line: usize,
    /// Pixels of a band of the output, filled up.
    pixels: usize,
    /// Pixels of its plane of the input.
    plane: usize,
    /// Bands of a block.
    of_a_block: usize,
}

impl Bands {
    fn new(window: &Window, x: Shape, y: Shape) -> Self {
        let (x, y) = match window.is_pointwise() {
            true => [x, y].map(|s| Shape::new(1, s.rows(), 1, s.c)).into(),
            false => (x, y),
        };
        let [_, [left, right]] = window.padding;
        let line = left + x.w + right;
        let of_an_image = (y.h * line).div_ceil(BLOCK).clamp(1, y.h.max(1));
        let rows = y.h.div_ceil(of_an_image);
        let pixels = (rows * line).next_multiple_of(CHUNK);
        let [down, across] = [0, 1].map(|axis| (window.kernel[axis] - 1) * window.dilation[axis]);
        Self {
            window: *window,
            x,
            y,
            rows,
            of_an_image: y.h.div_ceil(rows.max(1)),
            line,
            pixels,
            plane: down * line + across + pixels,
            of_a_block: (BLOCK / pixels.max(1)).clamp(1, BANDS),
        }
    }

    /// All bands.
    fn count(&self) -> usize {
        self.y.n * self.of_an_image
    }

    /// Numbers between the planes of a channel and the next one's: an odd number of cache
    /// lines, so that they fall on different ones of the cache.
    fn pitch(&self) -> usize {
        let lines = (self.of_a_block * self.plane).div_ceil(CHUNK);
        (lines | 1) * CHUNK
    }

    /// Writes where each pixel of a band's plane lies in the input.
    fn plane(&self, band: usize, stride: usize, offsets: &mut [u32]) {
        let (image, first) = (band / self.of_an_image, band % self.of_an_image * self.rows);
        let [[top, _], [left, _]] = self.window.padding;
        for (at, offset) in offsets.iter_mut().enumerate() {
            let row = (first + at / self.line).checked_sub(top);
            let column = (at % self.line).checked_sub(left);
            *offset = match (row, column) {
                (Some(row), Some(column)) if row < self.x.h && column < self.x.w => {
                    (((image * self.x.h + row) * self.x.w + column) * stride) as u32
                }
                _ => PADDING,
            };
        }
    }

    /// Writes where each pixel of a band lies in the output.
    fn outputs(&self, band: usize, stride: usize, offsets: &mut [u32]) {
        let (image, first) = (band / self.of_an_image, band % self.of_an_image * self.rows);
        for (at, offset) in offsets.iter_mut().enumerate() {
            let (row, column) = (at / self.line, at % self.line);
            let inside = row < self.rows && first + row < self.y.h && column < self.y.w;
            *offset = match inside {
                true => (((image * self.y.h + first + row) * self.y.w + column) * stride) as u32,
                false => PADDING,
            };
        }
    }

    /// Where a row of the product starts in the planes of its channel.
    fn tap(&self, tap: usize) -> usize {
        let [_, kw] = self.window.kernel;
        let [down, across] = self.window.dilation;
        tap / kw * down * self.line + tap % kw * across
    }
}

/// Words of workspace that [`backward_weight`] needs.
///
/// # Shapes
/// `x`: the input, `[n, h, w, c_in]`; `y`: the output, `[n, oh, ow, c_out]`.
pub fn backward_weight_workspace(window: &Window, x: Shape, y: Shape) -> usize {
    let bands = Bands::new(window, x, y);
    let packed = packed_words::<Bf16>(bands.of_a_block, bands.pixels, y.c);
    packed + (x.c * bands.pitch()).div_ceil(2)
}

/// `dw[p, q, c, o] = Σ_{n, i, j} x[n, i + p·d − t, j + q·d − l, c]·dy[n, i, j, o]` of gradients
/// that are rounded to [`Bf16`], with sums in `f32`, and, where asked for,
/// `db[o] = Σ_{n, i, j} dy[n, i, j, o]` of those that are not.
///
/// Pixels are summed in blocks, in order, whose size follows from the shapes.
///
/// # Shapes
/// `x`: `[n, h, w, c_in]`, `dy`: `[n, oh, ow, c_out]`, `dw`: `[kh, kw, c_in, c_out]`, `db`:
/// `c_out`, workspace: at least [`backward_weight_workspace`].
///
/// # Panics
/// When shapes do not fit, the stride is not 1, or the workspace is too small.
pub fn backward_weight<T: Element>(
    pool: &Pool,
    window: &Window,
    x: View<'_, Bf16>,
    dy: View<'_, T>,
    mut dw: ViewMut<'_, f32>,
    db: Option<&mut [T]>,
    workspace: &mut [u32],
) {
    check(window, x.shape(), dw.shape(), dy.shape());
    assert_eq!(window.stride, [1, 1], "{NAME}: stride of rounded gradients");
    let workspace = workspace_of(
        workspace,
        backward_weight_workspace(window, x.shape(), dy.shape()),
    );
    if let Some(db) = db {
        column_sums(pool, dy, db);
    }
    if dy.shape().is_empty() {
        return dw.fill(0.0);
    }
    let bands = Bands::new(window, x.shape(), dy.shape());
    let (c_in, c_out) = (x.shape().c, dy.shape().c);
    let packed_len = packed_words::<Bf16>(bands.of_a_block, bands.pixels, c_out);
    let (packed, planes) = workspace.split_at_mut(packed_len);
    let planes: &mut [Bf16] = bytemuck::cast_slice_mut(planes);
    let planes = &mut planes[..c_in * bands.pitch()];
    for first in (0..bands.count()).step_by(bands.of_a_block) {
        let block = Block {
            bands,
            first,
            count: bands.of_a_block.min(bands.count() - first),
        };
        let packed = &mut packed[..packed_words::<Bf16>(block.count, bands.pixels, c_out)];
        block.turn(pool, &x, planes);
        block.pack(pool, &dy, packed);
        block.multiply(pool, planes, packed, dw.reborrow());
    }
}

/// Some bands that are summed at once.
struct Block {
    bands: Bands,
    first: usize,
    count: usize,
}

impl Block {
    /// Turns the input over.
    fn turn(&self, pool: &Pool, x: &View<'_, Bf16>, planes: &mut [Bf16]) {
        let Bands { plane, .. } = self.bands;
        let pitch = self.bands.pitch();
        with_scratch(self.count * plane, |offsets: &mut [u32]| {
            for (i, offsets) in offsets.chunks_exact_mut(plane).enumerate() {
                self.bands.plane(self.first + i, x.stride(), offsets);
            }
            let offsets = &*offsets;
            pool.for_each_chunk(planes, CHANNELS * pitch, |i, columns| {
                let first = i * CHANNELS;
                transpose_pixels(pool.kernel(), x.data(), offsets, first, pitch, columns);
            });
        });
    }

    /// Rounds and packs the gradient of the output.
    fn pack<T: Element>(&self, pool: &Pool, dy: &View<'_, T>, packed: &mut [u32]) {
        let (pixels, c) = (self.bands.pixels, dy.shape().c);
        with_scratch(self.count * pixels, |offsets: &mut [u32]| {
            for (i, offsets) in offsets.chunks_exact_mut(pixels).enumerate() {
                self.bands.outputs(self.first + i, dy.stride(), offsets);
            }
            let offsets = &*offsets;
            pool.for_each_chunk(packed, pixels / 2 * PANEL, |i, words| {
                let (panel, band) = (i / self.count, i % self.count);
                let channels = panel * PANEL..c.min((panel + 1) * PANEL);
                let offsets = &offsets[band * pixels..][..pixels];
                pack_pixels(pool.kernel(), dy.data(), offsets, channels, words);
            });
        });
    }

    /// Writes or adds the products.
    fn multiply(&self, pool: &Pool, planes: &[Bf16], packed: &[u32], dw: ViewMut<'_, f32>) {
        let Bands { plane, pixels, .. } = self.bands;
        let c_in = dw.shape().w;
        let pitch = self.bands.pitch();
        let rows = DotRows {
            data: planes,
            taps: self.count,
            width: pixels,
            padding: Bf16::default(),
        };
        let locate = |first: usize, offsets: &mut [u32]| {
            let count = offsets.len() / self.count;
            for (i, offset) in offsets.iter_mut().enumerate() {
                let (band, row) = (i / count, first + i % count);
                let start = row % c_in * pitch + band * plane;
                *offset = (start + self.bands.tap(row / c_in)) as u32;
            }
        };
        let accumulate = match self.first {
            0 => Accumulate::Replace,
            _ => Accumulate::Add,
        };
        plain_sums(pool, rows, locate, packed, accumulate, dw);
    }
}
