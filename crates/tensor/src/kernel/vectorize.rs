//! Loops outside the products, compiled once for each set of instructions.

use super::Kernel;

/// Work whose inner loops become vectors.
///
/// Its arithmetic is what the source says: no compiler contracts `a·b + c`, so results have
/// the same bits whatever the set of instructions.
pub trait Vectorize {
    /// What comes of it.
    type Output;

    /// Does the work. Mark it, and what it calls in its inner loops, `#[inline(always)]`:
    /// what is not inlined is compiled for every processor.
    fn run(self) -> Self::Output;
}

impl Kernel {
    /// Does `work`, compiled for this kernel's instructions. NEON needs no extra copy: all
    /// that is compiled for a processor with it uses it.
    ///
    /// # Examples
    /// ```
    /// use inception_tensor::{Kernel, Vectorize};
    ///
    /// struct Double<'a>(&'a mut [f32]);
    ///
    /// impl Vectorize for Double<'_> {
    ///     type Output = ();
    ///
    ///     #[inline(always)]
    ///     fn run(self) {
    ///         self.0.iter_mut().for_each(|x| *x *= 2.0);
    ///     }
    /// }
    ///
    /// let mut numbers = [1.0, 2.5];
    /// Kernel::active().vectorize(Double(&mut numbers));
    /// assert_eq!(numbers, [2.0, 5.0]);
    /// ```
    #[inline]
    pub fn vectorize<W: Vectorize>(self, work: W) -> W::Output {
        #[cfg(target_arch = "x86_64")]
        match self.vectors() {
            Self::Avx512 if self.is_supported() => {
                // SAFETY: the processor has the instructions.
                return unsafe { run_avx512(work) };
            }
            Self::Avx2 if self.is_supported() => {
                // SAFETY: the processor has the instructions.
                return unsafe { run_avx2(work) };
            }
            _ => {}
        }
        work.run()
    }
}

/// # Safety
/// Needs AVX-512 F, BW, DQ and VL.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn run_avx512<W: Vectorize>(work: W) -> W::Output {
    work.run()
}

/// # Safety
/// Needs AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn run_avx2<W: Vectorize>(work: W) -> W::Output {
    work.run()
}
