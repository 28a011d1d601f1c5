//! The number types that kernels are generic over.

use crate::kernel::Kernel;
use crate::lanes::{self, WithLanes};
use bytemuck::Pod;
use num_traits::{Float, NumAssign};
use std::fmt::{Debug, Display};

/// A floating-point number that kernels compute with: `f32` in work, `f64` in checks.
pub trait Element:
    Float + NumAssign + Pod + Debug + Display + Default + Send + Sync + 'static
{
    /// The name used in messages and files: `"f32"` or `"f64"`.
    const NAME: &'static str;

    /// Whether this is the type that the vector kernels compute in.
    #[doc(hidden)]
    const VECTOR_KERNELS: bool;

    /// The value nearest to `x`.
    fn of(x: f64) -> Self;

    /// The value as `f64`, exactly.
    fn f64(self) -> f64;

    /// Does `work` with the vectors that a kernel has for this type.
    #[doc(hidden)]
    fn with_lanes<W: WithLanes<Self>>(kernel: Kernel, work: W) -> W::Output;

    /// `C = alpha·A·B + beta·C` on strided matrices, through `matrixmultiply`.
    ///
    /// # Safety
    /// - `a`, `b` and `c` must be valid for reads of every element that the sizes
    ///   `m×k`, `k×n`, `m×n` and the row and column strides address, and `c` for writes.
    /// - No two elements of `c` may share an address, nor may `c` overlap `a` or `b`.
    #[allow(clippy::too_many_arguments, reason = "the BLAS argument list")]
    #[doc(hidden)]
    unsafe fn raw_gemm(
        m: usize,
        k: usize,
        n: usize,
        a: *const Self,
        a_strides: (isize, isize),
        b: *const Self,
        b_strides: (isize, isize),
        beta: Self,
        c: *mut Self,
        c_row_stride: isize,
    );
}

macro_rules! element {
    ($t:ty, $name:literal, $vector:literal, $lanes:expr, $gemm:path) => {
        impl Element for $t {
            const NAME: &'static str = $name;
            const VECTOR_KERNELS: bool = $vector;

            #[inline(always)]
            fn of(x: f64) -> Self {
                x as $t
            }

            #[inline(always)]
            fn f64(self) -> f64 {
                f64::from(self)
            }

            #[inline]
            fn with_lanes<W: WithLanes<Self>>(kernel: Kernel, work: W) -> W::Output {
                $lanes(kernel, work)
            }

            unsafe fn raw_gemm(
                m: usize,
                k: usize,
                n: usize,
                a: *const Self,
                (rsa, csa): (isize, isize),
                b: *const Self,
                (rsb, csb): (isize, isize),
                beta: Self,
                c: *mut Self,
                rsc: isize,
            ) {
                // SAFETY: the caller's obligations are matrixmultiply's, with unit column
                // stride in `c`.
                unsafe { $gemm(m, k, n, 1.0, a, rsa, csa, b, rsb, csb, beta, c, rsc, 1) }
            }
        }
    };
}

element!(f32, "f32", true, lanes::single, matrixmultiply::sgemm);
element!(f64, "f64", false, lanes::plain, matrixmultiply::dgemm);
