//! Random shapes and windows, with weight on the edges.

use super::Slice;
use inception_ops::{OpError, Rounding, Window};
use inception_tensor::{Element, Kernel, Pool, Shape, Stream, Tensor, View, ViewMut};
use proptest::prelude::*;

/// Cases of a property that is checked on small maps.
pub(crate) const MANY: u32 = 400;

/// A map of one random shape, perhaps a channel slice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Map {
    pub(crate) shape: Shape,
    /// Channels before the slice; 0 for a dense map.
    pub(crate) gap: usize,
    pub(crate) seed: u64,
}

impl Map {
    pub(crate) fn new(shape: [usize; 4]) -> Self {
        Self {
            shape: shape.into(),
            gap: 0,
            seed: 1,
        }
    }

    /// Operand `i`, whose numbers `fill` makes from a key.
    pub(crate) fn operand<T: Element, F: FnMut(usize) -> T>(
        &self,
        i: u64,
        fill: impl FnOnce(&[u64]) -> F,
    ) -> Slice<T> {
        Slice::from_fn(self.shape, self.gap, fill(&[self.seed, i]))
    }
}

/// Maps of up to `side` rows and columns and `channels` channels.
pub(crate) fn maps(side: usize, channels: usize) -> impl Strategy<Value = Map> {
    let extents = (1..=3usize, 1..=side, 1..=side, 1..=channels);
    (extents, 0..3usize, any::<u64>()).prop_map(|((n, h, w, c), gap, seed)| Map {
        shape: Shape::new(n, h, w, c),
        gap,
        seed,
    })
}

/// A window over a map.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pooling {
    pub(crate) window: Window,
    pub(crate) x: Map,
    pub(crate) y: Shape,
}

impl Pooling {
    /// The output as a map with the input's gap.
    pub(crate) fn y(&self) -> Map {
        Map {
            shape: self.y,
            ..self.x
        }
    }
}

/// Windows that `shape` accepts over maps of up to `channels` channels: each axis has its
/// own kernel, stride and dilation, each side its own padding.
pub(crate) fn poolings(
    channels: usize,
    dilation: usize,
    shape: fn(&Window, Shape) -> Result<Shape, OpError>,
) -> impl Strategy<Value = Pooling> {
    let pair = |range: std::ops::RangeInclusive<usize>| [range.clone(), range];
    let geometry = (
        pair(1..=7),
        pair(1..=4),
        [pair(0..=3), pair(0..=3)],
        pair(1..=dilation),
        any::<bool>(),
    );
    (geometry, maps(9, channels)).prop_filter_map(
        "the window does not fit",
        move |((kernel, stride, padding, dilation, ceil), x)| {
            let window = Window {
                kernel,
                stride,
                padding: std::array::from_fn(|a| {
                    let span = dilation[a] * (kernel[a] - 1) + 1;
                    padding[a].map(|p| p.min(span / 2))
                }),
                dilation,
                rounding: if ceil {
                    Rounding::Ceil
                } else {
                    Rounding::Floor
                },
            };
            let y = shape(&window, x.shape).ok()?;
            Some(Pooling { window, x, y })
        },
    )
}

/// What `f` writes into a map, after a check that it wrote nothing else.
pub(crate) fn written<T: Element>(map: &Map, f: impl FnOnce(ViewMut<'_, T>)) -> Tensor<T> {
    let mut y = Slice::unset(map.shape, map.gap);
    f(y.view_mut());
    y.into_dense()
}

/// Numbers at least 0.02 apart, in random order: no step of a stencil swaps two.
pub(crate) fn apart(map: &Map) -> Tensor<f64> {
    let mut ranks: Vec<f64> = (0..map.shape.len())
        .map(|i| 0.02 * i as f64 - 1.0)
        .collect();
    Stream::new(&[map.seed, 99]).shuffle(&mut ranks);
    Tensor::from_vec(map.shape, ranks)
}

/// The largest difference, relative to the largest number of `b` or to 1, about the size of
/// the operands: where sums cancel, what rounding leaves is relative to their terms.
pub(crate) fn distance<T: Element, U: Element>(a: &[T], b: &[U]) -> f64 {
    assert_eq!(a.len(), b.len());
    let largest = b.iter().fold(0.0, |m: f64, x| m.max(x.f64().abs()));
    let far = a.iter().zip(b).map(|(a, b)| (a.f64() - b.f64()).abs());
    // A NaN must not pass: `max` would drop it.
    far.fold(0.0, |m: f64, d| if d > m || d.is_nan() { d } else { m }) / largest.max(1.0)
}

/// Runs `f` on pools of several sizes with every kernel; all results must have the same bits.
pub(crate) fn same_on_all_pools<T: Element>(f: impl Fn(&Pool) -> Vec<T>) {
    let expected = super::bits(&f(&Pool::serial()));
    for pool in super::pools() {
        for kernel in Kernel::ALL.into_iter().filter(|k| k.is_supported()) {
            let pool = pool.clone().with_kernel(kernel).expect("it is supported");
            assert_eq!(super::bits(&f(&pool)), expected, "{pool:?}, {kernel:?}");
        }
    }
}

/// `⟨f(v), u⟩ = ⟨v, fᵀ(u)⟩` to 1e-12 of the sums' terms.
pub(crate) fn check_adjoint(fv: &[f64], u: &[f64], v: &[f64], ftu: &[f64]) {
    let terms = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a * b).abs()).sum::<f64>();
    let (left, right) = (super::dot(fv, u), super::dot(v, ftu));
    let scale = terms(fv, u).max(terms(v, ftu)).max(1e-12);
    assert!((left - right).abs() <= 1e-12 * scale, "{left} ≠ {right}");
}

/// [`check_gradient`](super::check_gradient) of `f` plus a linear function, to 1e-8: where
/// the terms of a gradient all but cancel, the error stays relative to the terms' size.
pub(crate) fn check_smooth(
    name: &str,
    at: &[f64],
    gradient: &[f64],
    key: &[u64],
    f: impl Fn(&[f64]) -> f64,
) {
    let stream = Stream::new(&[key[0], 77]);
    let slopes: Vec<f64> = (0..at.len() as u64)
        .map(|i| 0.5 + f64::from(stream.uniform_at(i)))
        .collect();
    let sum: Vec<f64> = gradient.iter().zip(&slopes).map(|(g, s)| g + s).collect();
    super::check_gradient(name, at, &sum, 1e-8, key, |x| f(x) + super::dot(x, &slopes));
}

/// A view of part of a vector that a gradient check moves.
pub(crate) fn as_map(data: &[f64], shape: Shape) -> View<'_, f64> {
    View::new(data, shape)
}
