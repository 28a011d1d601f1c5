//! Outputs and input gradients.

use super::cost::{Cost, parts_of_channels};
use super::phases::Gather;
use super::tiles::{Tiles, TransformTiles, Transformed};
use super::transform::{Input, Output, both_ways, half};
use super::{Form, POINTS, SIDE, SKEW, Taps};
use inception_tensor::{
    Accumulate, Batch, BoxMut, Element, Epilogue, LANES, LaneMap, Lanes, PANEL, Pool, Shape, View,
    ViewMut, WithLanes, multiply_batch, with_scratch,
};

/// Bytes of transformed input that stay in a core's own cache while all filters read them.
pub(super) const CACHED: usize = 256 << 10;
/// The most tiles of a task.
const TASK_TILES: usize = 56;
/// Tiles whose output is fetched ahead.
const FETCHED: usize = 2;
/// The tiles of a task, though their transforms may not all stay in cache: filters are read once
/// a task.
const LEAST_TILES: usize = 16;
/// The most parts that a line of tiles is cut into.
const PARTS_OF_A_LINE: usize = 4;

/// A bank of transformed filters, and what becomes of its sums.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Filtered<'a, T> {
    /// As [`filter`](super::filter) has written them.
    pub(in super::super) filter: &'a [T],
    /// Whether the sums are added to what is there.
    pub(in super::super) accumulate: Accumulate,
    /// What follows.
    pub(in super::super) epilogue: Epilogue<'a, T>,
}

impl<T: Element> Filtered<'_, T> {
    /// What becomes of the sums of the channels from `channel` on.
    #[inline(always)]
    pub(super) fn finish<L: Lanes<T>>(
        &self,
        lanes: L,
        channel: usize,
        past_cache: bool,
    ) -> Finish<L::V> {
        Finish {
            add: self.accumulate == Accumulate::Add,
            bias: self
                .epilogue
                .bias
                .map(|bias| lanes.load_part(&bias[channel..])),
            relu: self.epilogue.relu,
            past_cache,
        }
    }
}

/// What becomes of sums.
#[derive(Clone, Copy)]
pub(super) struct Finish<V> {
    add: bool,
    bias: Option<V>,
    relu: bool,
    past_cache: bool,
}

impl<V: Copy> Finish<V> {
    /// Writes sums to some channels of a pixel.
    #[inline(always)]
    pub(super) fn write<T: Element, S: LaneMap<T>, L: Lanes<T, V = V>>(
        &self,
        lanes: L,
        mut sum: V,
        pixel: &mut [S],
    ) {
        if self.add {
            sum = lanes.add(S::read(lanes, pixel), sum);
        }
        if let Some(bias) = self.bias {
            sum = lanes.add(sum, bias);
        }
        if self.relu {
            sum = lanes.relu(sum);
        }
        S::write(lanes, sum, pixel, self.past_cache);
    }
}

/// `y = epilogue(conv(x, filters))` with `offset` rows and columns of padding before `x`. The
/// maps are kept as `S`, sums are in `T`.
///
/// An element has the same bits whatever it is computed together with: tiles are fixed to
/// the output's first pixel.
pub(in super::super) fn forward<T: Element, S: LaneMap<T>>(
    pool: &Pool,
    form: Form,
    x: View<'_, S>,
    offset: [usize; 2],
    bank: Filtered<'_, T>,
    y: ViewMut<'_, S>,
) {
    let task = Task {
        pool,
        form,
        x,
        offset,
        bank,
    };
    let k = form.channels(x.shape().c);
    let size = task_size(pool.threads(), form, k, y.shape(), size_of::<T>());
    pool.for_each_box(y, size, |part| task.run(part));
}

/// The box of the output that a task computes that sums over `k` channels. It may depend on the number of `threads`, since
/// an element has the same bits in any box.
fn task_size(threads: usize, form: Form, k: usize, y: Shape, bytes: usize) -> Shape {
    let tile = form.tile();
    let most = (CACHED / (POINTS * k.max(1) * bytes)).clamp(LEAST_TILES, TASK_TILES);
    let [rows, columns] = [y.h.div_ceil(tile), y.w.div_ceil(tile)].map(|n| n.max(1));
    let images = (most / (rows * columns)).clamp(1, y.n.max(1));
    let panels = y.c.div_ceil(PANEL).max(1);
    let cost = Cost::of_plane(form, k);
    // Parts of lines, or of the channels, where the threads end together that way and not with
    // whole lines of all channels.
    let of_lines = (1..=PARTS_OF_A_LINE).map(|parts| {
        let across = columns.min(most).div_ceil(parts);
        // As even parts as few parts allow.
        [rows.div_ceil(rows.div_ceil((most / across).max(1))), across]
    });
    let boxes = of_lines.flat_map(|[down, across]| {
        parts_of_channels(threads, panels).map(move |channels| [images, down, across, channels])
    });
    let size = [y.n, rows, columns, panels];
    let [images, down, across, channels] = cost.cheapest(threads, size, boxes);
    Shape::new(images, down * tile, across * tile, channels * PANEL)
}

/// What all tasks share.
struct Task<'a, T, S> {
    pool: &'a Pool,
    form: Form,
    x: View<'a, S>,
    offset: [usize; 2],
    bank: Filtered<'a, T>,
}

