//! Transformed filters.

use super::phases::{phased, phased_weight};
use super::transform::{Evaluate, both_ways, half};
use super::{Form, POINTS, SIDE, Taps};
use inception_tensor::{Element, LANES, Lanes, PANEL, Pool, Shape, View, WithLanes, packed_len};

/// What the filters are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Direction {
    /// The output: sums over the channels in.
    Forward,
    /// The input's gradient: flipped filters, sums over the channels out.
    Backward,
}

impl Direction {
    /// Channels that are summed over, and channels of the result.
    pub(super) fn channels(self, weight: Shape) -> [usize; 2] {
        match self {
            Self::Forward => [weight.w, weight.c],
            Self::Backward => [weight.c, weight.w],
        }
    }
}

/// Numbers that [`filter`] writes for a weight `[r, r, c_in, c_out]`.
pub(in super::super) fn filter_len(form: Form, weight: Shape, direction: Direction) -> usize {
    let [k, n] = direction.channels(phased(form, weight));
    POINTS * packed_len(k, n)
}

/// Transforms a weight `[r, r, c_in, c_out]`: for each panel of the result's channels, for
/// each point, `k` rows of [`PANEL`] numbers. A stride above 1 has the forward direction alone.
pub(in super::super) fn filter<T: Element>(
    pool: &Pool,
    form: Form,
    weight: View<'_, T>,
    direction: Direction,
    out: &mut [T],
) {
    assert_eq!(out.len(), filter_len(form, weight.shape(), direction));
    if out.is_empty() {
        return;
    }
    if form.stride > 1 {
        assert_eq!(direction, Direction::Forward);
        return phased_weight(form, weight, |weight| {
            panels(pool, form, weight, direction, out);
        });
    }
    panels(pool, form, weight, direction, out);
}

/// Transforms a weight of stride 1.
fn panels<T: Element>(
    pool: &Pool,
    form: Form,
    weight: View<'_, T>,
    direction: Direction,
    out: &mut [T],
) {
    let [k, _] = direction.channels(weight.shape());
    pool.for_each_chunk(out, POINTS * k * PANEL, |panel, out| {
        let kernel = pool.kernel();
        let panel = Panel {
            weight,
            direction,
            panel,
            out,
        };
        match form.taps {
            Taps::Three => kernel.with_lanes(PanelOf::<T, 3>(panel)),
            Taps::Four => kernel.with_lanes(PanelOf::<T, 4>(panel)),
            Taps::Five => kernel.with_lanes(PanelOf::<T, 5>(panel)),
        }
    });
}

/// One panel of transformed filters.
struct Panel<'a, T> {
    weight: View<'a, T>,
    direction: Direction,
    panel: usize,
    out: &'a mut [T],
}

/// A panel of `R × R` taps.
struct PanelOf<'a, T, const R: usize>(Panel<'a, T>);

impl<T: Element, const R: usize> WithLanes<T> for PanelOf<'_, T, R> {
    type Output = ();

    #[inline(always)]
    fn run(self, lanes: impl Lanes<T>) {
        let panel = self.0;
        let [k, _] = panel.direction.channels(panel.weight.shape());
        let mut memory = half(lanes);
        for lane in (0..PANEL).step_by(LANES) {
            let channel = panel.panel * PANEL + lane;
            for first in (0..k).step_by(LANES) {
                let block = match panel.direction {
                    Direction::Forward => panel.plain::<R>(first, channel),
                    Direction::Backward => panel.flipped::<R>(first, channel),
                };
                // Written here first: the rows of `out` are far apart, often by what maps them
                // to the same lines of a cache.
                let mut points = [[[T::zero(); LANES]; LANES]; POINTS];
                for row in 0..LANES.min(k - first) {
                    both_ways::<T, _, _, R, SIDE>(
                        lanes,
                        Evaluate,
                        &mut memory,
                        |p, q| lanes.load(&block[p][q][row]),
                        |p, q, number| lanes.store(number, &mut points[p * SIDE + q][row]),
                    );
                }
                for (point, rows) in points.iter().enumerate() {
                    let start = (point * k + first) * PANEL;
                    let end = (point * k + k.min(first + LANES)) * PANEL;
                    let out = panel.out[start..end].chunks_exact_mut(PANEL);
                    for (out, row) in out.zip(rows) {
                        out[lane..lane + LANES].copy_from_slice(row);
                    }
                }
            }
        }
    }
}

/// For each tap, rows of what is summed over, each with channels of the result.
type Block<T, const R: usize> = [[[[T; LANES]; LANES]; R]; R];

impl<T: Element> Panel<'_, T> {
    /// The channels in `first ..`, each with the channels out `channel ..`.
    fn plain<const R: usize>(&self, first: usize, channel: usize) -> Block<T, R> {
        let Shape { w: c_in, c, .. } = self.weight.shape();
        let mut block = [[[[T::zero(); LANES]; LANES]; R]; R];
        let used = LANES.min(c.saturating_sub(channel));
        for (p, line) in block.iter_mut().enumerate() {
            for (q, rows) in line.iter_mut().enumerate() {
                for (i, row) in rows.iter_mut().enumerate().take(c_in - first) {
                    let filters = self.weight.pixel(p, q, first + i);
                    row[..used].copy_from_slice(&filters[c.min(channel)..][..used]);
                }
            }
        }
        block
    }

    /// The channels out `first ..`, each with the channels in `channel ..`, of the taps
    /// turned around.
    fn flipped<const R: usize>(&self, first: usize, channel: usize) -> Block<T, R> {
        let Shape { w: c_in, c, .. } = self.weight.shape();
        let mut block = [[[[T::zero(); LANES]; LANES]; R]; R];
        for (p, line) in block.iter_mut().enumerate() {
            for (q, rows) in line.iter_mut().enumerate() {
                for i in 0..LANES.min(c_in.saturating_sub(channel)) {
                    let filters = self.weight.pixel(R - 1 - p, R - 1 - q, channel + i);
                    let filters = &filters[first..c.min(first + LANES)];
                    for (row, &x) in rows.iter_mut().zip(filters) {
                        row[i] = x;
                    }
                }
            }
        }
        block
    }
}
