//! Where the pieces of a product's rows lie: which pixels a pixel reads.

use crate::Window;
use inception_tensor::{PADDING, Shape, View};
use smallvec::SmallVec;

/// The taps of a window along one axis: pixel `i` reads `i·step + offset` for each offset.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub(super) offsets: SmallVec<[isize; 8]>,
    pub(super) step: usize,
}

impl Axis {
    /// What an output pixel reads of the input.
    pub(super) fn forward(window: &Window, axis: usize) -> Self {
        let start = window.padding[axis][0] as isize;
        let tap = |i: usize| (i * window.dilation[axis]) as isize - start;
        Self {
            offsets: (0..window.kernel[axis]).map(tap).collect(),
            step: window.stride[axis],
        }
    }

    /// The pixels of `0 .. count` that find a source pixel in `0 .. extent` at `offset`.
    pub(super) fn inside(&self, offset: isize, count: usize, extent: usize) -> (usize, usize) {
        let first = (-offset).max(0) as usize;
        let beyond = (extent as isize - offset).max(0) as usize;
        let (low, high) = (first.div_ceil(self.step), beyond.div_ceil(self.step));
        (low.min(count), high.min(count).max(low.min(count)))
    }
}

/// Which source pixels each pixel of a grid reads.
#[derive(Clone, Debug)]
pub(super) struct Places {
    /// Taps down and across.
    pub(super) axes: [Axis; 2],
    /// Rows and columns of the grid.
    pub(super) grid: [usize; 2],
    /// The map that is read.
    pub(super) source: Shape,
    /// Distance between its pixels.
    pub(super) stride: usize,
}

impl Places {
    /// What the output pixels of a convolution of `x` read.
    pub(super) fn forward<T>(window: &Window, x: &View<'_, T>, grid: [usize; 2]) -> Self {
        Self {
            axes: [Axis::forward(window, 0), Axis::forward(window, 1)],
            grid,
            source: x.shape(),
            stride: x.stride(),
        }
    }

    /// Taps of the window.
    pub(super) fn taps(&self) -> usize {
        self.axes[0].offsets.len() * self.axes[1].offsets.len()
    }

    /// The same grid by one of its taps alone.
    pub(super) fn only(&self, tap: usize) -> Self {
        let across = self.axes[1].offsets.len();
        let axis = |axis: &Axis, i: usize| Axis {
            offsets: [axis.offsets[i]].into_iter().collect(),
            step: axis.step,
        };
        Self {
            axes: [
                axis(&self.axes[0], tap / across),
                axis(&self.axes[1], tap % across),
            ],
            ..*self
        }
    }

    /// Writes where the pieces of pixels `first ..` start, as
    /// [`multiply_rows`](inception_tensor::multiply_rows) asks.
    pub(super) fn locate(&self, first: usize, offsets: &mut [u32]) {
        let count = offsets.len() / self.taps().max(1);
        let mut done = 0;
        while done < count {
            let pixel = first + done;
            let (line, column) = (pixel / self.grid[1], pixel % self.grid[1]);
            let run = (self.grid[1] - column).min(count - done);
            let mut tap = 0;
            for &down in &self.axes[0].offsets {
                let start = self.line(line, down);
                for &across in &self.axes[1].offsets {
                    let places = &mut offsets[tap * count + done..][..run];
                    match start {
                        None => places.fill(PADDING),
                        Some(start) => self.run(start, across, column, places),
                    }
                    tap += 1;
                }
            }
            done += run;
        }
    }

    /// The first pixel of the source row that grid row `line`, counted over all images,
    /// reads by a tap; `None` where it lies in the padding.
    fn line(&self, line: usize, offset: isize) -> Option<usize> {
        let (image, row) = (line / self.grid[0], line % self.grid[0]);
        let row = (row * self.axes[0].step) as isize + offset;
        let row = usize::try_from(row).ok().filter(|&r| r < self.source.h)?;
        Some((image * self.source.h + row) * self.source.w)
    }

    /// The places of neighbouring pixels from `column` on, by one tap.
    fn run(&self, start: usize, offset: isize, column: usize, places: &mut [u32]) {
        let axis = &self.axes[1];
        let (low, high) = axis.inside(offset, column + places.len(), self.source.w);
        let (low, high) = (low.max(column) - column, high.max(column) - column);
        places[..low].fill(PADDING);
        places[high..].fill(PADDING);
        if low < high {
            let source = ((column + low) * axis.step) as isize + offset;
            let mut at = ((start + source as usize) * self.stride) as u32;
            for place in &mut places[low..high] {
                *place = at;
                at += (axis.step * self.stride) as u32;
            }
        }
    }
}
