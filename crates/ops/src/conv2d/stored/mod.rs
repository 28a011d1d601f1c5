//! Convolution of maps that are kept in fewer bits.
//!
//! Weights are rounded and packed once; sums are in `f32` or `i32`; scale, bias and ReLU
//! follow in `f32`, and the result is rounded once. Where Winograd's filtering in `f32` is
//! faster than the products of pairs, maps of [`Bf16`] are widened as they are read, and weights
//! are not rounded at all.

mod backward_input;
mod backward_weight;

pub use backward_input::{backward_input, backward_input_workspace};
pub use backward_weight::{backward_weight, backward_weight_workspace};

use super::places::{Axis, Places};
use super::winograd::{self, Direction, Filtered, Form};
use super::{NAME, check};
use crate::stored::Scale;
use crate::{Activation, Window};
use inception_tensor::{
    Accumulate, Bf16, DotBank, DotMap, DotRows, Element, Epilogue, Kernel, Pool, Shape, Stored,
    View, ViewMut, dot_rows, pack_words, packed_words, with_scratch,
};
use smallvec::SmallVec;

/// How the numbers under a window follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taps {
    /// Each pixel is a piece of its own.
    Pixels,
    /// A row of the window is one piece, for dense maps of few channels whose border is part
    /// of the map.
    Lines,
    /// Tiles of Winograd's filtering for a window of this stride, for [`Bf16`] alone.
    Tiles {
        /// Along both axes.
        stride: usize,
    },
}

impl Taps {
    /// [`Taps::Tiles`] where Winograd's filtering is faster than the products of pairs, for a
    /// convolution to `y` that sums over `k` channels.
    pub fn tiles(kernel: Kernel, window: &Window, y: Shape, k: usize) -> Option<Self> {
        let pairs = kernel.products::<Bf16>();
        let pays = Form::of(window).is_some() && winograd::pays(window, y, k, pairs);
        pays.then_some(Self::Tiles {
            stride: window.stride[0],
        })
    }

    /// Pieces, and numbers in a piece.
    fn pieces(self, weight: Shape) -> (usize, usize) {
        match self {
            Self::Pixels | Self::Tiles { .. } => (weight.n * weight.h, weight.w),
            Self::Lines => (weight.n, weight.h * weight.w),
        }
    }
}

/// Whether gradients of a convolution to `y` that sums over `k` channels are taken faster by
/// products of pairs, [`backward_input`] and [`backward_weight`], than in `f32`. `y` and `k` are
/// those of the sum: of the gradient of the input, its channels and those of the output.
pub fn pairs_pay(kernel: Kernel, window: &Window, y: Shape, k: usize) -> bool {
    let worth = window.stride == [1, 1] && y.c.min(k) >= FEW_CHANNELS;
    let pairs = kernel.products::<Bf16>();
    worth && kernel.multiplies::<Bf16>() && !winograd::pays(window, y, k, pairs)
}

/// Channels below which the operands of gradients cost more than their products.
const FEW_CHANNELS: usize = 16;

/// A type of stored maps, with the way its weights are rounded.
pub trait StoredMap: Stored {
    /// By output channel: the step that its weights are counted in.
    fn steps_of<T: Element>(weight: View<'_, T>) -> Vec<f32>;

    /// A weight, counted in steps.
    fn weight(steps: f32) -> Self::Weight;

    /// What a rounded weight counts in steps.
    fn steps(weight: Self::Weight) -> f32;

    /// The least and the greatest number of steps that a map holds.
    const LIMITS: [f32; 2];

    /// `y = activation(conv(x, filter) + bias)` by Winograd's filtering.
    ///
    /// # Panics
    /// Where the type has no such way.
    #[doc(hidden)]
    fn filtered(
        pool: &Pool,
        convolution: &Convolution,
        x: View<'_, Self>,
        filter: &Filter<'_>,
        y: ViewMut<'_, Self>,
    );
}

impl StoredMap for Bf16 {
    fn steps_of<T: Element>(weight: View<'_, T>) -> Vec<f32> {
        vec![1.0; weight.shape().c]
    }

    fn weight(steps: f32) -> Self {
        Self::from_f32(steps)
    }

    fn steps(weight: Self) -> f32 {
        weight.to_f32()
    }

    const LIMITS: [f32; 2] = [f32::NEG_INFINITY, f32::INFINITY];

