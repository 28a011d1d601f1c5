//! Operators on maps that are kept in fewer bits: `bf16`, or bytes that count steps.
//!
//! Arithmetic is in `f32`; only what is written is rounded. Convolutions of such maps are in
//! [`conv2d`](crate::conv2d::stored).

mod average;
mod max_pool;

pub use average::{adaptive_avg_pool, avg_pool};
pub use max_pool::max_pool;

use inception_tensor::{Element, Pool, Shape, Stored, Vectorize, View, ViewMut};

/// What a stored number stands for: `(q − zero)·step`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// The distance between neighbouring bytes.
    pub step: f32,
    /// The byte that stands for 0.
    pub zero: u8,
}

impl Scale {
    /// Numbers stand for themselves.
    pub const ONE: Self = Self { step: 1.0, zero: 0 };

    /// Bytes for the numbers `low ..= high` and 0, which a byte stands for exactly.
    ///
    /// # Examples
    /// ```
    /// use inception_ops::stored::Scale;
    ///
    /// let scale = Scale::covering(-1.0, 4.1);
    /// assert_eq!((scale.step, scale.zero), (0.02, 50));
    /// ```
    pub fn covering(low: f32, high: f32) -> Self {
        let (low, high) = (low.min(0.0), high.max(0.0));
        let step = ((f64::from(high) - f64::from(low)) / 255.0) as f32;
        if !(step.is_normal()) {
            return Self::ONE;
        }
        let zero = (-low / step).round_ties_even().clamp(0.0, 255.0) as u8;
        Self { step, zero }
    }

    /// The number that `mean` steps stand for.
    #[inline(always)]
    pub(crate) fn real(self, steps: f32) -> f32 {
        (steps - f32::from(self.zero)) * self.step
    }

    /// The steps that stand for `x`, before rounding.
    #[inline(always)]
    pub(crate) fn steps(self, x: f32) -> f32 {
        x / self.step + f32::from(self.zero)
    }

    /// The stored number that stands for 0.
    pub(crate) fn padding<S: Stored>(self) -> S {
        S::encode(f32::from(self.zero))
    }
}

/// Numbers of a tile; see `tile.rs`.
pub(crate) fn rows_of_a_tile(numbers: usize) -> usize {
    ((1 << 14) / numbers.max(1)).max(1)
}

struct Rounded<'a, T, S> {
    x: &'a [T],
    scale: Scale,
    y: &'a mut [S],
}

impl<T: Element, S: Stored> Vectorize for Rounded<'_, T, S> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (y, x) in self.y.iter_mut().zip(self.x) {
            *y = S::encode(self.scale.steps(x.f64() as f32));
        }
    }
}

/// `y = x`, rounded to what is stored, inside a border of zeros.
///
/// # Shapes
/// `x`: `[n, h, w, c]`; `y`: `[n, top + h + bottom, left + w + right, c]` with
/// `border = [[top, bottom], [left, right]]`.
///
/// # Panics
/// When shapes do not fit.
pub fn store<T: Element, S: Stored>(
    pool: &Pool,
    scale: Scale,
    border: [[usize; 2]; 2],
    x: View<'_, T>,
    y: ViewMut<'_, S>,
) {
    let (from, shape) = (x.shape(), y.shape());
    let [[top, bottom], [left, right]] = border;
    let expected = Shape {
        h: top + from.h + bottom,
        w: left + from.w + right,
        ..from
    };
    assert_eq!(shape, expected, "store: output of {from}");
    if shape.is_empty() {
        return;
    }
    let dense = x.is_dense();
    pool.for_each_rows(y, shape.w, |first, mut line| {
        let (n, row) = (first / shape.w / shape.h, first / shape.w % shape.h);
        let Some(row) = row.checked_sub(top).filter(|&row| row < from.h) else {
            (0..shape.w).for_each(|column| line.row_mut(column).fill(scale.padding()));
            return;
        };
        for column in (0..left).chain(left + from.w..shape.w) {
            line.row_mut(column).fill(scale.padding());
        }
        let first = (n * from.h + row) * from.w;
        if dense && line.is_dense() {
            let x = &x.dense()[first * from.c..][..from.w * from.c];
            let y = &mut line.dense_mut()[left * from.c..][..from.w * from.c];
            pool.kernel().vectorize(Rounded { x, scale, y });
            return;
        }
        for column in 0..from.w {
            let (x, y) = (x.row(first + column), line.row_mut(left + column));
            pool.kernel().vectorize(Rounded { x, scale, y });
        }
    });
}

struct Widened<'a, S, T> {
    x: &'a [S],
    scale: Scale,
    y: &'a mut [T],
}

impl<S: Stored, T: Element> Vectorize for Widened<'_, S, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (y, x) in self.y.iter_mut().zip(self.x) {
            *y = T::of(f64::from(self.scale.real(x.decode())));
        }
    }
}

/// `y = x`: what is stored as the numbers that it stands for.
///
/// # Shapes
/// `x` and `y`: `[n, h, w, c]`.
///
/// # Panics
/// When shapes differ.
pub fn load<S: Stored, T: Element>(pool: &Pool, scale: Scale, x: View<'_, S>, y: ViewMut<'_, T>) {
    let shape = y.shape();
    assert_eq!(x.shape(), shape, "load");
    pool.for_each_rows(y, rows_of_a_tile(shape.c), |first, mut block| {
        for r in 0..block.shape().n {
            let (x, y) = (x.row(first + r), block.row_mut(r));
            pool.kernel().vectorize(Widened { x, scale, y });
        }
    });
}

/// Copies a map; either side may be a channel slice.
///
/// # Panics
/// When rows or channels differ.
pub fn copy<S: Stored>(pool: &Pool, x: View<'_, S>, y: ViewMut<'_, S>) {
    let (from, shape) = (x.shape(), y.shape());
    assert_eq!((from.rows(), from.c), (shape.rows(), shape.c), "copy");
    pool.for_each_rows(y, rows_of_a_tile(shape.c), |first, mut block| {
        for r in 0..block.shape().n {
            block.row_mut(r).copy_from_slice(x.row(first + r));
        }
    });
}

/// `y = x`: results of `f32` arithmetic in another element type.
///
/// # Panics
/// When rows or channels differ.
pub fn widen<T: Element>(x: View<'_, f32>, mut y: ViewMut<'_, T>) {
    let (from, shape) = (x.shape(), y.shape());
    assert_eq!((from.rows(), from.c), (shape.rows(), shape.c), "widen");
    for row in 0..shape.rows() {
        for (y, &x) in y.row_mut(row).iter_mut().zip(x.row(row)) {
            *y = T::of(f64::from(x));
        }
    }
}
