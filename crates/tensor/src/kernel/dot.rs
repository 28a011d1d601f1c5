//! Tiles of 14 rows by 32 columns of products of words: pairs of `bf16`, fours of bytes.
//!
//! The shape is that of the `f32` tiles: 28 accumulators, two vectors of the right operand and
//! one broadcast word of the left. An instruction multiplies a word in each lane, so it does
//! twice or four times the work of a multiply-add.

use super::PANEL;
use crate::stored::DotKind;
use std::arch::x86_64::{
    __m256bh, __m256i, __m512, __m512bh, __m512i, __mmask16, _mm_mask_storeu_epi8,
    _mm256_mask_storeu_epi16, _mm512_add_ps, _mm512_castps_si512, _mm512_castsi512_ps,
    _mm512_cvtepi32_ps, _mm512_cvtneps_pbh, _mm512_cvtps_epi32, _mm512_cvtusepi32_epi8,
    _mm512_dpbf16_ps, _mm512_dpbusd_epi32, _mm512_fmadd_ps, _mm512_loadu_si512,
    _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_max_ps, _mm512_min_ps, _mm512_set1_epi32,
    _mm512_set1_ps, _mm512_setzero_si512,
};
use std::ptr::with_exposed_provenance;

/// Proof that the processor has AVX-512 F, BW, VL and the instruction of a kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dot(DotKind);

/// A tile whose left operand is rows of stored numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DotTile {
    /// Addresses of rows, with exposed provenance: `addresses[tap·pitch + r]`.
    pub(crate) addresses: *const usize,
    /// Rows between one tap's addresses and the next one's.
    pub(crate) pitch: usize,
    /// Rows of the tile, 1 to [`Dot::ROWS`].
    pub(crate) rows: usize,
    /// Pieces that `k` is cut into.
    pub(crate) taps: usize,
    /// Bytes of a piece.
    pub(crate) bytes: usize,
    /// A panel, `[taps·⌈bytes/4⌉][PANEL]` words.
    pub(crate) b: *const u32,
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DotOutput {
    /// The type that the left operand is stored in.
    Stored,
    /// `f32`.
    Real,
}

/// What is done with a finished tile of sums: `min(high, max(low, sum·scale + bias))` is written,
/// or added.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DotFinish {
    /// First element of the output tile.
    pub(crate) c: *mut u8,
    /// Bytes between its rows.
    pub(crate) pitch: usize,
    /// Columns in it, 1 to [`PANEL`].
    pub(crate) columns: usize,
    pub(crate) output: DotOutput,
    /// Whether the result is added to what is there; only of `f32`.
    pub(crate) add: bool,
    /// One number a column.
    pub(crate) scale: *const f32,
    /// One number a column.
    pub(crate) bias: *const f32,
    pub(crate) low: f32,
    pub(crate) high: f32,
}

const LANES: usize = 16;

/// A kernel for one size of tile.
type Sized = unsafe fn(DotTile, DotFinish);

/// By rows − 1, and vectors of columns − 1.
macro_rules! sizes {
    ($tile:ident) => {
        [
            [$tile::<1, 1>, $tile::<1, 2>],
            [$tile::<2, 1>, $tile::<2, 2>],
            [$tile::<3, 1>, $tile::<3, 2>],
            [$tile::<4, 1>, $tile::<4, 2>],
            [$tile::<5, 1>, $tile::<5, 2>],
            [$tile::<6, 1>, $tile::<6, 2>],
            [$tile::<7, 1>, $tile::<7, 2>],
            [$tile::<8, 1>, $tile::<8, 2>],
            [$tile::<9, 1>, $tile::<9, 2>],
            [$tile::<10, 1>, $tile::<10, 2>],
            [$tile::<11, 1>, $tile::<11, 2>],
            [$tile::<12, 1>, $tile::<12, 2>],
            [$tile::<13, 1>, $tile::<13, 2>],
            [$tile::<14, 1>, $tile::<14, 2>],
        ]
    };
}

static BF16: [[Sized; 2]; Dot::ROWS] = sizes!(bf16);
static INT8: [[Sized; 2]; Dot::ROWS] = sizes!(int8);

impl Dot {
    /// The most rows of a tile.
    pub(crate) const ROWS: usize = 14;

    /// The proof, where the processor has the instructions.
    pub(crate) fn new(kind: DotKind) -> Option<Self> {
        let has_vectors = std::arch::is_x86_feature_detected!("avx512f")
            && std::arch::is_x86_feature_detected!("avx512bw")
            && std::arch::is_x86_feature_detected!("avx512vl");
        let has_words = match kind {
            DotKind::Bf16 => std::arch::is_x86_feature_detected!("avx512bf16"),
            DotKind::Int8 => std::arch::is_x86_feature_detected!("avx512vnni"),
        };
        (has_vectors && has_words).then_some(Self(kind))
    }

