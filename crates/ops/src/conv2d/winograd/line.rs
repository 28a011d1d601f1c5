//! Kernels of one line, `1 × r` or `r × 1`: outputs and input gradients.
//!
//! A line of output is cut into tiles of `m` pixels. Three taps are F(4, 3). Seven are two parts
//! of F(3, 4): the first four taps, and the last three behind a zero, which read the tile that
//! begins three pixels later, and that is the next tile. So every tile is transformed once, and a
//! product sums over the channels of two neighbouring tiles: four products for a pixel of output
//! instead of seven.

use super::cost::{Cost, parts_of_channels};
use super::forward::{CACHED, Filtered};
use super::transform::{Evaluate, Input, Line, Output};
use super::{Direction, SIDE, SKEW};
use crate::Window;
use inception_tensor::{
    Accumulate, Batch, BoxMut, Element, LANES, LaneMap, Lanes, PANEL, Pool, Shape, View, ViewMut,
    WithLanes, multiply_batch, packed_len, with_scratch,
};

/// A kernel of one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct LineForm {
    /// 0 where the line goes down, 1 where it goes across.
    axis: usize,
    taps: LineTaps,
}

/// How many taps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineTaps {
    /// One part of three.
    Three,
    /// Two parts of four, of which one is a zero.
    Seven,
}

impl LineForm {
    /// The form of a window, where there is one: 3 or 7 taps in a line, with stride and dilation
    /// 1, that always touch the input.
    pub(super) fn of(window: &Window) -> Option<Self> {
        if window.stride != [1, 1] || window.dilation != [1, 1] {
            return None;
        }
        let axis = match window.kernel {
            [_, 1] => 0,
            [1, _] => 1,
            _ => return None,
        };
        let taps = match window.kernel[axis] {
            3 => LineTaps::Three,
            7 => LineTaps::Seven,
            _ => return None,
        };
        let inside = window.padding[axis]
            .iter()
            .all(|&p| p < window.kernel[axis]);
        (inside && window.padding[1 - axis] == [0, 0]).then_some(Self { axis, taps })
    }

    /// Taps of the kernel.
    pub(super) fn taps(self) -> usize {
        match self.taps {
            LineTaps::Three => 3,
            LineTaps::Seven => 7,
        }
    }

    /// Pixels of an output tile.
    pub(super) fn tile(self) -> usize {
        match self.taps {
            LineTaps::Three => 4,
            LineTaps::Seven => 3,
        }
    }

    /// Neighbouring tiles that a product sums over.
    pub(super) fn parts(self) -> usize {
        match self.taps {
            LineTaps::Three => 1,
            LineTaps::Seven => 2,
        }
    }

    /// Pixels along the line, and lines beside each other.
    pub(super) fn extents(self, map: Shape) -> [usize; 2] {
        match self.axis {
            0 => [map.h, map.w],
            _ => [map.w, map.h],
        }
    }

    /// Rows and columns of a place along a line and of a line.
    #[inline(always)]
    fn pixel(self, along: usize, line: usize) -> [usize; 2] {
        match self.axis {
            0 => [along, line],
            _ => [line, along],
        }
    }

    /// Of numbers for both axes, the one along the line.
    fn along(self, numbers: [usize; 2]) -> usize {
        numbers[self.axis]
    }
}

/// Numbers that [`line_filter`] writes for a weight `[kh, kw, c_in, c_out]`.
pub(super) fn line_filter_len(form: LineForm, weight: Shape, direction: Direction) -> usize {
    let [k, n] = direction.channels(weight);
    SIDE * packed_len(form.parts() * k, n)
}

/// Transforms a weight `[kh, kw, c_in, c_out]`: for each panel of the result's channels, for each
/// point, for each part, `k` rows of [`PANEL`] numbers.
pub(super) fn line_filter<T: Element>(
    pool: &Pool,
    form: LineForm,
    weight: View<'_, T>,
    direction: Direction,
    out: &mut [T],
) {
    let [k, _] = direction.channels(weight.shape());
    assert_eq!(out.len(), line_filter_len(form, weight.shape(), direction));
    if out.is_empty() {
        return;
    }
    let len = SIDE * form.parts() * k * PANEL;
    pool.for_each_chunk(out, len, |panel, out| {
        let kernel = pool.kernel();
        let panel = Panel {
            form,
            weight,
            direction,
            panel,
            out,
        };
        match form.taps {
            LineTaps::Three => kernel.with_lanes(PartsOf::<T, 3>(panel)),
            LineTaps::Seven => kernel.with_lanes(PartsOf::<T, 4>(panel)),
        }
    });
}

/// One panel of transformed filters.
struct Panel<'a, T> {
    form: LineForm,
    weight: View<'a, T>,
    direction: Direction,
    panel: usize,
    out: &'a mut [T],
}

