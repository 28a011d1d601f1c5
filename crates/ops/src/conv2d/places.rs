//! Where the pieces of a product's rows lie: which pixels a pixel reads.

use crate::Window;
use inception_tensor::{BORDER, Element, Locate, PADDING, Shape, View};
use smallvec::SmallVec;

/// Channels below which neighbouring taps are one piece.
const FEW_CHANNELS: usize = 14;

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

    /// Whether the taps of a row of the window are neighbours in memory, and of so few channels
    /// that they are better taken together.
    pub(super) fn row_is_one_piece(&self) -> bool {
        let offsets = &self.axes[1].offsets;
        let neighbours = offsets.windows(2).all(|o| o[1] == o[0] + 1);
        neighbours && self.stride == self.source.c && self.source.c < FEW_CHANNELS
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

/// A window whose rows are one piece each ([`Places::row_is_one_piece`]).
pub(super) struct WindowRows<'a, T> {
    pub(super) places: Places,
    /// The map that is read, dense.
    pub(super) data: &'a [T],
}

impl<T> WindowRows<'_, T> {
    /// Numbers in a piece.
    pub(super) fn width(&self) -> usize {
        self.places.axes[1].offsets.len() * self.places.source.c
    }
}

impl<T: Element> Locate<T> for WindowRows<'_, T> {
    fn locate(&self, first: usize, offsets: &mut [u32]) {
        let Places {
            axes: [down, across],
            grid,
            source: Shape { w, c, .. },
            ..
        } = &self.places;
        let count = offsets.len() / down.offsets.len();
        let taps = across.offsets.len() as isize;
        let mut done = 0;
        while done < count {
            let (line, column) = ((first + done) / grid[1], (first + done) % grid[1]);
            let run = (grid[1] - column).min(count - done);
            for (tap, &offset) in down.offsets.iter().enumerate() {
                let places = &mut offsets[tap * count + done..][..run];
                let Some(start) = self.places.line(line, offset) else {
                    places.fill(PADDING);
                    continue;
                };
                let mut x = (column * across.step) as isize + across.offsets[0];
                for place in places {
                    *place = if x >= 0 && x + taps <= *w as isize {
                        ((start + x as usize) * c) as u32
                    } else if x > -taps && x < *w as isize {
                        BORDER
                    } else {
                        PADDING
                    };
                    x += across.step as isize;
                }
            }
            done += run;
        }
    }

    fn write(&self, row: usize, tap: usize, piece: &mut [T]) {
        piece.fill(T::zero());
        let Places {
            axes, grid, source, ..
        } = &self.places;
        let Some(start) = self.places.line(row / grid[1], axes[0].offsets[tap]) else {
            return;
        };
        let column = (row % grid[1] * axes[1].step) as isize + axes[1].offsets[0];
        let (before, from) = ((-column).max(0) as usize, column.max(0) as usize);
        let inside = (axes[1].offsets.len() - before).min(source.w - from);
        let numbers = &self.data[(start + from) * source.c..][..inside * source.c];
        piece[before * source.c..][..numbers.len()].copy_from_slice(numbers);
    }
}