    /// Computes a tile of at most [`PANEL`] columns.
    ///
    /// # Safety
    /// - There are `rows` addresses for each tap, each with exposed provenance and valid for
    ///   reads of `bytes` bytes.
    /// - `b` is valid for reads of `taps·⌈bytes/4⌉·PANEL` words.
    /// - `finish.c` is valid for reads and writes of `rows` rows of `columns` numbers of the output's
    ///   type, `pitch` bytes apart, and nothing else reaches them meanwhile; `scale` and
    ///   `bias` are valid for reads of `columns` numbers.
    /// - `1 ≤ rows ≤ ROWS` and `1 ≤ columns ≤ PANEL`.
    pub(crate) unsafe fn tile(self, tile: DotTile, finish: DotFinish) {
        let sizes = match self.0 {
            DotKind::Bf16 => &BF16,
            DotKind::Int8 => &INT8,
        };
        // SAFETY: `self` proves the instructions; the caller's obligations are the same.
        unsafe { sizes[tile.rows - 1][(finish.columns - 1) / LANES](tile, finish) }
    }
}

/// # Safety
/// As [`Dot::tile`] of `bf16`, with `R` rows and at most `V` vectors of columns.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
unsafe fn bf16<const R: usize, const V: usize>(tile: DotTile, finish: DotFinish) {
    // SAFETY: passed on; the instructions are enabled here.
    unsafe {
        let sums = sums::<R, V>(tile, |sum, a, b| {
            let (a, b) = (
                std::mem::transmute::<__m512i, __m512bh>(a),
                std::mem::transmute::<__m512i, __m512bh>(b),
            );
            _mm512_castps_si512(_mm512_dpbf16_ps(_mm512_castsi512_ps(sum), a, b))
        });
        // A copy, so that the sums themselves need no address and stay in registers.
        let finished = sums;
        write_bf16(&finished, finish);
    }
}

/// # Safety
/// As [`Dot::tile`] of bytes, with `R` rows and at most `V` vectors of columns.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn int8<const R: usize, const V: usize>(tile: DotTile, finish: DotFinish) {
    // SAFETY: passed on; the instructions are enabled here.
    unsafe {
        let sums = sums::<R, V>(tile, |sum, a, b| _mm512_dpbusd_epi32(sum, a, b));
        // A copy, so that the sums themselves need no address and stay in registers.
        let finished = sums;
        write_bytes(&finished, finish);
    }
}

/// The sums of a tile, a vector of 16 lanes of 32 bits each.
///
/// # Safety
/// As [`Dot::tile`], with `R` rows and at most `V` vectors of columns; needs AVX-512F where it
/// is inlined.
#[inline(always)]
unsafe fn sums<const R: usize, const V: usize>(
    tile: DotTile,
    dot: impl Fn(__m512i, __m512i, __m512i) -> __m512i,
) -> [[__m512i; V]; R] {
    // SAFETY:
    // - there are `R` addresses for each tap;
    // - `b` moves through `taps·⌈bytes/4⌉` rows of `PANEL` words, `V` vectors of each;
    // - each address has `bytes` bytes: whole words, then the rest.
    unsafe {
        let mut sums = [[_mm512_setzero_si512(); V]; R];
        let mut b = tile.b;
        let (words, rest) = (tile.bytes / 4, tile.bytes % 4);
        let unused = 32 - 8 * rest as u32;
        for tap in 0..tile.taps {
            let addresses: &[usize; R] = &*tile.addresses.add(tap * tile.pitch).cast();
            for i in 0..words {
                let mut vectors = [_mm512_setzero_si512(); V];
                for (v, vector) in vectors.iter_mut().enumerate() {
                    *vector = _mm512_loadu_si512(b.add(v * LANES).cast());
                }
                for (r, row) in sums.iter_mut().enumerate() {
                    let word = with_exposed_provenance::<i32>(addresses[r]).add(i);
                    let a = _mm512_set1_epi32(word.read_unaligned());
                    for (sum, &vector) in row.iter_mut().zip(&vectors) {
                        *sum = dot(*sum, a, vector);
                    }
                }
                b = b.add(PANEL);
            }
            if rest > 0 {
                let last = |&address: &usize| {
                    let end = with_exposed_provenance::<u8>(address).add(tile.bytes);
                    end.sub(4).cast::<u32>().read_unaligned() >> unused
                };
                let rests: [i32; R] = match words {
                    0 => std::array::from_fn(|r| part(addresses[r], rest)),
                    // The last four bytes, of which the first were in the word before.
                    _ => std::array::from_fn(|r| last(&addresses[r]).cast_signed()),
                };
                let mut vectors = [_mm512_setzero_si512(); V];
                for (v, vector) in vectors.iter_mut().enumerate() {
                    *vector = _mm512_loadu_si512(b.add(v * LANES).cast());
                }
                for (row, &word) in sums.iter_mut().zip(&rests) {
                    let a = _mm512_set1_epi32(word);
                    for (sum, &vector) in row.iter_mut().zip(&vectors) {
                        *sum = dot(*sum, a, vector);
                    }
                }
                b = b.add(PANEL);
            }
        }
        sums
    }
}

