//! The product of two located operands that are both contiguous across the output: weight
//! gradients without a patch matrix.

use crate::kernel::{self, Finish, Isa, Kernel, OuterTile, PANEL, WithIsa};
use crate::{Accumulate, Element, ViewMut, with_scratch};

/// Terms of a sum that are added up in registers before they go to memory.
const BLOCK: usize = 256;

/// `c = Σ_k a[x_k ..]ᵀ·b[y_k ..]` or `c += …` over `offsets` `[x_k, y_k]`, on the calling
/// thread: each term is the outer product of as many numbers of `a` as `c` has rows and as
/// many of `b` as it has channels.
///
/// Terms are summed in order in blocks of 256, the blocks in order: an element has the same
/// bits whatever it is computed together with.
///
/// # Panics
/// When an offset lies outside its operand.
pub fn multiply_outer<T: Element>(
    kernel: Kernel,
    a: &[T],
    b: &[T],
    offsets: &[[u32; 2]],
    accumulate: Accumulate,
    mut c: ViewMut<'_, T>,
) {
    let (m, n) = (c.shape().rows(), c.shape().c);
    let inside = |&[x, y]: &[u32; 2]| x as usize + m <= a.len() && y as usize + n <= b.len();
    assert!(
        offsets.iter().all(inside),
        "a term lies outside its operands"
    );
    if m == 0 || n == 0 {
        return;
    }
    if offsets.is_empty() && accumulate == Accumulate::Replace {
        c.fill(T::zero());
    }
    let kernel = match T::VECTOR_KERNELS {
        true => kernel,
        false => Kernel::Portable,
    };
    for (i, offsets) in offsets.chunks(BLOCK).enumerate() {
        let product = Product {
            a,
            b,
            offsets,
            add: i > 0 || accumulate == Accumulate::Add,
            c: c.reborrow(),
        };
        kernel::dispatch(kernel, product);
    }
}

/// A block of terms, all of whose offsets lie inside their operands.
struct Product<'a, T> {
    a: &'a [T],
    b: &'a [T],
    offsets: &'a [[u32; 2]],
    add: bool,
    c: ViewMut<'a, T>,
}

impl<T: Element> WithIsa for Product<'_, T> {
    type Output = ();

    fn with(mut self, isa: impl Isa) {
        fn rows_of<I: Isa>(_: I) -> usize {
            I::ROWS
        }
        let (m, n, stride) = (self.c.shape().rows(), self.c.shape().c, self.c.stride());
        let step = rows_of(isa);
        let c = self.c.data_mut().as_mut_ptr();
        for column in (0..n).step_by(PANEL) {
            for row in (0..m).step_by(step) {
                // Only `f32` has vector kernels, so these casts change no type.
                let tile = OuterTile {
                    a: self.a.as_ptr().wrapping_add(row).cast(),
                    b: self.b.as_ptr().wrapping_add(column).cast(),
                    offsets: self.offsets.as_ptr(),
                    k: self.offsets.len(),
                    rows: step.min(m - row),
                };
                let finish = Finish {
                    c: c.wrapping_add(row * stride + column).cast(),
                    stride,
                    columns: PANEL.min(n - column),
                    add: self.add,
                    bias: std::ptr::null(),
                    relu: false,
                };
                // SAFETY:
                // - `multiply_outer` found `m` numbers of `a` and `n` of `b` at every offset,
                //   so from `row` and `column` on there are as many as the tile has;
                // - `c` is borrowed mutably and has `m` rows of `n` numbers.
                unsafe { isa.outer(tile, finish) };
            }
        }
    }

    fn portable(mut self) {
        let (m, n, k) = (self.c.shape().rows(), self.c.shape().c, self.offsets.len());
        let stride = self.c.stride() as isize;
        let beta = if self.add { T::one() } else { T::zero() };
        with_scratch(k * (m + n), |dense: &mut [T]| {
            let (left, right) = dense.split_at_mut(k * m);
            for (i, &[x, y]) in self.offsets.iter().enumerate() {
                left[i * m..][..m].copy_from_slice(&self.a[x as usize..][..m]);
                right[i * n..][..n].copy_from_slice(&self.b[y as usize..][..n]);
            }
            // SAFETY: `left` is `k × m`, read transposed, `right` is `k × n`, and `c` is
            // borrowed mutably with `m` rows of `n` numbers.
            unsafe {
                T::raw_gemm(
                    m,
                    k,
                    n,
                    left.as_ptr(),
                    (1, m as isize),
                    right.as_ptr(),
                    (n as isize, 1),
                    beta,
                    self.c.data_mut().as_mut_ptr(),
                    stride,
                );
            }
        });
    }
}
