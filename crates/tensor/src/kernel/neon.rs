//! Tiles of 6 rows by 16 columns in NEON registers.
//!
//! 24 accumulators, four vectors of the right operand and one broadcast element of the left
//! fill 29 of the 32 registers, and 24 multiply-adds for 10 loads keep four units busy while a
//! result takes 4 cycles to appear. A panel of 32 columns is two such tiles.

use super::{Finish, Isa, OuterTile, PANEL, RowsTile};
use std::arch::aarch64::{
    float32x4_t, vaddq_f32, vbslq_f32, vcltzq_f32, vdupq_n_f32, vfmaq_f32, vld1q_dup_f32,
    vld1q_f32, vld1q_lane_f32, vst1q_f32, vst1q_lane_f32,
};
use std::arch::asm;
use std::ptr::with_exposed_provenance;

/// Proof that the processor has NEON.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Neon(());

impl Neon {
    /// The proof, where the processor has it.
    pub(crate) fn new() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("neon").then_some(Self(()))
    }
}

const LANES: usize = 4;
const TILE: usize = 4 * LANES;

/// A kernel for one size of tile.
type Sized<Tile> = unsafe fn(Tile, Finish);

/// By rows − 1, and vectors of columns − 1.
macro_rules! sizes {
    ($tile:ident) => {
        [
            [$tile::<1, 1>, $tile::<1, 2>, $tile::<1, 3>, $tile::<1, 4>],
            [$tile::<2, 1>, $tile::<2, 2>, $tile::<2, 3>, $tile::<2, 4>],
            [$tile::<3, 1>, $tile::<3, 2>, $tile::<3, 3>, $tile::<3, 4>],
            [$tile::<4, 1>, $tile::<4, 2>, $tile::<4, 3>, $tile::<4, 4>],
            [$tile::<5, 1>, $tile::<5, 2>, $tile::<5, 3>, $tile::<5, 4>],
            [$tile::<6, 1>, $tile::<6, 2>, $tile::<6, 3>, $tile::<6, 4>],
        ]
    };
}

static ROWS: [[Sized<RowsTile>; 4]; Neon::ROWS] = sizes!(rows);
static OUTER: [[Sized<OuterTile>; 4]; Neon::ROWS] = sizes!(outer);

impl Isa for Neon {
    const ROWS: usize = 6;

    unsafe fn rows(self, tile: RowsTile, finish: Finish) {
        for (start, finish) in finish.parts(TILE) {
            let b = tile.b.wrapping_add(start);
            // SAFETY: `self` proves the instructions; the caller's obligations hold for each
            // part of the columns.
            unsafe {
                ROWS[tile.rows - 1][(finish.columns - 1) / LANES](RowsTile { b, ..tile }, finish)
            }
        }
    }

    unsafe fn outer(self, tile: OuterTile, finish: Finish) {
        for (start, finish) in finish.parts(TILE) {
            let b = tile.b.wrapping_add(start);
            // SAFETY: `self` proves the instructions; the caller's obligations hold for each
            // part of the columns.
            unsafe {
                OUTER[tile.rows - 1][(finish.columns - 1) / LANES](OuterTile { b, ..tile }, finish)
            }
        }
    }
}

/// How many lanes of vector `v` hold columns.
#[inline(always)]
fn lanes(columns: usize, v: usize) -> usize {
    columns.saturating_sub(v * LANES).min(LANES)
}

/// The first `lanes` numbers; 0 in the lanes beyond. In registers alone, so that nothing is
/// moved aside for it in inner loops.
///
/// # Safety
/// `from` is valid for reads of `lanes` numbers, 1 to [`LANES`]; needs NEON.
#[inline(always)]
unsafe fn load(from: *const f32, lanes: usize) -> float32x4_t {
    // SAFETY: the caller's obligations.
    unsafe {
        if lanes == LANES {
            return vld1q_f32(from);
        }
        let mut v = vld1q_lane_f32::<0>(from, vdupq_n_f32(0.0));
        if lanes > 1 {
            v = vld1q_lane_f32::<1>(from.add(1), v);
        }
        if lanes > 2 {
            v = vld1q_lane_f32::<2>(from.add(2), v);
        }
        v
    }
}

/// Writes the first `lanes` numbers.
///
/// # Safety
/// `to` is valid for writes of `lanes` numbers, 1 to [`LANES`]; needs NEON.
#[inline(always)]
unsafe fn store(v: float32x4_t, to: *mut f32, lanes: usize) {
    // SAFETY: the caller's obligations.
    unsafe {
        if lanes == LANES {
            return vst1q_f32(to, v);
        }
        vst1q_lane_f32::<0>(to, v);
        if lanes > 1 {
            vst1q_lane_f32::<1>(to.add(1), v);
        }
        if lanes > 2 {
            vst1q_lane_f32::<2>(to.add(2), v);
        }
    }
}

/// Asks for memory that is read later.
#[inline(always)]
fn prefetch(from: *const f32) {
    // SAFETY: a hint; it reads nothing, and an address that leads nowhere is no fault.
    unsafe {
        asm!("prfm pldl2keep, [{from}]", from = in(reg) from,
            options(nostack, readonly, preserves_flags));
    }
}