/// A word of which memory has the first `bytes` only; the others are zero.
///
/// # Safety
/// The address has exposed provenance and is valid for reads of `bytes` bytes, 1 to 3.
#[inline(always)]
unsafe fn part(address: usize, bytes: usize) -> i32 {
    let from = with_exposed_provenance::<u8>(address);
    // SAFETY: the caller's obligation: two bytes where there are two, and the last one.
    let word = unsafe {
        let pair = || u32::from(from.cast::<u16>().read_unaligned());
        match bytes {
            1 => u32::from(from.read()),
            2 => pair(),
            _ => pair() | u32::from(from.add(2).read()) << 16,
        }
    };
    word.cast_signed()
}

/// Writes finished sums of pairs.
///
/// # Safety
/// As `finish` in [`Dot::tile`], with as many rows as there are sums and at most `V` vectors of
/// columns; needs the instructions of [`Dot`] where it is inlined.
#[inline(always)]
pub(super) unsafe fn write_bf16<const V: usize>(sums: &[[__m512i; V]], finish: DotFinish) {
    let store = |line: *mut u8, v: usize, mask, y| {
        // SAFETY: `write` hands lines of the output; the mask writes no number beyond them.
        unsafe {
            let rounded = std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(y));
            let c = line.cast::<i16>().wrapping_add(v * LANES);
            _mm256_mask_storeu_epi16(c, mask, rounded);
        }
    };
    // SAFETY: the caller's obligations.
    unsafe { write(sums, finish, |sum| _mm512_castsi512_ps(sum), store) }
}

/// Writes finished sums of fours.
///
/// # Safety
/// As [`write_bf16`].
#[inline(always)]
pub(super) unsafe fn write_bytes<const V: usize>(sums: &[[__m512i; V]], finish: DotFinish) {
    let store = |line: *mut u8, v: usize, mask, y| {
        // SAFETY: `write` hands lines of the output; the mask writes no number beyond them.
        unsafe {
            // `low` and `high` keep the numbers inside a byte.
            let bytes = _mm512_cvtusepi32_epi8(_mm512_cvtps_epi32(y));
            let c = line.cast::<i8>().wrapping_add(v * LANES);
            _mm_mask_storeu_epi8(c, mask, bytes);
        }
    };
    // SAFETY: the caller's obligations.
    unsafe { write(sums, finish, |sum| _mm512_cvtepi32_ps(sum), store) }
}

/// Writes finished sums.
///
/// # Safety
/// As [`write_bf16`].
#[inline(always)]
unsafe fn write<const V: usize>(
    sums: &[[__m512i; V]],
    finish: DotFinish,
    real: impl Fn(__m512i) -> __m512,
    store: impl Fn(*mut u8, usize, __mmask16, __m512),
) {
    // SAFETY:
    // - scale and bias have `columns` numbers, beyond which the masks read nothing;
    // - row `r` has `columns` numbers; the masks write no others.
    unsafe {
        let (low, high) = (_mm512_set1_ps(finish.low), _mm512_set1_ps(finish.high));
        for v in 0..V {
            let lanes = finish.columns.saturating_sub(v * LANES).min(LANES);
            let mask = ((1u32 << lanes) - 1) as __mmask16;
            let scale = _mm512_maskz_loadu_ps(mask, finish.scale.wrapping_add(v * LANES));
            let bias = _mm512_maskz_loadu_ps(mask, finish.bias.wrapping_add(v * LANES));
            for (r, row) in sums.iter().enumerate() {
                let y = _mm512_fmadd_ps(real(row[v]), scale, bias);
                // The second operand is the result where one is a NaN, so a NaN stays.
                let y = _mm512_min_ps(high, _mm512_max_ps(low, y));
                let line = finish.c.wrapping_add(r * finish.pitch);
                match finish.output {
                    DotOutput::Real => {
                        let c = line.cast::<f32>().wrapping_add(v * LANES);
                        let y = match finish.add {
                            true => _mm512_add_ps(_mm512_maskz_loadu_ps(mask, c), y),
                            false => y,
                        };
                        _mm512_mask_storeu_ps(c, mask, y);
                    }
                    DotOutput::Stored => store(line, v, mask, y),
                }
            }
        }
    }
}
