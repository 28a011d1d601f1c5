//! Average over a window.
//!
//! # Sources
//! PyTorch `AvgPool2d`, whose divisors these are: `avg_pool2d_out_frame`.
use crate::average::{Cover, Grid, Windows};
use crate::pooling::{self, Axis};
use crate::{OpError, PadCount, Window, average};
use inception_tensor::{Element, Pool, Shape, View, ViewMut};
use std::ops::Range;

pub mod reference;
pub(crate) mod walk;

/// Shape of the output.
///
/// # Shapes
/// `x` is `[n, h, w, c]`, the output `[n, oh, ow, c]` with `oh` and `ow` from
/// [`Window::output`].
///
/// # Errors
/// When the window does not fit, is dilated, has padding of more than half its size, or
/// covers padding alone somewhere.
pub fn shape(window: &Window, x: Shape) -> Result<Shape, OpError> {
    if window.dilation != [1, 1] {
        return Err(OpError::Setting {
            op: "avg_pool",
            detail: format!("dilation must be 1, found {:?}", window.dilation),
        });
    }
    pooling::shape("avg_pool", window, x)
}

/// A sliding window's axis with its divisor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sliding {
    axis: Axis,
    count: PadCount,
    outputs: usize,
}

impl Windows for Sliding {
    #[inline]
    fn cover(&self, o: usize) -> Cover {
        let Axis {
            kernel,
            stride,
            before,
            after,
            extent,
            ..
        } = self.axis;
        // Places are counted from the start of the leading padding.
        let start = o * stride;
        let end = (start + kernel).min(before + extent + after);
        let pixels = start.saturating_sub(before)..end.saturating_sub(before).min(extent);
        let count = match self.count {
            PadCount::Include => end - start,
            PadCount::Exclude => pixels.len(),
        };
        Cover { pixels, count }
    }

    #[inline]
    fn covering(&self, i: usize) -> Range<usize> {
        self.axis.windows(i, self.outputs)
    }
}

impl Grid<Sliding> {
    /// Whether each pixel's gradient is the mean of the gradients of the windows over it: one
    /// divisor for all windows, which are centred on their pixels.
    fn is_its_own_gradient(&self) -> bool {
        [self.rows, self.columns].into_iter().all(|line| {
            let Axis {
                kernel,
                stride,
                before,
                after,
                ..
            } = line.axis;
            let centred = stride == 1 && before == after && kernel == 2 * before + 1;
            centred && line.count == PadCount::Include
        })
    }
}

/// The windows over `x` whose averages are `y`.
pub(crate) fn grid(window: &Window, count: PadCount, x: Shape, y: Shape) -> Grid<Sliding> {
    let line = |axis: usize| Sliding {
        axis: Axis::new(window, axis, x),
        count,
        outputs: [y.h, y.w][axis],
    };
    pooling::assert_shapes("avg_pool", window, x, y);
    Grid {
        rows: line(0),
        columns: line(1),
    }
}

/// `y[o] = Σ_{i under o} x[i] / count(o)`: the mean of each window.
///
/// `count` is the divisor's rule: the window's area clipped to the padded input, or the
/// number of input pixels under it. In ceil mode a window may reach beyond the padding;
/// that part never counts.
///
/// # Shapes
/// `x` is `[n, h, w, c]`, `y` what [`shape`] says; either may be a channel slice.
///
/// # Panics
/// When `y` has another shape, or [`shape`] refuses the window.
pub fn forward<T: Element>(
    pool: &Pool,
    window: &Window,
    count: PadCount,
    x: View<'_, T>,
    y: ViewMut<'_, T>,
) {
    let grid = grid(window, count, x.shape(), y.shape());
    match walk::suits(&grid) {
        true => walk::means(pool, grid, walk::Reals, x, y),
        false => average::forward(pool, grid, x, y),
    }
}

/// `dx[i] = Σ_{o over i} dy[o] / count(o)`.
///
/// # Shapes
/// `dx` is `[n, h, w, c]`, `dy` what [`shape`] says; either may be a channel slice.
///
/// # Panics
/// When `dy` has another shape, or [`shape`] refuses the window.
pub fn backward<T: Element>(
    pool: &Pool,
    window: &Window,
    count: PadCount,
    dy: View<'_, T>,
    dx: ViewMut<'_, T>,
) {
    let grid = grid(window, count, dx.shape(), dy.shape());
    match walk::suits(&grid) && grid.is_its_own_gradient() {
        true => walk::means(pool, grid, walk::Reals, dy, dx),
        false => average::backward(pool, grid, dy, dx),
    }
}