impl<T: Element> Panel<'_, T> {
    /// The filters' numbers at a tap, for a channel that is summed over and channels of the
    /// result from `channel` on.
    #[inline(always)]
    fn tap(&self, tap: usize, k: usize, channel: usize) -> [T; LANES] {
        let Shape { w: c_in, c, .. } = self.weight.shape();
        let mut numbers = [T::zero(); LANES];
        match self.direction {
            Direction::Forward => {
                let row = self.weight.row(tap * c_in + k);
                let used = LANES.min(c.saturating_sub(channel));
                numbers[..used].copy_from_slice(&row[c.min(channel)..][..used]);
            }
            Direction::Backward => {
                let first = (self.form.taps() - 1 - tap) * c_in + channel;
                let used = LANES.min(c_in.saturating_sub(channel));
                for (i, number) in numbers.iter_mut().enumerate().take(used) {
                    *number = self.weight.row(first + i)[k];
                }
            }
        }
        numbers
    }
}

/// A panel whose parts have `R` coefficients.
struct PartsOf<'a, T, const R: usize>(Panel<'a, T>);

impl<T: Element, const R: usize> WithLanes<T> for PartsOf<'_, T, R> {
    type Output = ();

    #[inline(always)]
    fn run(self, lanes: impl Lanes<T>) {
        let panel = self.0;
        let [sum, _] = panel.direction.channels(panel.weight.shape());
        let (parts, step) = (panel.form.parts(), panel.form.tile());
        for lane in (0..PANEL).step_by(LANES) {
            let channel = panel.panel * PANEL + lane;
            for part in 0..parts {
                for k in 0..sum {
                    let mut taps = [lanes.splat(T::zero()); R];
                    // The first tap of a later part is the last one of the part before.
                    for (i, tap) in taps.iter_mut().enumerate().skip(usize::from(part > 0)) {
                        *tap = lanes.load(&panel.tap(part * step + i, k, channel));
                    }
                    let points = Evaluate.apply(lanes, &taps);
                    for (point, &number) in points.iter().enumerate() {
                        let row = ((point * parts + part) * sum + k) * PANEL + lane;
                        lanes.store_part(number, &mut panel.out[row..row + LANES]);
                    }
                }
            }
        }
    }
}

/// `y = epilogue(conv(x, filters))` with `offset` pixels of padding above and to the left of `x`.
///
/// An element has the same bits whatever it is computed together with: tiles are fixed to the
/// output's first pixel.
pub(super) fn line_forward<T: Element>(
    pool: &Pool,
    form: LineForm,
    x: View<'_, T>,
    offset: [usize; 2],
    bank: Filtered<'_, T>,
    y: ViewMut<'_, T>,
) {
    let size = task_size(pool.threads(), form, x.shape().c, y.shape(), size_of::<T>());
    let task = Task {
        pool,
        form,
        x,
        offset: form.along(offset),
        bank,
    };
    pool.for_each_box(y, size, |part| task.run(part));
}

/// The box of the output that a task computes: whole lines.
fn task_size(threads: usize, form: LineForm, c_in: usize, y: Shape, bytes: usize) -> Shape {
    let [along, lines] = form.extents(y).map(|n| n.max(1));
    let tiles = along.div_ceil(form.tile());
    let stored = tiles + form.parts() - 1;
    let most = (CACHED / (SIDE * stored * c_in.max(1) * bytes)).max(1);
    let fewest = lines.div_ceil(most);
    let panels = y.c.div_ceil(PANEL).max(1);
    let boxes = (fewest..fewest + threads).flat_map(|parts| {
        let down = lines.div_ceil(parts);
        parts_of_channels(threads, panels).map(move |channels| [1, down, 1, channels])
    });
    let cost = Cost::of_lines(form, tiles, c_in);
    let [_, down, _, channels] = cost.cheapest(threads, [y.n, lines, 1, panels], boxes);
    let [h, w] = form.pixel(along, down);
    Shape::new(1, h, w, channels * PANEL)
}

/// What all tasks share.
struct Task<'a, T> {
    pool: &'a Pool,
    form: LineForm,
    x: View<'a, T>,
    offset: usize,
    bank: Filtered<'a, T>,
}

