//! One vector of AVX-512, or two of AVX2.

use super::{Lanes, Plain, WithLanes};
use crate::kernel::Kernel;
use crate::kernel::avx2::Avx2;
use crate::kernel::avx512::Avx512;
use crate::{Bf16, LANES};
use std::arch::x86_64::{
    __m256, __m512, _CMP_UNORD_Q, _mm256_add_ps, _mm256_fmadd_ps, _mm256_loadu_ps,
    _mm256_loadu_si256, _mm256_max_ps, _mm256_mul_ps, _mm256_set1_ps, _mm256_setzero_ps,
    _mm256_storeu_ps, _mm256_storeu_si256, _mm256_sub_ps, _mm512_add_epi32, _mm512_add_ps,
    _mm512_and_si512, _mm512_castps_si512, _mm512_castsi512_ps, _mm512_cmp_ps_mask,
    _mm512_cvtepi32_epi16, _mm512_cvtepu16_epi32, _mm512_fmadd_ps, _mm512_loadu_ps,
    _mm512_mask_blend_epi32, _mm512_max_ps, _mm512_mul_ps, _mm512_or_si512, _mm512_set1_epi32,
    _mm512_set1_ps, _mm512_setzero_ps, _mm512_slli_epi32, _mm512_srli_epi32, _mm512_storeu_ps,
    _mm512_stream_ps, _mm512_sub_ps,
};

/// Does `work` with the vectors of `kernel`, where the processor has them.
#[inline]
pub(super) fn run<W: WithLanes<f32>>(kernel: Kernel, work: W) -> W::Output {
    if kernel == Kernel::Avx512
        && let Some(proof) = Avx512::new()
    {
        // SAFETY: the proof.
        return unsafe { avx512(proof, work) };
    }
    if kernel == Kernel::Avx2
        && let Some(proof) = Avx2::new()
    {
        // SAFETY: the proof.
        return unsafe { avx2(proof, work) };
    }
    work.run(Plain)
}

/// # Safety
/// Needs the instructions of [`Avx512`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn avx512<W: WithLanes<f32>>(proof: Avx512, work: W) -> W::Output {
    work.run(proof)
}

/// # Safety
/// Needs the instructions of [`Avx2`].
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<W: WithLanes<f32>>(proof: Avx2, work: W) -> W::Output {
    work.run(proof)
}

impl Lanes<f32> for Avx512 {
    type V = __m512;

    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        // SAFETY: `self` proves the instructions.
        unsafe { _mm512_set1_ps(x) }
    }

    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> __m512 {
        // SAFETY: `self` proves the instructions; `from` has as many numbers as a vector.
        unsafe { _mm512_loadu_ps(from.as_ptr()) }
    }

    #[inline(always)]
    fn store(self, v: __m512, to: &mut [f32; LANES]) {
        // SAFETY: `self` proves the instructions; `to` has as many numbers as a vector.
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), v) }
    }

    #[inline(always)]
    fn store_past(self, v: __m512, to: &mut [f32; LANES]) {
        if !to.as_ptr().addr().is_multiple_of(size_of::<__m512>()) {
            return self.store(v, to);
        }
        // SAFETY: `self` proves the instructions; `to` has as many numbers as a vector, and
        // its alignment.
        unsafe { _mm512_stream_ps(to.as_mut_ptr(), v) }
    }

    #[inline(always)]
    fn widen(self, from: &[Bf16; LANES]) -> __m512 {
        // SAFETY: `self` proves the instructions; `from` has as many numbers as half a vector
        // holds bits for.
        unsafe {
            let bits = _mm256_loadu_si256(from.as_ptr().cast());
            _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(bits)))
        }
    }

    #[inline(always)]
    fn round(self, v: __m512, to: &mut [Bf16; LANES]) {
        // SAFETY: `self` proves the instructions; `to` has room for 16 numbers of 16 bits.
        unsafe {
            let bits = _mm512_castps_si512(v);
            let upper = _mm512_srli_epi32::<16>(bits);
            let odd = _mm512_and_si512(upper, _mm512_set1_epi32(1));
            let half = _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff));
            let rounded = _mm512_srli_epi32::<16>(_mm512_add_epi32(bits, half));
            let nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(v, v);
            let quiet = _mm512_or_si512(upper, _mm512_set1_epi32(0x40));
            let all = _mm512_cvtepi32_epi16(_mm512_mask_blend_epi32(nan, rounded, quiet));
            _mm256_storeu_si256(to.as_mut_ptr().cast(), all);
        }
    }

    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: `self` proves the instructions.
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: `self` proves the instructions.
        unsafe { _mm512_sub_ps(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: `self` proves the instructions.
        unsafe { _mm512_mul_ps(a, b) }
    }

    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: `self` proves the instructions.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn relu(self, v: __m512) -> __m512 {
        // The second operand is the result where one is a NaN, so a NaN stays.
        // SAFETY: `self` proves the instructions.
        unsafe { _mm512_max_ps(_mm512_setzero_ps(), v) }
    }
}

impl Lanes<f32> for Avx2 {
    type V = [__m256; 2];

    #[inline(always)]
    fn splat(self, x: f32) -> [__m256; 2] {
        // SAFETY: `self` proves the instructions.
        [unsafe { _mm256_set1_ps(x) }; 2]
    }

    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> [__m256; 2] {
        let from = from.as_ptr();
        // SAFETY: `self` proves the instructions; `from` has as many numbers as two vectors.
        unsafe { [_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))] }
    }

    #[inline(always)]
    fn store(self, v: [__m256; 2], to: &mut [f32; LANES]) {
        let to = to.as_mut_ptr();
        // SAFETY: `self` proves the instructions; `to` has as many numbers as two vectors.
        unsafe {
            _mm256_storeu_ps(to, v[0]);
            _mm256_storeu_ps(to.add(8), v[1]);
        }
    }

    #[inline(always)]
    fn add(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        // SAFETY: `self` proves the instructions.
        unsafe { [_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1])] }
    }

    #[inline(always)]
    fn sub(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        // SAFETY: `self` proves the instructions.
        unsafe { [_mm256_sub_ps(a[0], b[0]), _mm256_sub_ps(a[1], b[1])] }
    }

    #[inline(always)]
    fn mul(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        // SAFETY: `self` proves the instructions.
        unsafe { [_mm256_mul_ps(a[0], b[0]), _mm256_mul_ps(a[1], b[1])] }
    }

    #[inline(always)]
    fn mul_add(self, a: [__m256; 2], b: [__m256; 2], c: [__m256; 2]) -> [__m256; 2] {
        // SAFETY: `self` proves the instructions.
        unsafe {
            [
                _mm256_fmadd_ps(a[0], b[0], c[0]),
                _mm256_fmadd_ps(a[1], b[1], c[1]),
            ]
        }
    }

    #[inline(always)]
    fn relu(self, v: [__m256; 2]) -> [__m256; 2] {
        // The second operand is the result where one is a NaN, so a NaN stays.
        // SAFETY: `self` proves the instructions.
        unsafe {
            let zero = _mm256_setzero_ps();
            [_mm256_max_ps(zero, v[0]), _mm256_max_ps(zero, v[1])]
        }
    }
}