    fn filtered(
        pool: &Pool,
        convolution: &Convolution,
        x: View<'_, Self>,
        filter: &Filter<'_>,
        y: ViewMut<'_, Self>,
    ) {
        let window = &convolution.window;
        let Some(form) = Form::of(window) else {
            panic!("{NAME}: no tiles for {window:?}");
        };
        let bank = Filtered {
            filter: bytemuck::cast_slice(filter.packed),
            accumulate: Accumulate::Replace,
            epilogue: Epilogue {
                bias: Some(filter.shift),
                relu: convolution.activation == Activation::Relu,
            },
        };
        let [[top, _], [left, _]] = window.padding;
        winograd::forward::<f32, Self>(pool, form, x, [top, left], bank, y);
    }
}

/// The most steps of a weight: symmetric about 0.
const WEIGHT_STEPS: f32 = 127.0;

impl StoredMap for u8 {
    fn steps_of<T: Element>(weight: View<'_, T>) -> Vec<f32> {
        let mut largest = vec![0.0f32; weight.shape().c];
        for k in 0..weight.shape().rows() {
            for (m, w) in largest.iter_mut().zip(weight.row(k)) {
                *m = m.max(w.f64().abs() as f32);
            }
        }
        let step = |largest: f32| match largest / WEIGHT_STEPS {
            step if step.is_normal() => step,
            _ => 1.0,
        };
        largest.into_iter().map(step).collect()
    }

    fn weight(steps: f32) -> i8 {
        steps.round_ties_even().clamp(-WEIGHT_STEPS, WEIGHT_STEPS) as i8
    }

    fn steps(weight: i8) -> f32 {
        f32::from(weight)
    }

    const LIMITS: [f32; 2] = [0.0, 255.0];

    fn filtered(
        _: &Pool,
        _: &Convolution,
        _: View<'_, Self>,
        _: &Filter<'_>,
        _: ViewMut<'_, Self>,
    ) {
        panic!("{NAME}: bytes are not summed in tiles");
    }
}

/// Words that [`pack`] writes for a weight `[kh, kw, c_in, c_out]`.
pub fn packed_len<S: Stored>(taps: Taps, weight: Shape) -> usize {
    if let Taps::Tiles { stride } = taps {
        return winograd::filter_len(tiles_of(weight, stride), weight, Direction::Forward);
    }
    let (pieces, width) = taps.pieces(weight);
    packed_words::<S>(pieces, width, weight.c)
}

/// What the sums of a convolution are counted in, and become.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scales {
    /// Of the input.
    pub x: Scale,
    /// Of the output; [`Scale::ONE`] where it is not bytes.
    pub y: Scale,
}

/// Rounds and packs a weight `[kh, kw, c_in, c_out]`, and writes scale and bias of each output
/// channel as [`forward`] reads them.
///
/// # Panics
/// When `packed` is not [`packed_len`] long, or a vector not `c_out`.
pub fn pack<T: Element, S: StoredMap>(
    pool: &Pool,
    taps: Taps,
    scales: Scales,
    weight: View<'_, T>,
    bias: Option<&[T]>,
    packed: &mut [u32],
    vectors: Vectors<'_>,
) {
    let shape = weight.shape();
    if let Taps::Tiles { stride } = taps {
        vectors.scale.fill(1.0);
        for (o, shift) in vectors.shift.iter_mut().enumerate() {
            *shift = bias.map_or(0.0, |bias| bias[o].f64() as f32);
        }
        let form = tiles_of(shape, stride);
        return pack_tiles(pool, form, weight, bytemuck::cast_slice_mut(packed));
    }
    let (pieces, width) = taps.pieces(shape);
    let steps = S::steps_of(weight);
    let row = |k: usize, first: usize, line: &mut [S::Weight]| {
        let numbers = weight.row(k)[first..].iter().zip(&steps[first..]);
        for (rounded, (w, step)) in line.iter_mut().zip(numbers) {
            *rounded = S::weight(w.f64() as f32 / step);
        }
    };
    // The numbers of `x` are counted from 0, not from the byte that stands for 0.
    let mut sums = vec![0.0; shape.c];
    if scales.x.zero != 0 {
        let mut line = vec![S::Weight::default(); shape.c];
        for k in 0..shape.rows() {
            row(k, 0, &mut line);
            let rounded = line.iter().map(|&w| f64::from(S::steps(w)));
            sums.iter_mut().zip(rounded).for_each(|(s, w)| *s += w);
        }
    }
    let Vectors { scale, shift } = vectors;
    for o in 0..shape.c {
        let excess = f64::from(scales.x.zero) * sums[o];
        let bias = bias.map_or(0.0, |bias| bias[o].f64());
        let sum = f64::from(scales.x.step) * f64::from(steps[o]);
        let out = f64::from(scales.y.step);
        scale[o] = (sum / out) as f32;
        shift[o] = ((bias - excess * sum) / out + f64::from(scales.y.zero)) as f32;
    }
    pack_words::<S>(pool, pieces, width, shape.c, row, packed);
}

/// The tiles of a weight.
fn tiles_of(weight: Shape, stride: usize) -> Form {
    match Form::of_square(weight.n, stride) {
        Some(form) => form,
        None => panic!("{NAME}: no tiles for a weight of {weight}, stride {stride}"),
    }
}

/// Transforms a weight in `f32`.
fn pack_tiles<T: Element>(pool: &Pool, form: Form, weight: View<'_, T>, packed: &mut [f32]) {
    let shape = weight.shape();
    with_scratch(shape.len(), |numbers: &mut [f32]| {
        for (k, row) in numbers.chunks_exact_mut(shape.c.max(1)).enumerate() {
            for (number, w) in row.iter_mut().zip(weight.row(k)) {
                *number = w.f64() as f32;
            }
        }
        winograd::filter(
            pool,
            form,
            View::new(numbers, shape),
            Direction::Forward,
            packed,
        );
    });
}