impl<T: Element> Task<'_, T> {
    fn run(&self, mut part: BoxMut<'_, T>) {
        let (form, width, kernel) = (self.form, self.x.shape().c, self.pool.kernel());
        let [along, lines] = form.extents(part.shape());
        let (tiles, parts) = (along.div_ceil(form.tile()), form.parts());
        let stored = tiles + parts - 1;
        let rows = lines * tiles;
        let pitch = lines * stored * width + SKEW;
        with_scratch(SIDE * pitch, |data: &mut [T]| {
            kernel.with_lanes(Tiles {
                task: self,
                start: part.start(),
                size: [lines, stored],
                data: &mut *data,
                pitch,
            });
            with_scratch(parts * rows, |places: &mut [u32]| {
                for (i, place) in places.iter_mut().enumerate() {
                    let (next, row) = (i / rows, i % rows);
                    *place = ((row / tiles * stored + row % tiles + next) * width) as u32;
                }
                let batch = Batch {
                    data: &*data,
                    pitch,
                    count: SIDE,
                    rows,
                    places,
                    width,
                };
                let len = SIDE * parts * width * PANEL;
                with_scratch(SIDE * rows * PANEL, |products: &mut [T]| {
                    let first = part.start()[3];
                    for channel in (0..part.shape().c).step_by(PANEL) {
                        let panel = (first + channel) / PANEL;
                        let filter = &self.bank.filter[panel * len..][..len];
                        multiply_batch(kernel, batch, filter, products);
                        self.output(&mut part, channel, products);
                    }
                });
            });
        });
    }

    /// Transforms the products of a panel back.
    fn output(&self, part: &mut BoxMut<'_, T>, channel: usize, products: &[T]) {
        let kernel = self.pool.kernel();
        let bank = self.bank;
        let results = Results {
            form: self.form,
            bank,
            part,
            channel,
            products,
        };
        match self.form.taps {
            LineTaps::Three => kernel.with_lanes(TilesOf::<T, 4>(results)),
            LineTaps::Seven => kernel.with_lanes(TilesOf::<T, 3>(results)),
        }
    }
}

/// The tiles of a task, transformed: number `[point, line, tile, channel]`.
struct Tiles<'a, T> {
    task: &'a Task<'a, T>,
    /// The first image, row and column.
    start: [usize; 4],
    /// Lines, and tiles of each.
    size: [usize; 2],
    data: &'a mut [T],
    /// From one point to the next.
    pitch: usize,
}

impl<T: Element> WithLanes<T> for Tiles<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self, lanes: impl Lanes<T>) {
        let Task {
            form, x, offset, ..
        } = *self.task;
        let ([lines, tiles], width) = (self.size, x.shape().c);
        let [extent, _] = form.extents(x.shape());
        let [image, row, column, _] = self.start;
        for i in 0..lines * tiles {
            let (line, tile) = (i / tiles, i % tiles);
            let mut pixels: [&[T]; SIDE] = [&[]; SIDE];
            for (p, pixel) in pixels.iter_mut().enumerate() {
                // Before the near edge this wraps around to a number beyond the far edge.
                let along = (tile * form.tile() + p).wrapping_sub(offset);
                if along < extent {
                    let [y, x_] = form.pixel(along, line);
                    // The line's own coordinate is counted from the box's start.
                    let [y, x_] = match form.axis {
                        0 => [y, column + x_],
                        _ => [row + y, x_],
                    };
                    *pixel = x.pixel(image, y, x_);
                }
            }
            for channel in (0..width).step_by(LANES) {
                let end = width.min(channel + LANES);
                let mut numbers = [lanes.splat(T::zero()); SIDE];
                for (number, pixel) in numbers.iter_mut().zip(&pixels) {
                    *number = lanes.load_part(pixel.get(channel..end).unwrap_or(&[]));
                }
                for (point, &number) in Input.apply(lanes, &numbers).iter().enumerate() {
                    let at = point * self.pitch + i * width;
                    lanes.store_part(number, &mut self.data[at + channel..at + end]);
                }
            }
        }
    }
}

/// The way back for a panel.
struct Results<'a, 'b, T> {
    form: LineForm,
    bank: Filtered<'a, T>,
    part: &'a mut BoxMut<'b, T>,
    /// The first channel, counted from the box's.
    channel: usize,
    /// `[lines][tiles][SIDE][PANEL]`.
    products: &'a [T],
}

/// The same for tiles of `M` pixels.
struct TilesOf<'a, 'b, T, const M: usize>(Results<'a, 'b, T>);

impl<T: Element, const M: usize> WithLanes<T> for TilesOf<'_, '_, T, M> {
    type Output = ();

    #[inline(always)]
    fn run(self, lanes: impl Lanes<T>) {
        let Results {
            form,
            bank,
            part,
            channel: first,
            products,
        } = self.0;
        let (c, channels_before) = (part.shape().c, part.start()[3]);
        let past_cache = part.is_past_cache() && bank.accumulate == Accumulate::Replace;
        let [along, lines] = form.extents(part.shape());
        let tiles = along.div_ceil(M);
        for channel in (first..c.min(first + PANEL)).step_by(LANES) {
            let end = c.min(channel + LANES);
            let finish = bank.finish(lanes, channels_before + channel, past_cache);
            for i in 0..lines * tiles {
                let mut numbers = [lanes.splat(T::zero()); SIDE];
                for (point, number) in numbers.iter_mut().enumerate() {
                    let at = (i * SIDE + point) * PANEL + channel - first;
                    *number = T::read(lanes, &products[at..at + LANES]);
                }
                let results: [_; M] = Output.apply(lanes, &numbers);
                for (j, &result) in results.iter().enumerate() {
                    let place = i % tiles * M + j;
                    if place < along {
                        let [y, x] = form.pixel(place, i / tiles);
                        finish.write(lanes, result, &mut part.pixel_mut(0, y, x)[channel..end]);
                    }
                }
            }
        }
    }
}
