//! Tiles of 14 rows by 32 columns in AVX-512 registers.
//!
//! 28 accumulators, two vectors of the right operand and one broadcast element of the left
//! fill 31 of the 32 registers, and 28 multiply-adds for 16 loads keep both units busy while
//! a result takes 4 cycles to appear.

use super::{Finish, Isa, OuterTile, PANEL, RowsTile};
use std::arch::x86_64::{
    __m512, __mmask16, _MM_HINT_T0, _MM_HINT_T1, _mm_prefetch, _mm512_add_ps, _mm512_fmadd_ps,
    _mm512_loadu_ps, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_max_ps, _mm512_set1_ps,
    _mm512_setzero_ps, _mm512_storeu_ps, _mm512_stream_ps,
};
use std::ptr::with_exposed_provenance;

/// Proof that the processor has AVX-512 F, and BW, DQ and VL, which all but the first
/// processors with it have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx512(());

impl Avx512 {
    /// The proof, where the processor has it.
    pub(crate) fn new() -> Option<Self> {
        let all = std::arch::is_x86_feature_detected!("avx512f")
            && std::arch::is_x86_feature_detected!("avx512bw")
            && std::arch::is_x86_feature_detected!("avx512dq")
            && std::arch::is_x86_feature_detected!("avx512vl");
        all.then_some(Self(()))
    }
}

const LANES: usize = 16;

/// Terms of an outer product that are fetched before they are needed.
const AHEAD: usize = 12;

/// A kernel for one size of tile.
type Sized<Tile> = unsafe fn(Tile, Finish);

/// By rows − 1, and vectors of columns − 1.
static ROWS: [[Sized<RowsTile>; 2]; 14] = [
    [rows::<1, 1>, rows::<1, 2>],
    [rows::<2, 1>, rows::<2, 2>],
    [rows::<3, 1>, rows::<3, 2>],
    [rows::<4, 1>, rows::<4, 2>],
    [rows::<5, 1>, rows::<5, 2>],
    [rows::<6, 1>, rows::<6, 2>],
    [rows::<7, 1>, rows::<7, 2>],
    [rows::<8, 1>, rows::<8, 2>],
    [rows::<9, 1>, rows::<9, 2>],
    [rows::<10, 1>, rows::<10, 2>],
    [rows::<11, 1>, rows::<11, 2>],
    [rows::<12, 1>, rows::<12, 2>],
    [rows::<13, 1>, rows::<13, 2>],
    [rows::<14, 1>, rows::<14, 2>],
];

/// By rows − 1, and vectors of columns − 1.
static OUTER: [[Sized<OuterTile>; 2]; 14] = [
    [outer::<1, 1>, outer::<1, 2>],
    [outer::<2, 1>, outer::<2, 2>],
    [outer::<3, 1>, outer::<3, 2>],
    [outer::<4, 1>, outer::<4, 2>],
    [outer::<5, 1>, outer::<5, 2>],
    [outer::<6, 1>, outer::<6, 2>],
    [outer::<7, 1>, outer::<7, 2>],
    [outer::<8, 1>, outer::<8, 2>],
    [outer::<9, 1>, outer::<9, 2>],
    [outer::<10, 1>, outer::<10, 2>],
    [outer::<11, 1>, outer::<11, 2>],
    [outer::<12, 1>, outer::<12, 2>],
    [outer::<13, 1>, outer::<13, 2>],
    [outer::<14, 1>, outer::<14, 2>],
];

impl Isa for Avx512 {
    const ROWS: usize = 14;

    unsafe fn rows(self, tile: RowsTile, finish: Finish) {
        // SAFETY: `self` proves the instructions; the caller's obligations are the same.
        unsafe { ROWS[tile.rows - 1][(finish.columns - 1) / LANES](tile, finish) }
    }

    unsafe fn outer(self, tile: OuterTile, finish: Finish) {
        // SAFETY: `self` proves the instructions; the caller's obligations are the same.
        unsafe { OUTER[tile.rows - 1][(finish.columns - 1) / LANES](tile, finish) }
    }
}

