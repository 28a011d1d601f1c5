//! Outputs and input gradients.

use super::tiles::{Tiles, TransformTiles, Transformed};
use super::transform::{Input, Output, both_ways, half};
use super::{Form, POINTS, SIDE, SKEW};
use inception_tensor::{
    Accumulate, Bank, Batch, BoxMut, Element, Epilogue, LANES, Lanes, PANEL, Pool, Shape, View,
    WithLanes, multiply_batch, with_scratch,
};

/// Bytes of transformed input that stay in a core's own cache while all filters read them.
const CACHED: usize = 256 << 10;
/// The most tiles of a task.
const TASK_TILES: usize = 56;
/// Tiles whose output is fetched ahead.
const FETCHED: usize = 2;
/// The tiles of a task, though their transforms may not all stay in cache: filters are read once
/// a task.
const LEAST_TILES: usize = 16;
/// Fewer tasks for each further thread are cut along channels of the output, too.
const TASKS_A_THREAD: usize = 6;
/// `c = epilogue(conv(x, filters))` for a bank of transformed filters, with `offset` rows and columns of padding before `x`.
///
/// An element has the same bits whatever it is computed together with: tiles are fixed to
/// the output's first pixel.
pub(in super::super) fn forward<T: Element>(
    pool: &Pool,
    form: Form,
    x: View<'_, T>,
    offset: [usize; 2],
    bank: Bank<'_, T>,
) {
    let task = Task {
        pool,
        form,
        x,
        offset,
        filter: bank.packed,
        accumulate: bank.accumulate,
        epilogue: bank.epilogue,
    };
    let size = task_size(
        pool.threads(),
        form.tile(),
        x.shape().c,
        bank.c.shape(),
        size_of::<T>(),
    );
    pool.for_each_box(bank.c, size, |part| task.run(part));
}

/// The box of the output that a task computes. It may depend on the number of `threads`, since
/// an element has the same bits in any box.
fn task_size(threads: usize, tile: usize, c_in: usize, y: Shape, bytes: usize) -> Shape {
    let most = (CACHED / (POINTS * c_in.max(1) * bytes)).clamp(LEAST_TILES, TASK_TILES);
    let [rows, columns] = [y.h.div_ceil(tile), y.w.div_ceil(tile)].map(|n| n.max(1));
    let images = (most / (rows * columns)).clamp(1, y.n.max(1));
    let across = most.min(columns);
    // As even parts as few parts allow.
    let down = rows.div_ceil(rows.div_ceil((most / columns).max(1)));
    let tasks = y.n.div_ceil(images) * rows.div_ceil(down) * columns.div_ceil(across);
    let panels = y.c.div_ceil(PANEL).max(1);
    let parts = (TASKS_A_THREAD * (threads - 1)).div_ceil(tasks.max(1));
    let channels = panels.div_ceil(parts.clamp(1, panels)) * PANEL;
    Shape::new(images, down * tile, across * tile, channels)
}

/// What all tasks share.
struct Task<'a, T> {
    pool: &'a Pool,
    form: Form,
    x: View<'a, T>,
    offset: [usize; 2],
    filter: &'a [T],
    accumulate: Accumulate,
    epilogue: Epilogue<'a, T>,
}

impl<T: Element> Task<'_, T> {
    fn run(&self, mut part: BoxMut<'_, T>) {
        let (start, shape, step) = (part.start(), part.shape(), self.form.tile());
        let tiles = Tiles {
            step,
            start: [start[0], start[1] / step, start[2] / step],
            size: [shape.n, shape.h.div_ceil(step), shape.w.div_ceil(step)],
        };
        let (rows, width, kernel) = (tiles.count(), self.x.shape().c, self.pool.kernel());
        let pitch = rows * width + SKEW;
        with_scratch(POINTS * pitch, |data: &mut [T]| {
            kernel.with_lanes(TransformTiles {
                tiles,
                first: 0,
                count: rows,
                map: self.x,
                offset: self.offset,
                line: Input,
                to: Transformed {
                    data: &mut *data,
                    pitch,
                    width,
                },
            });
            let batch = Batch {
                data: &*data,
                pitch,
                count: POINTS,
                rows,
                width,
            };
            with_scratch(POINTS * rows * PANEL, |products: &mut [T]| {
                for channel in (0..shape.c).step_by(PANEL) {
                    let panel = (start[3] + channel) / PANEL;
                    let len = POINTS * width * PANEL;
                    let filter = &self.filter[panel * len..][..len];
                    multiply_batch(kernel, batch, filter, products);
                    self.output(&mut part, tiles, channel, products);
                }
            });
        });
    }

    /// Transforms the products of a panel back.
    fn output(&self, part: &mut BoxMut<'_, T>, tiles: Tiles, channel: usize, products: &[T]) {
        let kernel = self.pool.kernel();
        match self.form {
            Form::Kernel3 => kernel.with_lanes(Results::<T, 4> {
                task: self,
                part,
                tiles,
                channel,
                products,
            }),
            Form::Kernel5 => kernel.with_lanes(Results::<T, 2> {
                task: self,
                part,
                tiles,
                channel,
                products,
            }),
        }
    }
}

/// The way back for output tiles of `M × M`.
struct Results<'a, 'b, T, const M: usize> {
    task: &'a Task<'a, T>,
    part: &'a mut BoxMut<'b, T>,
    tiles: Tiles,
    /// The first channel, counted from the box's.
    channel: usize,
    /// `[POINTS][tiles][PANEL]`.
    products: &'a [T],
}

impl<T: Element, const M: usize> WithLanes<T> for Results<'_, '_, T, M> {
    type Output = ();

    #[inline(always)]
    fn run(self, lanes: impl Lanes<T>) {
        let c = self.part.shape().c;
        let first = self.part.start()[3];
        let Epilogue { bias, relu } = self.task.epilogue;
        let add = self.task.accumulate == Accumulate::Add;
        let past_cache = self.part.is_past_cache() && !add;
        let count = self.tiles.count();
        let channels = self.channel..c.min(self.channel + PANEL);
        let mut memory = half(lanes);
        for i in 0..count {
            if !past_cache {
                let [image, row, column] = self.tiles.place(i + FETCHED);
                let channels = channels.clone();
                self.part
                    .fetch_tile::<M>(image, row * M, column * M, channels);
            }
            let [image, row, column] = self.tiles.place(i);
            let mut pixels = self.part.tile_mut::<M>(image, row * M, column * M);
            for channel in channels.clone().step_by(LANES) {
                let bias = bias.map(|bias| lanes.load_part(&bias[first + channel..]));
                let end = c.min(channel + LANES);
                let load = |p: usize, q: usize| {
                    let at = ((p * SIDE + q) * count + i) * PANEL + channel - self.channel;
                    lanes.load_part(&self.products[at..at + LANES])
                };
                both_ways::<T, _, _, SIDE, M>(
                    lanes,
                    Output,
                    &mut memory,
                    load,
                    |y, x, mut result| {
                        let Some(pixel) = pixels[y][x].get_mut(channel..end) else {
                            return;
                        };
                        if add {
                            result = lanes.add(lanes.load_part(pixel), result);
                        }
                        if let Some(bias) = bias {
                            result = lanes.add(result, bias);
                        }
                        if relu {
                            result = lanes.relu(result);
                        }
                        match pixel.first_chunk_mut() {
                            Some(pixel) if past_cache => lanes.store_past(result, pixel),
                            _ => lanes.store_part(result, pixel),
                        }
                    },
                );
            }
        }
    }
}