impl<T: Element, S: LaneMap<T>> Task<'_, T, S> {
    fn run(&self, part: BoxMut<'_, S>) {
        let (start, shape, step) = (part.start(), part.shape(), self.form.tile());
        let mut tiles = Tiles {
            step,
            start: [start[0], start[1] / step, start[2] / step],
            size: [shape.n, shape.h.div_ceil(step), shape.w.div_ceil(step)],
        };
        if self.form.stride == 1 {
            return self.filter(part, tiles, self.x, self.offset);
        }
        let gather = Gather::of_tiles(self.form, self.x, self.offset, tiles);
        tiles.start = [0; 3];
        with_scratch(gather.shape().len(), |map: &mut [S]| {
            gather.run(map);
            self.filter(part, tiles, View::new(map, gather.shape()), [0, 0]);
        });
    }

    /// Computes a box whose tiles are those of a map of stride 1.
    fn filter(&self, mut part: BoxMut<'_, S>, tiles: Tiles, x: View<'_, S>, offset: [usize; 2]) {
        let (start, shape) = (part.start(), part.shape());
        let (rows, width, kernel) = (tiles.count(), x.shape().c, self.pool.kernel());
        // A pixel may have more numbers than channels.
        let k = self.form.channels(self.x.shape().c);
        let pitch = rows * width + SKEW;
        with_scratch(POINTS * pitch, |data: &mut [T]| {
            let transform = TransformTiles {
                tiles,
                first: 0,
                count: rows,
                map: x,
                offset,
                line: Input,
                to: Transformed {
                    data: &mut *data,
                    pitch,
                    width,
                },
            };
            transform.run(kernel);
            let len = POINTS * k * PANEL;
            with_scratch(rows, |places: &mut [u32]| {
                for (row, place) in places.iter_mut().enumerate() {
                    *place = (row * width) as u32;
                }
                let batch = Batch {
                    data: &*data,
                    pitch,
                    count: POINTS,
                    rows,
                    places,
                    width: k,
                };
                with_scratch(POINTS * rows * PANEL, |products: &mut [T]| {
                    for channel in (0..shape.c).step_by(PANEL) {
                        let panel = (start[3] + channel) / PANEL;
                        let filter = &self.bank.filter[panel * len..][..len];
                        multiply_batch(kernel, batch, filter, products);
                        self.output(&mut part, tiles, channel, products);
                    }
                });
            });
        });
    }

    /// Transforms the products of a panel back.
    fn output(&self, part: &mut BoxMut<'_, S>, tiles: Tiles, channel: usize, products: &[T]) {
        let kernel = self.pool.kernel();
        let results = Results {
            task: self,
            part,
            tiles,
            channel,
            products,
        };
        match self.form.taps {
            Taps::Three => kernel.with_lanes(ResultsOf::<T, S, 4>(results)),
            Taps::Four => kernel.with_lanes(ResultsOf::<T, S, 3>(results)),
            Taps::Five => kernel.with_lanes(ResultsOf::<T, S, 2>(results)),
        }
    }
}

/// The way back for a panel.
struct Results<'a, 'b, T, S> {
    task: &'a Task<'a, T, S>,
    part: &'a mut BoxMut<'b, S>,
    tiles: Tiles,
    /// The first channel, counted from the box's.
    channel: usize,
    /// `[tiles][POINTS][PANEL]`.
    products: &'a [T],
}

/// The same for output tiles of `M × M`.
struct ResultsOf<'a, 'b, T, S, const M: usize>(Results<'a, 'b, T, S>);

impl<T: Element, S: LaneMap<T>, const M: usize> WithLanes<T> for ResultsOf<'_, '_, T, S, M> {
    type Output = ();

    #[inline(always)]
    fn run(self, lanes: impl Lanes<T>) {
        let Results {
            task,
            part,
            tiles,
            channel: first,
            products,
        } = self.0;
        let (c, channels_before) = (part.shape().c, part.start()[3]);
        let bank = &task.bank;
        let past_cache = part.is_past_cache() && bank.accumulate == Accumulate::Replace;
        let channels = first..c.min(first + PANEL);
        let mut memory = half(lanes);
        for i in 0..tiles.count() {
            if !past_cache {
                let [image, row, column] = tiles.place(i + FETCHED);
                part.fetch_tile::<M>(image, row * M, column * M, channels.clone());
            }
            let [image, row, column] = tiles.place(i);
            let mut pixels = part.tile_mut::<M>(image, row * M, column * M);
            for channel in channels.clone().step_by(LANES) {
                let finish = bank.finish(lanes, channels_before + channel, past_cache);
                let end = c.min(channel + LANES);
                let start = i * POINTS * PANEL + channel - first;
                let tile = &products[start..start + (POINTS - 1) * PANEL + LANES];
                let load = |p: usize, q: usize| {
                    let at = (p * SIDE + q) * PANEL;
                    lanes.load_part(&tile[at..at + LANES])
                };
                both_ways::<T, _, _, SIDE, M>(lanes, Output, &mut memory, load, |y, x, result| {
                    let Some(pixel) = pixels[y][x].get_mut(channel..end) else {
                        return;
                    };
                    finish.write(lanes, result, pixel);
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KERNEL_3: Form = Form {
        taps: Taps::Three,
        stride: 1,
    };

    #[test]
    fn lines_are_cut_where_two_threads_end_together_that_way() {
        // 14 lines of 14 tiles, of which a task takes 28: in whole lines one thread would have
        // four of seven tasks.
        let size = |threads| task_size(threads, KERNEL_3, 64, Shape::new(1, 56, 56, 192), 4);
        assert_eq!(size(1), Shape::new(1, 8, 56, 192));
        assert_eq!(size(2), Shape::new(1, 16, 28, 192));
    }

    #[test]
    fn threads_share_the_filters_of_few_tiles_and_the_tiles_of_many() {
        let size = |images| {
            let y = Shape::new(images, 14, 14, 320);
            task_size(2, KERNEL_3, 160, y, 4)
        };
        assert_eq!(size(1), Shape::new(1, 16, 16, 160));
        assert_eq!(size(2), Shape::new(1, 16, 16, 320));
        assert_eq!(size(16), Shape::new(1, 16, 16, 320));
    }
}