/// The lanes of vector `v` that hold columns.
fn mask(columns: usize, v: usize) -> __mmask16 {
    let lanes = columns.saturating_sub(v * LANES).min(LANES);
    ((1u32 << lanes) - 1) as __mmask16
}

/// # Safety
/// As [`Isa::rows`], with `R` rows and at most `V` vectors of columns; needs AVX-512F.
#[target_feature(enable = "avx512f")]
unsafe fn rows<const R: usize, const V: usize>(tile: RowsTile, finish: Finish) {
    let mut sums = [[_mm512_setzero_ps(); V]; R];
    let (mut b, mut later_b) = (tile.b, tile.later_b);
    for tap in 0..tile.taps {
        // SAFETY: there are `R` addresses for each tap, and as many of what is fetched.
        let (addresses, later): (&[usize; R], &[usize; R]) = unsafe {
            (
                &*tile.addresses.add(tap * tile.pitch).cast(),
                &*tile.later.add(tap * tile.pitch).cast(),
            )
        };
        let mut step = |i: usize| {
            // SAFETY:
            // - `b` moves through `taps·width` rows of `PANEL` numbers, `V` vectors of each;
            // - each address has `width` numbers.
            unsafe {
                let mut vectors = [_mm512_setzero_ps(); V];
                for (v, vector) in vectors.iter_mut().enumerate() {
                    *vector = _mm512_loadu_ps(b.add(v * LANES));
                }
                for (r, row) in sums.iter_mut().enumerate() {
                    let a = _mm512_set1_ps(*with_exposed_provenance::<f32>(addresses[r]).add(i));
                    for (sum, &vector) in row.iter_mut().zip(&vectors) {
                        *sum = _mm512_fmadd_ps(a, vector, *sum);
                    }
                }
                b = b.add(PANEL);
            }
            // Fetching reads nothing.
            _mm_prefetch::<_MM_HINT_T1>(later_b.cast());
            later_b = later_b.wrapping_add(LANES);
        };
        let whole = tile.width / LANES * LANES;
        for first in (0..whole).step_by(LANES) {
            for i in 0..LANES {
                if let Some(&address) = later.get(i) {
                    let at = with_exposed_provenance::<f32>(address).wrapping_add(first);
                    _mm_prefetch::<_MM_HINT_T0>(at.cast());
                }
                step(first + i);
            }
        }
        for i in whole..tile.width {
            step(i);
        }
    }
    if finish.columns != V * LANES {
        // A copy, so that the sums themselves need no address and stay in registers.
        let finished = sums;
        // SAFETY: passed on.
        return unsafe { write(&finished, finish) };
    }
    // Without a branch: neither −0 as a bias nor −∞ as the least result changes anything.
    let mut bias = [_mm512_set1_ps(-0.0); V];
    let least = _mm512_set1_ps(if finish.relu { 0.0 } else { f32::NEG_INFINITY });
    if !finish.bias.is_null() {
        for (v, bias) in bias.iter_mut().enumerate() {
            // SAFETY: the bias has `columns` numbers.
            *bias = unsafe { _mm512_loadu_ps(finish.bias.add(v * LANES)) };
        }
    }
    for (r, row) in sums.iter().enumerate() {
        for v in 0..V {
            let c = finish.c.wrapping_add(r * finish.stride + v * LANES);
            let mut sum = row[v];
            if finish.add {
                // SAFETY: row `r` has `columns` numbers.
                sum = _mm512_add_ps(unsafe { _mm512_loadu_ps(c) }, sum);
            }
            // The second operand is the result where one is a NaN, so a NaN stays.
            let sum = _mm512_max_ps(least, _mm512_add_ps(sum, bias[v]));
            // SAFETY: row `r` has `columns` numbers; what passes the cache is aligned.
            unsafe {
                match finish.past_cache {
                    true => _mm512_stream_ps(c, sum),
                    false => _mm512_storeu_ps(c, sum),
                }
            }
        }
    }
}

