//! The gradient of the input by products of pairs.

use super::super::backward_input::Phase;
use super::super::places::Places;
use super::super::{NAME, check, workspace_of};
use super::plain_sums;
use crate::Window;
use inception_tensor::{
    Accumulate, Bf16, DotRows, Element, Pool, Shape, Vectorize, View, ViewMut, pack_words,
    packed_words,
};

/// Channels that the gradients of all banks of a pixel are filled up to, so that tiles of any
/// kernel read them where they lie.
const CHUNK: usize = 32;
/// Pixels of a task that rounds.
const PIXELS: usize = 64;

/// Numbers of a pixel of the rounded gradients of outputs with `channels` in all.
fn depth(window: &Window, channels: usize) -> usize {
    match window.is_pointwise() {
        true => channels.next_multiple_of(CHUNK),
        false => channels,
    }
}

/// Words of workspace that [`backward_input`] needs.
///
/// # Shapes
/// `x`: the input, `[n, h, w, c_in]`; `y`: an output, `[n, oh, ow, _]`; each weight
/// `[kh, kw, c_in, c_out]`.
pub fn backward_input_workspace(
    window: &Window,
    x: Shape,
    y: Shape,
    weights: impl IntoIterator<Item = Shape>,
) -> usize {
    let depth = depth(window, weights.into_iter().map(|w| w.c).sum());
    let [kh, kw] = window.kernel;
    packed_words::<Bf16>(kh * kw, depth, x.c) + (y.rows() * depth).div_ceil(2)
}

/// `dx = Σ_i convᵀ(dy[i], weights[i])` as
/// [`conv2d::backward_input`](super::super::backward_input), of gradients and weights that are
/// rounded to [`Bf16`], with sums in `f32`. The sum runs over taps, in each over the channels of
/// all banks, so there is one bank unless the window is pointwise.
///
/// # Shapes
/// Each of `dy`: `[n, oh, ow, c_out]`, its weight `[kh, kw, c_in, c_out]`, `dx`:
/// `[n, h, w, c_in]`, workspace: at least [`backward_input_workspace`].
///
/// # Panics
/// When shapes do not fit, the stride is not 1, there is no bank or several of a larger window,
/// or the workspace is too small.
pub fn backward_input<T: Element>(
    pool: &Pool,
    window: &Window,
    dy: &[View<'_, T>],
    weights: &[View<'_, T>],
    dx: ViewMut<'_, f32>,
    workspace: &mut [u32],
) {
    assert_eq!(dy.len(), weights.len(), "{NAME}: a weight for each bank");
    assert!(
        dy.len() == 1 || !dy.is_empty() && window.is_pointwise(),
        "{NAME}: {} banks of {window:?}",
        dy.len()
    );
    assert_eq!(window.stride, [1, 1], "{NAME}: stride of rounded gradients");
    for (dy, weight) in dy.iter().zip(weights) {
        check(window, dx.shape(), weight.shape(), dy.shape());
    }
    let (x, y) = (dx.shape(), dy[0].shape());
    let shapes = weights.iter().map(View::shape);
    let workspace = workspace_of(workspace, backward_input_workspace(window, x, y, shapes));
    let mut phases = Phase::all(window);
    let phase = phases.next().expect("a stride of 1 has one phase");
    let depth = depth(window, weights.iter().map(|w| w.shape().c).sum());
    let (packed, map) = workspace.split_at_mut(packed_words::<Bf16>(phase.taps(), depth, x.c));
    let map: &mut [Bf16] = bytemuck::cast_slice_mut(map);
    let map = &mut map[..y.rows() * depth];
    pool.for_each_chunk(map, PIXELS * depth, |i, pixels| {
        pool.kernel().vectorize(Rounded {
            dy,
            first: i * PIXELS,
            depth,
            pixels,
        });
    });
    pack_transposed(pool, &phase, weights, depth, packed);
    let map = View::new(&*map, Shape { c: depth, ..y });
    let places = Places {
        axes: phase.axes.clone(),
        grid: [x.h, x.w],
        source: map.shape(),
        stride: map.stride(),
    };
    let rows = DotRows {
        data: map.data(),
        taps: phase.taps(),
        width: depth,
        padding: Bf16::default(),
    };
    let locate = |first: usize, offsets: &mut [u32]| places.locate(first, offsets);
    plain_sums(pool, rows, locate, packed, Accumulate::Replace, dx);
}

/// Packs the transposed weights, for each tap the channels of all banks, then zeros.
fn pack_transposed<T: Element>(
    pool: &Pool,
    phase: &Phase,
    weights: &[View<'_, T>],
    depth: usize,
    packed: &mut [u32],
) {
    let Shape { h, w: c_in, .. } = weights[0].shape();
    let row = |k: usize, first: usize, line: &mut [Bf16]| {
        let (tap, mut channel) = (k / depth, k % depth);
        let across = phase.kernel[1].len();
        let tap = phase.kernel[0][tap / across] * h + phase.kernel[1][tap % across];
        for weight in weights {
            let c = weight.shape().c;
            if channel < c {
                for (i, number) in line.iter_mut().enumerate() {
                    let w = weight.row(tap * c_in + first + i)[channel];
                    *number = Bf16::from_f32(w.f64() as f32);
                }
                return;
            }
            channel -= c;
        }
        line.fill(Bf16::default());
    };
    pack_words::<Bf16>(pool, phase.taps(), depth, c_in, row, packed);
}

/// Pixels of all banks, side by side and filled up with zeros.
struct Rounded<'a, 'b, T> {
    dy: &'a [View<'b, T>],
    first: usize,
    depth: usize,
    pixels: &'a mut [Bf16],
}

impl<T: Element> Vectorize for Rounded<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (i, pixel) in self.pixels.chunks_exact_mut(self.depth).enumerate() {
            let mut rest = pixel;
            for dy in self.dy {
                let (own, tail) = rest.split_at_mut(dy.shape().c);
                for (number, x) in own.iter_mut().zip(dy.row(self.first + i)) {
                    *number = Bf16::from_f32(x.f64() as f32);
                }
                rest = tail;
            }
            rest.fill(Bf16::default());
        }
    }
}
