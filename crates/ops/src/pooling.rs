//! What pools over sliding windows share: their checks and the geometry of one axis.

use crate::tile::rows_per_tile;
use crate::{OpError, Window};
use inception_tensor::Shape;
use std::ops::Range;

/// One axis of a sliding window over an input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Axis {
    /// Pixels that a window reads.
    pub(crate) kernel: usize,
    /// Step from a window to the next.
    pub(crate) stride: usize,
    /// Padding before the input.
    pub(crate) before: usize,
    /// Padding after the input.
    pub(crate) after: usize,
    /// Distance between the pixels that a window reads.
    pub(crate) dilation: usize,
    /// Pixels of the input.
    pub(crate) extent: usize,
}

impl Axis {
    /// Rows (`axis` 0) or columns (`axis` 1) of `window` over `x`.
    pub(crate) fn new(window: &Window, axis: usize, x: Shape) -> Self {
        Self {
            kernel: window.kernel[axis],
            stride: window.stride[axis],
            before: window.padding[axis][0],
            after: window.padding[axis][1],
            dilation: window.dilation[axis],
            extent: [x.h, x.w][axis],
        }
    }

    /// The first pixel of window `o`, negative in the padding.
    #[inline]
    pub(crate) fn origin(&self, o: usize) -> isize {
        (o * self.stride) as isize - self.before as isize
    }

    /// Which of the window's `kernel` places lie on the input.
    #[inline]
    pub(crate) fn taps(&self, o: usize) -> Range<usize> {
        let start = o * self.stride;
        let skipped = self.before.saturating_sub(start).div_ceil(self.dilation);
        let reach = (self.extent + self.before).saturating_sub(start);
        let end = reach.div_ceil(self.dilation).min(self.kernel);
        skipped.min(end)..end
    }

    /// Which place of window `o` reads pixel `i`, if one does.
    #[inline]
    pub(crate) fn place(&self, o: usize, i: usize) -> Option<usize> {
        let reach = (i + self.before).checked_sub(o * self.stride)?;
        if self.dilation == 1 {
            return (reach < self.kernel).then_some(reach);
        }
        let place = reach / self.dilation;
        (reach % self.dilation == 0 && place < self.kernel).then_some(place)
    }

    /// The windows, of `outputs`, that reach over pixel `i`.
    #[inline]
    pub(crate) fn windows(&self, i: usize, outputs: usize) -> Range<usize> {
        let reach = (self.kernel - 1) * self.dilation;
        let first = (i + self.before).saturating_sub(reach);
        let end = ((i + self.before) / self.stride + 1).min(outputs);
        first.div_ceil(self.stride).min(end)..end
    }

    /// Moves the windows over pixel `i − 1`, or over `i`, to those over pixel `i`.
    #[inline]
    pub(crate) fn slide(&self, windows: &mut Range<usize>, i: usize, outputs: usize) {
        let reach = (self.kernel - 1) * self.dilation;
        let at = i + self.before;
        if windows.end < outputs && windows.end * self.stride <= at {
            windows.end += 1;
        }
        if windows.start < windows.end && windows.start * self.stride + reach < at {
            windows.start += 1;
        }
    }
}

/// Output pixels under one another, in one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) n: usize,
    /// The first row of the output, and how many.
    pub(crate) oy: usize,
    pub(crate) rows: usize,
    pub(crate) ox: usize,
    /// The first pixel among those of all rows.
    pub(crate) at: usize,
}

/// How many rows of `map` a task walks down: a few, so that most rows of the input serve one task
/// only.
pub(crate) fn rows_of_a_walk(map: Shape) -> usize {
    (4 * rows_per_tile(map.c)).div_ceil(map.w.max(1)).max(1)
}

/// The columns of `rows` whole rows of `map`, of which the first is row `first` of all images.
#[inline(always)]
pub(crate) fn columns(map: Shape, first: usize, rows: usize) -> impl Iterator<Item = Column> {
    let Shape { h, w, .. } = map;
    let images = first / h..(first + rows).div_ceil(h);
    images.flat_map(move |n| {
        let (start, end) = (first.max(n * h), (first + rows).min((n + 1) * h));
        (0..w).map(move |ox| Column {
            n,
            oy: start - n * h,
            rows: end - start,
            ox,
            at: (start - first) * w + ox,
        })
    })
}

/// The output shape of a pool, after the checks that all pools share.
///
/// # Errors
/// When the window does not fit, the padding is more than half of what a window spans, or a
/// window covers padding alone.
///
/// # Sources
/// PyTorch `pool2d_shape_check`.
pub(crate) fn shape(op: &'static str, window: &Window, x: Shape) -> Result<Shape, OpError> {
    let spans = window.span().into_iter().zip(window.padding);
    for (name, (span, padding)) in ["rows", "columns"].into_iter().zip(spans) {
        if let Some(pad) = padding.into_iter().find(|&pad| pad > span / 2) {
            let detail = format!("padding of {pad} {name} is more than half of a window of {span}");
            return Err(OpError::Setting { op, detail });
        }
    }
    let [h, w] = window.output(op, [x.h, x.w])?;
    for (axis, (outputs, name)) in [(h, "row"), (w, "column")].into_iter().enumerate() {
        let line = Axis::new(window, axis, x);
        if let Some(o) = (0..outputs).find(|&o| line.taps(o).is_empty()) {
            return Err(OpError::Shape {
                op,
                detail: format!("the windows of output {name} {o} cover padding alone in {x}"),
            });
        }
    }
    Ok(Shape { h, w, ..x })
}

/// Panics unless `y` is the output shape of `window` over `x`.
#[track_caller]
pub(crate) fn assert_shapes(op: &'static str, window: &Window, x: Shape, y: Shape) {
    match shape(op, window, x) {
        Ok(expected) => assert_eq!(y, expected, "{op}: output of {x}"),
        Err(error) => panic!("{error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taps_and_windows_agree_with_counting() {
        for (kernel, stride, before, dilation, extent) in (1..4)
            .flat_map(|k| (1..4).map(move |s| (k, s)))
            .flat_map(|(k, s)| (0..3).map(move |p| (k, s, p)))
            .flat_map(|(k, s, p)| (1..4).map(move |d| (k, s, p, d)))
            .flat_map(|(k, s, p, d)| (1..6).map(move |e| (k, s, p, d, e)))
        {
            let axis = Axis {
                kernel,
                stride,
                before,
                after: before,
                dilation,
                extent,
            };
            let reads = |o: usize, k: usize| {
                let at = axis.origin(o) + (k * dilation) as isize;
                (0..extent as isize).contains(&at).then_some(at as usize)
            };
            for o in 0..8 {
                let taps = (0..kernel).filter(|&k| reads(o, k).is_some());
                assert!(taps.eq(axis.taps(o)), "{axis:?} {o}");
            }
            let mut slid = axis.windows(0, 6);
            for i in 0..extent {
                let windows = axis.windows(i, 6);
                axis.slide(&mut slid, i, 6);
                assert_eq!(slid, windows, "{axis:?} {i}");
                axis.slide(&mut slid, i, 6);
                assert_eq!(slid, windows, "{axis:?} {i} again");
                for o in 0..6 {
                    let place = (0..kernel).find(|&k| reads(o, k) == Some(i));
                    assert_eq!(axis.place(o, i), place, "{axis:?} {o} {i}");
                    assert!(place.is_none() || windows.contains(&o), "{axis:?} {o} {i}");
                }
            }
        }
    }
}