/// # Safety
/// As [`Isa::rows`], with `R` rows and at most `V` vectors of columns; needs NEON.
#[target_feature(enable = "neon")]
unsafe fn rows<const R: usize, const V: usize>(tile: RowsTile, finish: Finish) {
    let mut sums = [[vdupq_n_f32(0.0); V]; R];
    let mut b = tile.b;
    for tap in 0..tile.taps {
        // SAFETY: there are `R` addresses for each tap.
        let addresses: &[usize; R] = unsafe { &*tile.addresses.add(tap * tile.pitch).cast() };
        for i in 0..tile.width {
            // SAFETY:
            // - `b` moves through `taps·width` rows of `PANEL` numbers, `V` vectors of each;
            // - each address has `width` numbers.
            unsafe {
                let mut vectors = [vdupq_n_f32(0.0); V];
                for (v, vector) in vectors.iter_mut().enumerate() {
                    *vector = vld1q_f32(b.add(v * LANES));
                }
                for (r, row) in sums.iter_mut().enumerate() {
                    let a = vld1q_dup_f32(with_exposed_provenance::<f32>(addresses[r]).add(i));
                    for (sum, &vector) in row.iter_mut().zip(&vectors) {
                        *sum = vfmaq_f32(*sum, a, vector);
                    }
                }
                b = b.wrapping_add(PANEL);
            }
        }
    }
    // A copy, so that the sums themselves need no address and stay in registers.
    let finished = sums;
    // SAFETY: passed on.
    unsafe { write(&finished, finish) }
}

/// # Safety
/// As [`Isa::outer`], with `R` rows and `V` vectors of columns; needs NEON.
#[target_feature(enable = "neon")]
unsafe fn outer<const R: usize, const V: usize>(tile: OuterTile, finish: Finish) {
    // SAFETY: passed on.
    unsafe {
        let sums = match lanes(finish.columns, V - 1) {
            // The loop of whole vectors is compiled alone, without a branch for their lanes.
            LANES => terms::<R, V>(tile, LANES),
            last => terms::<R, V>(tile, last),
        };
        write(&sums, finish);
    }
}

/// The sums of an outer product whose last vector of columns has `last` lanes.
///
/// # Safety
/// As [`outer`].
#[inline(always)]
unsafe fn terms<const R: usize, const V: usize>(
    tile: OuterTile,
    last: usize,
) -> [[float32x4_t; V]; R] {
    // SAFETY:
    // - there are `k` offsets;
    // - at these `a` has `R` numbers and `b` whole vectors but for the last.
    unsafe {
        let mut sums = [[vdupq_n_f32(0.0); V]; R];
        for k in 0..tile.k {
            let [x, y] = *tile.offsets.add(k);
            let (a, b) = (tile.a.add(x as usize), tile.b.wrapping_add(y as usize));
            if tile.ahead[0] > 0 {
                prefetch(a.wrapping_add(tile.ahead[0]));
            }
            if tile.ahead[1] > 0 {
                prefetch(b.wrapping_add(tile.ahead[1]));
            }
            let mut vectors = [vdupq_n_f32(0.0); V];
            for (v, vector) in vectors.iter_mut().enumerate() {
                let lanes = if v + 1 < V { LANES } else { last };
                *vector = load(b.wrapping_add(v * LANES), lanes);
            }
            for (r, row) in sums.iter_mut().enumerate() {
                let a = vld1q_dup_f32(a.add(r));
                for (sum, &vector) in row.iter_mut().zip(&vectors) {
                    *sum = vfmaq_f32(*sum, a, vector);
                }
            }
        }
        sums
    }
}

/// Writes finished sums.
///
/// # Safety
/// As `finish` in [`Isa::rows`], with `R` rows and at most `V` vectors of columns; needs NEON.
#[target_feature(enable = "neon")]
unsafe fn write<const R: usize, const V: usize>(sums: &[[float32x4_t; V]; R], finish: Finish) {
    for v in 0..V {
        let lanes = lanes(finish.columns, v);
        let bias = match finish.bias.is_null() {
            true => vdupq_n_f32(0.0),
            // SAFETY: the bias has `columns` numbers, of which `lanes` are left.
            false => unsafe { load(finish.bias.wrapping_add(v * LANES), lanes) },
        };
        for (r, row) in sums.iter().enumerate() {
            let c = finish.c.wrapping_add(r * finish.stride + v * LANES);
            let mut sum = row[v];
            if finish.add {
                // SAFETY: row `r` has `columns` numbers, of which `lanes` are left.
                sum = vaddq_f32(unsafe { load(c, lanes) }, sum);
            }
            if !finish.bias.is_null() {
                sum = vaddq_f32(sum, bias);
            }
            if finish.relu {
                sum = relu(sum);
            }
            // SAFETY: row `r` has `columns` numbers, of which `lanes` are left.
            unsafe { store(sum, c, lanes) };
        }
    }
}

/// `max(v, 0)`; a NaN and a negative zero stay, as with the other kernels. The instruction
/// for a maximum would make both something else.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn relu(v: float32x4_t) -> float32x4_t {
    vbslq_f32(vcltzq_f32(v), vdupq_n_f32(0.0), v)
}
