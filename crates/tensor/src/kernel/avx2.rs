//! Tiles of 6 rows by 16 columns in AVX2 registers, with FMA.
//!
//! 12 accumulators, two vectors of the right operand and one broadcast element of the left
//! fill 15 of the 16 registers. A panel of 32 columns is two such tiles.

use super::{Finish, Isa, OuterTile, PANEL, RowsTile};
use std::arch::x86_64::{
    __m256, __m256i, _MM_HINT_T1, _mm_prefetch, _mm256_add_ps, _mm256_fmadd_ps, _mm256_loadu_ps,
    _mm256_loadu_si256, _mm256_maskload_ps, _mm256_maskstore_ps, _mm256_max_ps, _mm256_set1_ps,
    _mm256_setzero_ps, _mm256_setzero_si256,
};
use std::ptr::with_exposed_provenance;

/// Proof that the processor has AVX2 and FMA.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx2(());

impl Avx2 {
    /// The proof, where the processor has them.
    pub(crate) fn new() -> Option<Self> {
        let found = std::arch::is_x86_feature_detected!("avx2")
            && std::arch::is_x86_feature_detected!("fma");
        found.then_some(Self(()))
    }
}

const LANES: usize = 8;
const TILE: usize = 2 * LANES;

/// A kernel for one size of tile.
type Sized<Tile> = unsafe fn(Tile, Finish);

/// By rows − 1, and vectors of columns − 1.
static ROWS: [[Sized<RowsTile>; 2]; 6] = [
    [rows::<1, 1>, rows::<1, 2>],
    [rows::<2, 1>, rows::<2, 2>],
    [rows::<3, 1>, rows::<3, 2>],
    [rows::<4, 1>, rows::<4, 2>],
    [rows::<5, 1>, rows::<5, 2>],
    [rows::<6, 1>, rows::<6, 2>],
];

/// By rows − 1, and vectors of columns − 1.
static OUTER: [[Sized<OuterTile>; 2]; 6] = [
    [outer::<1, 1>, outer::<1, 2>],
    [outer::<2, 1>, outer::<2, 2>],
    [outer::<3, 1>, outer::<3, 2>],
    [outer::<4, 1>, outer::<4, 2>],
    [outer::<5, 1>, outer::<5, 2>],
    [outer::<6, 1>, outer::<6, 2>],
];

impl Isa for Avx2 {
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

/// The lanes of vector `v` that hold columns, as their sign bits.
///
/// # Safety
/// Needs AVX2.
#[target_feature(enable = "avx2")]
unsafe fn mask(columns: usize, v: usize) -> __m256i {
    static ONES_THEN_ZEROS: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
    let lanes = columns.saturating_sub(v * LANES).min(LANES);
    // SAFETY: `LANES - lanes` is at most 8, and 8 more numbers follow.
    unsafe { _mm256_loadu_si256(ONES_THEN_ZEROS.as_ptr().add(LANES - lanes).cast()) }
}

/// # Safety
/// As [`Isa::rows`], with `R` rows and at most `V` vectors of columns; needs AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
unsafe fn rows<const R: usize, const V: usize>(tile: RowsTile, finish: Finish) {
    let mut sums = [[_mm256_setzero_ps(); V]; R];
    let mut b = tile.b;
    for tap in 0..tile.taps {
        // SAFETY: there are `R` addresses for each tap.
        let addresses: &[usize; R] = unsafe { &*tile.addresses.add(tap * tile.pitch).cast() };
        for i in 0..tile.width {
            // SAFETY:
            // - `b` moves through `taps·width` rows of `PANEL` numbers, `V` vectors of each;
            // - each address has `width` numbers.
            unsafe {
                let mut vectors = [_mm256_setzero_ps(); V];
                for (v, vector) in vectors.iter_mut().enumerate() {
                    *vector = _mm256_loadu_ps(b.add(v * LANES));
                }
                for (r, row) in sums.iter_mut().enumerate() {
                    let a = _mm256_set1_ps(*with_exposed_provenance::<f32>(addresses[r]).add(i));
                    for (sum, &vector) in row.iter_mut().zip(&vectors) {
                        *sum = _mm256_fmadd_ps(a, vector, *sum);
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
/// As [`Isa::outer`], with `R` rows and at most `V` vectors of columns; needs AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
unsafe fn outer<const R: usize, const V: usize>(tile: OuterTile, finish: Finish) {
    let mut sums = [[_mm256_setzero_ps(); V]; R];
    let mut masks = [_mm256_setzero_si256(); V];
    for (v, m) in masks.iter_mut().enumerate() {
        // SAFETY: this function needs AVX2, too.
        *m = unsafe { mask(finish.columns, v) };
    }
    for k in 0..tile.k {
        // SAFETY:
        // - there are `k` offsets;
        // - at these `a` has `R` numbers and `b` `columns`, beyond which the masks read
        //   nothing.
        unsafe {
            let [x, y] = *tile.offsets.add(k);
            let (a, b) = (tile.a.add(x as usize), tile.b.wrapping_add(y as usize));
            if tile.ahead[0] > 0 {
                _mm_prefetch::<_MM_HINT_T1>(a.wrapping_add(tile.ahead[0]).cast());
            }
            if tile.ahead[1] > 0 {
                _mm_prefetch::<_MM_HINT_T1>(b.wrapping_add(tile.ahead[1]).cast());
            }
            let mut vectors = [_mm256_setzero_ps(); V];
            for (v, vector) in vectors.iter_mut().enumerate() {
                *vector = _mm256_maskload_ps(b.wrapping_add(v * LANES), masks[v]);
            }
            for (r, row) in sums.iter_mut().enumerate() {
                let a = _mm256_set1_ps(*a.add(r));
                for (sum, &vector) in row.iter_mut().zip(&vectors) {
                    *sum = _mm256_fmadd_ps(a, vector, *sum);
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
/// As `finish` in [`Isa::rows`], with `R` rows and at most `V` vectors of columns; needs AVX2.
#[target_feature(enable = "avx2,fma")]
unsafe fn write<const R: usize, const V: usize>(sums: &[[__m256; V]; R], finish: Finish) {
    for v in 0..V {
        // SAFETY: this function needs AVX2, too.
        let mask = unsafe { mask(finish.columns, v) };
        let bias = match finish.bias.is_null() {
            true => _mm256_setzero_ps(),
            // SAFETY: the bias has `columns` numbers, beyond which the mask reads nothing.
            false => unsafe { _mm256_maskload_ps(finish.bias.wrapping_add(v * LANES), mask) },
        };
        for (r, row) in sums.iter().enumerate() {
            let c = finish.c.wrapping_add(r * finish.stride + v * LANES);
            let mut sum = row[v];
            if finish.add {
                // SAFETY: row `r` has `columns` numbers; the mask reads no others.
                sum = _mm256_add_ps(unsafe { _mm256_maskload_ps(c, mask) }, sum);
            }
            if !finish.bias.is_null() {
                sum = _mm256_add_ps(sum, bias);
            }
            if finish.relu {
                // The second operand is the result where one is a NaN, so a NaN stays.
                sum = _mm256_max_ps(_mm256_setzero_ps(), sum);
            }
            // SAFETY: row `r` has `columns` numbers; the mask writes no others.
            unsafe { _mm256_maskstore_ps(c, mask, sum) };
        }
    }
}