/// # Safety
/// As [`Isa::outer`], with `R` rows and at most `V` vectors of columns; needs AVX-512F.
#[target_feature(enable = "avx512f")]
unsafe fn outer<const R: usize, const V: usize>(tile: OuterTile, finish: Finish) {
    let mut sums = [[_mm512_setzero_ps(); V]; R];
    let mut masks = [0; V];
    for (v, m) in masks.iter_mut().enumerate() {
        *m = mask(finish.columns, v);
    }
    for k in 0..tile.k {
        // SAFETY:
        // - there are `k` offsets;
        // - at these `a` has `R` numbers and `b` `columns`, beyond which the masks read
        //   nothing.
        unsafe {
            let [x, y] = *tile.offsets.add((k + AHEAD).min(tile.k - 1));
            _mm_prefetch::<_MM_HINT_T0>(tile.a.add(x as usize).cast());
            _mm_prefetch::<_MM_HINT_T0>(tile.a.add(x as usize + R - 1).cast());
            for v in 0..V {
                _mm_prefetch::<_MM_HINT_T0>(tile.b.add(y as usize).wrapping_add(v * LANES).cast());
            }
            let [x, y] = *tile.offsets.add(k);
            let (a, b) = (tile.a.add(x as usize), tile.b.add(y as usize));
            if tile.ahead[0] > 0 {
                _mm_prefetch::<_MM_HINT_T1>(a.wrapping_add(tile.ahead[0]).cast());
            }
            if tile.ahead[1] > 0 {
                for v in 0..V {
                    let later = b.wrapping_add(tile.ahead[1] + v * LANES);
                    _mm_prefetch::<_MM_HINT_T1>(later.cast());
                }
            }
            let mut vectors = [_mm512_setzero_ps(); V];
            for (v, vector) in vectors.iter_mut().enumerate() {
                *vector = _mm512_maskz_loadu_ps(masks[v], b.wrapping_add(v * LANES));
            }
            for (r, row) in sums.iter_mut().enumerate() {
                let a = _mm512_set1_ps(*a.add(r));
                for (sum, &vector) in row.iter_mut().zip(&vectors) {
                    *sum = _mm512_fmadd_ps(a, vector, *sum);
                }
            }
        }
    }
    // A copy, so that the sums themselves need no address and stay in registers.
    let finished = sums;
    // SAFETY: passed on.
    unsafe { write(&finished, finish) }
}

/// Writes finished sums.
///
/// # Safety
/// As `finish` in [`Isa::rows`], with `R` rows and at most `V` vectors of columns; needs
/// AVX-512F.
#[target_feature(enable = "avx512f")]
unsafe fn write<const R: usize, const V: usize>(sums: &[[__m512; V]; R], finish: Finish) {
    for v in 0..V {
        let mask = mask(finish.columns, v);
        let bias = match finish.bias.is_null() {
            true => _mm512_setzero_ps(),
            // SAFETY: the bias has `columns` numbers, beyond which the mask reads nothing.
            false => unsafe { _mm512_maskz_loadu_ps(mask, finish.bias.wrapping_add(v * LANES)) },
        };
        for (r, row) in sums.iter().enumerate() {
            let c = finish.c.wrapping_add(r * finish.stride + v * LANES);
            let mut sum = row[v];
            if finish.add {
                // SAFETY: row `r` has `columns` numbers; the mask reads no others.
                sum = _mm512_add_ps(unsafe { _mm512_maskz_loadu_ps(mask, c) }, sum);
            }
            if !finish.bias.is_null() {
                sum = _mm512_add_ps(sum, bias);
            }
            if finish.relu {
                // The second operand is the result where one is a NaN, so a NaN stays.
                sum = _mm512_max_ps(_mm512_setzero_ps(), sum);
            }
            // SAFETY: row `r` has `columns` numbers; the mask writes no others.
            unsafe { _mm512_mask_storeu_ps(c, mask, sum) };
        }
    }
}