/// What [`pack`] writes beside the words.
#[derive(Debug)]
pub struct Vectors<'a> {
    /// `c_out` numbers.
    pub scale: &'a mut [f32],
    /// `c_out` numbers.
    pub shift: &'a mut [f32],
}

/// One bank of filters, as [`pack`] has written it.
#[derive(Clone, Copy, Debug)]
pub struct Filter<'a> {
    /// [`packed_len`] words.
    pub packed: &'a [u32],
    /// `c_out` numbers.
    pub scale: &'a [f32],
    /// `c_out` numbers.
    pub shift: &'a [f32],
    /// `[kh, kw, c_in, c_out]`.
    pub weight: Shape,
    /// What the output is counted in.
    pub y: Scale,
}

/// A convolution of a stored map.
#[derive(Clone, Copy, Debug)]
pub struct Convolution {
    /// Kernel, stride, padding, dilation.
    pub window: Window,
    /// How pieces lie.
    pub taps: Taps,
    /// What the input is counted in.
    pub x: Scale,
    /// Applied to every output.
    pub activation: Activation,
}

/// An output of [`forward`].
pub use inception_tensor::DotMap as Output;

/// `y[i] = activation(conv(x, filters[i]) + bias)`, rounded; see
/// [`conv2d::forward`](super::forward).
///
/// # Shapes
/// `x`: `[n, h, w, c_in]`; each of `y`: `[n, oh, ow, c_out]`. Outputs may be channel slices.
///
/// # Panics
/// When shapes do not fit, lines are asked for of a map that is not dense or of a window with
/// padding across, or tiles of bytes, of a window that has no such form or for `f32` outputs.
pub fn forward<S: StoredMap>(
    pool: &Pool,
    convolution: &Convolution,
    x: View<'_, S>,
    filters: &[Filter<'_>],
    y: SmallVec<[Output<'_, S>; 4]>,
) {
    let Convolution {
        window,
        taps,
        x: x_scale,
        activation,
    } = *convolution;
    assert_eq!(filters.len(), y.len(), "{NAME}: an output for each bank");
    for (filter, y) in filters.iter().zip(&y) {
        check(&window, x.shape(), filter.weight, y.shape());
    }
    if matches!(taps, Taps::Tiles { .. }) {
        for (filter, y) in filters.iter().zip(y) {
            match y {
                Output::Stored(y) => S::filtered(pool, convolution, x, filter, y),
                Output::Real(y) => panic!("{NAME}: tiles for {} in f32", y.shape()),
            }
        }
        return;
    }
    let Some(first) = y.first() else { return };
    let mut places = Places::forward(&window, &x, [first.shape().h, first.shape().w]);
    if taps == Taps::Lines {
        let across = window.padding[1] == [0, 0] && window.dilation[1] == 1;
        assert!(across && x.is_dense(), "{NAME}: lines of {}", x.shape());
        places.axes[1] = Axis {
            offsets: [0].into_iter().collect(),
            step: window.stride[1],
        };
    }
    let (pieces, width) = taps.pieces(filters[0].weight);
    let rows = DotRows {
        data: x.data(),
        taps: pieces,
        width,
        padding: x_scale.padding(),
    };
    let banks = filters.iter().zip(y).map(|(filter, y)| {
        let [least, high] = match y {
            Output::Stored(_) => S::LIMITS,
            Output::Real(_) => [f32::NEG_INFINITY, f32::INFINITY],
        };
        DotBank {
            packed: filter.packed,
            scale: filter.scale,
            bias: filter.shift,
            low: match activation {
                Activation::Relu => f32::from(filter.y.zero),
                Activation::None => least,
            },
            high,
            accumulate: Accumulate::Replace,
            c: y,
        }
    });
    let mut banks: SmallVec<[DotBank<'_, S>; 4]> = banks.collect();
    let locate = |first: usize, offsets: &mut [u32]| places.locate(first, offsets);
    dot_rows(pool, rows, locate, &mut banks);
}

/// Writes or adds products of pairs as they are.
fn plain_sums(
    pool: &Pool,
    rows: DotRows<'_, Bf16>,
    locate: impl Fn(usize, &mut [u32]) + Sync,
    packed: &[u32],
    accumulate: Accumulate,
    c: ViewMut<'_, f32>,
) {
    let columns = c.shape().c;
    with_scratch(2 * columns, |vectors: &mut [f32]| {
        let (scale, bias) = vectors.split_at_mut(columns);
        scale.fill(1.0);
        bias.fill(0.0);
        let bank = DotBank {
            packed,
            scale,
            bias,
            low: f32::NEG_INFINITY,
            high: f32::INFINITY,
            accumulate,
            c: DotMap::Real(c),
        };
        dot_rows(pool, rows, locate, &mut [bank]);
    });
}
