//! When the transforms pay, and how threads share them.
//!
//! The model counts cycles of one core with 16 lanes and two multiply-adds a cycle, for one
//! image. Its constants were measured on GoogLeNet's layers by
//! `cargo bench -p inception-benches --bench conv2d`, those of the transforms by a profiler's
//! shares of it; they need not be exact, since the ways differ by a factor where it matters.

use super::{Form, LineForm, POINTS, SIDE, Taps, Tiling};
use crate::Window;
use inception_tensor::{LANES, PANEL, Shape};
use smallvec::{SmallVec, smallvec};

/// Multiply-adds a cycle in direct products.
const DIRECT: usize = 27;
/// Multiply-adds a cycle in the products of transformed tiles, which are smaller.
const TRANSFORMED: usize = 26;
/// Cycles that transform the input of a tile, for each vector of channels.
const INPUT: usize = 250;
/// Cycles that write a pixel of a map of stride 1.
const GATHER: usize = 15;
/// Cycles that transform the input or the output of a tile of a line, for each vector.
const LINE: usize = 75;
/// Numbers of transformed filters that are read in a cycle.
const FILTER: usize = 6;
/// The same where a task reads them from beyond its core's cache.
const FAR_FILTER: usize = 3;
/// The most tasks a thread that channels alone are cut into.
const CHANNEL_TASKS: usize = 3;
/// So few tasks are dealt out one by one to see when they end.
const FEW_TASKS: usize = 32;
/// With so many tasks a thread, all threads end at about the same time.
const MANY_ROUNDS: usize = 16;

/// Cycles that transform the input of a tile of `k` channels.
fn input(form: Form, k: usize) -> usize {
    let gather = match form.stride {
        1 => 0,
        _ => form.tile() * form.tile() * GATHER,
    };
    gather + k.div_ceil(LANES) * INPUT
}

/// Cycles that transform the output of a tile, for each vector of channels.
fn output(form: Form) -> usize {
    match form.taps {
        Taps::Three => 230,
        Taps::Four => 130,
        Taps::Five => 110,
    }
}

/// Whether a convolution to `y` that sums over `k` channels is faster in the transformed
/// domain, in single precision, than by products of which one instruction takes `pairs` for one.
pub(in super::super) fn pays(window: &Window, y: Shape, k: usize, pairs: usize) -> bool {
    match Tiling::of(window) {
        Some(Tiling::Plane(form)) => plane_pays(form, window, y, k, pairs),
        Some(Tiling::Line(form)) => line_pays(form, y, k, pairs),
        None => false,
    }
}

fn whole(c: usize, part: usize) -> usize {
    c.div_ceil(part) * part
}

fn plane_pays(form: Form, window: &Window, y: Shape, k: usize, pairs: usize) -> bool {
    let taps = window.kernel[0] * window.kernel[1];
    let direct = y.h * y.w * taps * k * whole(y.c, LANES) / (DIRECT * pairs);
    let tiles = y.h.div_ceil(form.tile()) * y.w.div_ceil(form.tile());
    let k = form.channels(k);
    let filter = POINTS * k * whole(y.c, PANEL);
    let transforms = input(form, k) + y.c.div_ceil(LANES) * output(form);
    tiles * (filter / TRANSFORMED + transforms) + filter / FILTER < direct
}

fn line_pays(form: LineForm, y: Shape, k: usize, pairs: usize) -> bool {
    let [along, lines] = form.extents(y);
    let tiles = along.div_ceil(form.tile());
    let direct = y.h * y.w * form.taps() * k * whole(y.c, LANES) / (DIRECT * pairs);
    let filter = SIDE * form.parts() * k * whole(y.c, PANEL);
    let stored = lines * (tiles + form.parts() - 1) * k.div_ceil(LANES) * LINE;
    let results = lines * tiles * y.c.div_ceil(LANES) * LINE;
    lines * tiles * filter / TRANSFORMED + stored + results + filter / FILTER < direct
}

/// What a task costs that computes tiles for panels of channels of the output.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    /// Of a tile, whose input each task transforms.
    tile: usize,
    /// Of a panel, whose filters each task reads.
    panel: usize,
    /// Of a tile of a panel: products and the way back.
    product: usize,
}

impl Cost {
    /// Of tiles of a plane that sum over `k` channels.
    pub(super) fn of_plane(form: Form, k: usize) -> Self {
        Self {
            tile: input(form, k),
            panel: POINTS * k * PANEL / FAR_FILTER,
            product: POINTS * k * PANEL / TRANSFORMED + PANEL / LANES * output(form),
        }
    }

    /// Of whole lines of `tiles` tiles.
    pub(super) fn of_lines(form: LineForm, tiles: usize, k: usize) -> Self {
        let points = SIDE * form.parts() * k * PANEL;
        let stored = tiles + form.parts() - 1;
        Self {
            tile: stored * k.div_ceil(LANES) * LINE,
            panel: points / FAR_FILTER,
            product: tiles * (points / TRANSFORMED + PANEL / LANES * LINE),
        }
    }

    /// Of `boxes` of images, rows and columns of tiles, and panels, those in which `threads`
    /// compute `size` first; of equals those that are fewest.
    pub(super) fn cheapest(
        self,
        threads: usize,
        size: [usize; 4],
        boxes: impl Iterator<Item = [usize; 4]>,
    ) -> [usize; 4] {
        let tasks = |part| counts(size, part).into_iter().product::<usize>();
        let least = boxes.min_by_key(|&part| (self.end(threads, size, part), tasks(part)));
        least.unwrap_or([1; 4])
    }

    fn of(self, [images, rows, columns, panels]: [usize; 4]) -> usize {
        let tiles = images * rows * columns;
        tiles * self.tile + panels * (self.panel + tiles * self.product)
    }

    /// When the last of `threads` ends that compute `size` in boxes of `part`, and who is free
    /// takes the next.
    fn end(self, threads: usize, size: [usize; 4], part: [usize; 4]) -> usize {
        let [images, rows, columns, panels] = counts(size, part);
        let tasks = images * rows * columns * panels;
        let rounds = tasks.div_ceil(threads);
        if rounds > MANY_ROUNDS {
            let tiles = size[0] * size[1] * size[2];
            let read = images * rows * columns * size[3];
            let all =
                panels * tiles * self.tile + read * self.panel + tiles * size[3] * self.product;
            return all.div_ceil(threads);
        }
        if tasks > FEW_TASKS {
            return rounds * self.of(part);
        }
        let mut ends: SmallVec<[usize; 16]> = smallvec![0; threads];
        for i in 0..tasks {
            let place = [
                i / panels / columns / rows,
                i / panels / columns % rows,
                i / panels % columns,
                i % panels,
            ];
            let of_box = [0, 1, 2, 3].map(|i| part[i].min(size[i] - place[i] * part[i]));
            if let Some(free) = ends.iter_mut().min() {
                *free += self.of(of_box);
            }
        }
        ends.into_iter().max().unwrap_or(0)
    }
}

/// Boxes of `part` along each axis of `size`.
fn counts(size: [usize; 4], part: [usize; 4]) -> [usize; 4] {
    [0, 1, 2, 3].map(|axis| size[axis].div_ceil(part[axis]))
}

/// How many of `panels` a task may take: all, or as many as give each thread a few tasks.
pub(super) fn parts_of_channels(threads: usize, panels: usize) -> impl Iterator<Item = usize> {
    let parts = (1..=CHANNEL_TASKS).map(move |tasks| tasks * threads);
    std::iter::once(1)
        .chain(parts)
        .map(move |parts| panels.div_ceil(parts.min(panels)))
}
