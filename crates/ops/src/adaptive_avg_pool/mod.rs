//! Average over windows that divide the input evenly; an output of 1×1 is the global average.
//!
//! # Sources
//! PyTorch `AdaptiveAvgPool2d`: `start_index` and `end_index`.
use crate::average::{Cover, Grid, Windows};
use crate::{OpError, average};
use inception_tensor::{Element, Pool, Shape, View, ViewMut};
use std::ops::Range;

pub mod reference;

/// Shape of the output.
///
/// # Shapes
/// `x` is `[n, h, w, c]`, the result `[n, output[0], output[1], c]`; an output may be
/// larger than the input, whose pixels then serve several windows.
///
/// # Errors
/// When an output or the input has no rows or no columns.
pub fn shape(output: [usize; 2], x: Shape) -> Result<Shape, OpError> {
    let op = "adaptive_avg_pool";
    if output.contains(&0) {
        return Err(OpError::Setting {
            op,
            detail: format!("the output needs at least one row and column, found {output:?}"),
        });
    }
    if x.h == 0 || x.w == 0 {
        return Err(OpError::Shape {
            op,
            detail: format!("the input {x} has no pixels"),
        });
    }
    let [h, w] = output;
    Ok(Shape { h, w, ..x })
}

/// `outputs` windows that divide `extent` pixels: window `o` covers
/// `⌊o·extent/outputs⌋ .. ⌈(o + 1)·extent/outputs⌉`.
#[derive(Clone, Copy)]
pub(crate) struct Even {
    extent: usize,
    outputs: usize,
}

impl Windows for Even {
    #[inline]
    fn cover(&self, o: usize) -> Cover {
        let start = o * self.extent / self.outputs;
        let pixels = start..((o + 1) * self.extent).div_ceil(self.outputs);
        let count = pixels.len();
        Cover { pixels, count }
    }

    /// `o·extent/outputs < i + 1` and `(o + 1)·extent/outputs > i`: the same rule with
    /// inputs and outputs exchanged.
    #[inline]
    fn covering(&self, i: usize) -> Range<usize> {
        i * self.outputs / self.extent..((i + 1) * self.outputs).div_ceil(self.extent)
    }
}

/// The windows over `x` whose averages are `y`.
pub(crate) fn grid(x: Shape, y: Shape) -> Grid<Even> {
    let expected = shape([y.h, y.w], x).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(y, expected, "adaptive_avg_pool: output of {x}");
    let line = |extent, outputs| Even { extent, outputs };
    Grid {
        rows: line(x.h, y.h),
        columns: line(x.w, y.w),
    }
}

/// `y[o] = mean of x over window o`, rows `⌊o·h/oh⌋ .. ⌈(o + 1)·h/oh⌉` and columns alike;
/// the shapes tell the windows.
///
/// # Shapes
/// `x` is `[n, h, w, c]`, `y` is `[n, oh, ow, c]`; either may be a channel slice.
///
/// # Panics
/// When they differ in images or channels, or have no pixels.
///
/// # Examples
/// ```
/// use inception_ops::adaptive_avg_pool;
/// use inception_tensor::{Pool, Shape, Tensor};
///
/// let x = Tensor::from_vec(Shape::new(1, 1, 3, 1), vec![1.0f32, 2.0, 6.0]);
/// let mut y = Tensor::zeros(Shape::new(1, 1, 1, 1));
/// adaptive_avg_pool::forward(&Pool::serial(), x.view(), y.view_mut());
/// assert_eq!(y.data(), [3.0]);
/// ```
pub fn forward<T: Element>(pool: &Pool, x: View<'_, T>, y: ViewMut<'_, T>) {
    average::forward(pool, grid(x.shape(), y.shape()), x, y);
}

/// `dx[i] = Σ_{o over i} dy[o] / |window o|`.
///
/// # Shapes
/// `dx` is `[n, h, w, c]`, `dy` is `[n, oh, ow, c]`; either may be a channel slice.
///
/// # Panics
/// When they differ in images or channels, or have no pixels.
pub fn backward<T: Element>(pool: &Pool, dy: View<'_, T>, dx: ViewMut<'_, T>) {
    average::backward(pool, grid(dx.shape(), dy.shape()), dy, dx);
}
