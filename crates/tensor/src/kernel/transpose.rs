//! Squares of numbers turned over in AVX-512 registers.

use super::avx512::Avx512;
use std::arch::x86_64::{
    __m512i, _mm256_loadu_si256, _mm512_cvtepu16_epi32, _mm512_or_si512, _mm512_setzero_si512,
    _mm512_shuffle_i32x4, _mm512_slli_epi32, _mm512_storeu_si512, _mm512_unpackhi_epi32,
    _mm512_unpackhi_epi64, _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
};

/// Rows of a square: twice as many as columns, for two numbers of 16 bits are a word.
pub(crate) const ROWS: usize = 32;
/// Columns of a square.
pub(crate) const COLUMNS: usize = 16;

impl Avx512 {
    /// `out[column·pitch + row] = rows[row][column]`, of numbers of 16 bits; a row that is null
    /// is zeros.
    ///
    /// # Safety
    /// - A row that is not null is valid for reads of [`COLUMNS`] numbers.
    /// - `out` is valid for writes of [`ROWS`] numbers from each multiple of `pitch` below
    ///   `COLUMNS·pitch` on.
    pub(crate) unsafe fn transpose(self, rows: &[*const u16; ROWS], out: *mut u16, pitch: usize) {
        // SAFETY: `self` proves the instructions; the obligations are the caller's.
        unsafe { transpose(rows, out, pitch) }
    }
}

/// # Safety
/// As [`Avx512::transpose`], whose instructions the processor has.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn transpose(rows: &[*const u16; ROWS], out: *mut u16, pitch: usize) {
    let load = |row: *const u16| match row.is_null() {
        true => _mm512_setzero_si512(),
        // SAFETY: the row has 16 numbers.
        false => _mm512_cvtepu16_epi32(unsafe { _mm256_loadu_si256(row.cast()) }),
    };
    // Two rows are one of words, whose square has sixteen.
    let words: [__m512i; COLUMNS] = std::array::from_fn(|i| {
        let (first, second) = (load(rows[2 * i]), load(rows[2 * i + 1]));
        _mm512_or_si512(first, _mm512_slli_epi32::<16>(second))
    });
    // Neighbours, then neighbouring pairs, of every four words; then whole fours.
    let mut pairs = words;
    for i in 0..8 {
        let (a, b) = (words[2 * i], words[2 * i + 1]);
        pairs[2 * i] = _mm512_unpacklo_epi32(a, b);
        pairs[2 * i + 1] = _mm512_unpackhi_epi32(a, b);
    }
    let mut fours = pairs;
    for i in 0..4 {
        for half in 0..2 {
            let (a, b) = (pairs[4 * i + half], pairs[4 * i + 2 + half]);
            fours[4 * i + 2 * half] = _mm512_unpacklo_epi64(a, b);
            fours[4 * i + 2 * half + 1] = _mm512_unpackhi_epi64(a, b);
        }
    }
    let mut eights = fours;
    for i in 0..2 {
        for j in 0..4 {
            let (a, b) = (fours[8 * i + j], fours[8 * i + 4 + j]);
            eights[8 * i + j] = _mm512_shuffle_i32x4::<0x88>(a, b);
            eights[8 * i + 4 + j] = _mm512_shuffle_i32x4::<0xdd>(a, b);
        }
    }
    for j in 0..8 {
        let (a, b) = (eights[j], eights[8 + j]);
        let whole = [
            _mm512_shuffle_i32x4::<0x88>(a, b),
            _mm512_shuffle_i32x4::<0xdd>(a, b),
        ];
        for (half, column) in whole.into_iter().enumerate() {
            // SAFETY: each of the columns has room for 32 numbers, which are 16 words.
            unsafe {
                let to = out.wrapping_add((8 * half + j) * pitch);
                _mm512_storeu_si512(to.cast(), column);
            }
        }
    }
}
