//! Four vectors of NEON.

use super::Lanes;
use crate::LANES;
use crate::kernel::neon::{Neon, relu};
use std::arch::aarch64::{
    float32x4_t, vaddq_f32, vdupq_n_f32, vfmaq_f32, vld1q_f32, vmulq_f32, vst1q_f32, vsubq_f32,
};
use std::array::from_fn;

/// Numbers of one of the vectors.
const PART: usize = 4;

impl Lanes<f32> for Neon {
    type V = [float32x4_t; 4];

    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        // SAFETY: `self` proves the instructions.
        [unsafe { vdupq_n_f32(x) }; 4]
    }

    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> Self::V {
        // SAFETY: `self` proves the instructions; `from` has as many numbers as four vectors.
        from_fn(|i| unsafe { vld1q_f32(from.as_ptr().add(i * PART)) })
    }

    #[inline(always)]
    fn store(self, v: Self::V, to: &mut [f32; LANES]) {
        for (i, &part) in v.iter().enumerate() {
            // SAFETY: `self` proves the instructions; `to` has as many numbers as four
            // vectors.
            unsafe { vst1q_f32(to.as_mut_ptr().add(i * PART), part) }
        }
    }

    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: `self` proves the instructions.
        from_fn(|i| unsafe { vaddq_f32(a[i], b[i]) })
    }

    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: `self` proves the instructions.
        from_fn(|i| unsafe { vsubq_f32(a[i], b[i]) })
    }

    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: `self` proves the instructions.
        from_fn(|i| unsafe { vmulq_f32(a[i], b[i]) })
    }

    #[inline(always)]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // SAFETY: `self` proves the instructions.
        from_fn(|i| unsafe { vfmaq_f32(c[i], a[i], b[i]) })
    }

    #[inline(always)]
    fn relu(self, v: Self::V) -> Self::V {
        // SAFETY: `self` proves the instructions.
        v.map(|part| unsafe { relu(part) })
    }
}
