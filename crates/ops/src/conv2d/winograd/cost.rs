//! When the transforms pay.
//!
//! The model counts cycles of one core with 16 lanes and two multiply-adds a cycle, for one
//! image. Its constants were measured on GoogLeNet's layers by
//! `cargo bench -p inception-benches --bench conv2d`; they need not be exact, since the
//! ways differ by a factor where it matters.

use super::{Form, LineForm, POINTS, SIDE, Tiling};
use crate::Window;
use inception_tensor::{LANES, PANEL, Shape};

/// Multiply-adds a cycle in direct products.
const DIRECT: usize = 27;
/// Multiply-adds a cycle in the products of transformed tiles, which are smaller.
const TRANSFORMED: usize = 26;
/// Cycles that transform the input of a tile, for each lane.
const INPUT: usize = 450;
/// Cycles that transform the output of a tile, for each lane.
const OUTPUT: usize = 450;
/// Numbers of transformed filters that are read in a cycle.
const FILTER: usize = 6;

/// Whether a convolution to `y` that sums over `k` channels is faster in the transformed
/// domain, in single precision, than by products of which one instruction takes `pairs` for one.
pub(in super::super) fn pays(window: &Window, y: Shape, k: usize, pairs: usize) -> bool {
    match Tiling::of(window) {
        Some(Tiling::Plane(form)) => plane_pays(form, y, k, pairs),
        Some(Tiling::Line(form)) => line_pays(form, y, k, pairs),
        None => false,
    }
}

fn whole(c: usize, part: usize) -> usize {
    c.div_ceil(part) * part
}

fn plane_pays(form: Form, y: Shape, k: usize, pairs: usize) -> bool {
    let taps = form.kernel() * form.kernel();
    let direct = y.h * y.w * taps * k * whole(y.c, LANES) / (DIRECT * pairs);
    let tiles = y.h.div_ceil(form.tile()) * y.w.div_ceil(form.tile());
    let filter = POINTS * k * whole(y.c, PANEL);
    let lanes = [(k, INPUT), (y.c, OUTPUT)].map(|(c, cycles)| c.div_ceil(LANES) * cycles);
    let transforms = tiles * lanes.iter().sum::<usize>();
    tiles * filter / TRANSFORMED + transforms + filter / FILTER < direct
}

fn line_pays(form: LineForm, y: Shape, k: usize, pairs: usize) -> bool {
    let [along, lines] = form.extents(y);
    let tiles = along.div_ceil(form.tile());
    let direct = y.h * y.w * form.taps() * k * whole(y.c, LANES) / (DIRECT * pairs);
    let filter = SIDE * form.parts() * k * whole(y.c, PANEL);
    let stored = lines * (tiles + form.parts() - 1) * k.div_ceil(LANES) * INPUT / SIDE;
    let results = lines * tiles * y.c.div_ceil(LANES) * OUTPUT / SIDE;
    lines * tiles * filter / TRANSFORMED + stored + results + filter / FILTER < direct
}
