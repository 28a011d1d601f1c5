//! The product of two located operands that are both contiguous across the output: weight
//! gradients without a patch matrix.

use crate::kernel::{self, Finish, Isa, Kernel, OuterTile, PANEL, WithIsa};
use crate::{Accumulate, Element, Pool, ViewMut, with_scratch};

/// Terms of a sum that are added up in registers before they go to memory.
const BLOCK: usize = 256;

/// Sizes of tasks, largest first: rows, and panels of columns.
const TASKS: [[usize; 2]; 4] = [[56, 4], [28, 4], [28, 2], [14, 1]];
/// Tasks that there should be at least.
const ENOUGH_TASKS: usize = 12;

/// The terms of a sum of outer products.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// Where each term starts in the left and in the right operand.
    pub offsets: &'a [[u32; 2]],
    /// About how far neighbouring terms are apart, so that those after a block, of this
    /// product or the next, are fetched from memory while it is multiplied; with zeros
    /// nothing is fetched. The result does not depend on it.
    pub pitch: [usize; 2],
}

impl<'a> Terms<'a> {
    /// Terms in no regular places.
    pub const fn scattered(offsets: &'a [[u32; 2]]) -> Self {
        let pitch = [0, 0];
        Self { offsets, pitch }
    }
}

/// `c = Σ_k a[x_k ..]ᵀ·b[y_k ..]` or `c += …` over the `terms` `[x_k, y_k]`: each is the
/// outer product of as many numbers of `a` as `c` has rows and as many of `b` as it has
/// channels.
///
/// Terms are summed in order in blocks of 256, the blocks in order: an element has the same
/// bits whatever it is computed together with and on however many threads.
///
/// # Panics
/// When an offset lies outside its operand.
pub fn multiply_outer<T: Element>(
    pool: &Pool,
    a: &[T],
    b: &[T],
    terms: Terms<'_>,
    accumulate: Accumulate,
    mut c: ViewMut<'_, T>,
) {
    let Terms { offsets, pitch } = terms;
    let (m, n) = (c.shape().rows(), c.shape().c);
    let addressable = a.len().max(b.len()) <= u32::MAX as usize;
    assert!(addressable, "offsets have 32 bits");
    let inside = |&[x, y]: &[u32; 2]| x as usize + m <= a.len() && y as usize + n <= b.len();
    assert!(
        offsets.iter().all(inside),
        "a term lies outside its operands"
    );
    if m == 0 || n == 0 {
        return;
    }
    if offsets.is_empty() {
        if accumulate == Accumulate::Replace {
            c.fill(T::zero());
        }
        return;
    }
    let stride = c.stride();
    let target = Target(c.data_mut().as_mut_ptr());
    let sizes = TASKS.map(|[rows, panels]| [rows, panels * PANEL]);
    let count = |[rows, columns]: [usize; 2]| m.div_ceil(rows) * n.div_ceil(columns);
    let enough = sizes.into_iter().find(|&size| count(size) >= ENOUGH_TASKS);
    let [down, across] = match pool.threads() {
        1 => [m, n],
        _ => enough.unwrap_or(sizes[3]),
    };
    let columns = n.div_ceil(across);
    pool.for_each(m.div_ceil(down) * columns, |task| {
        let (row, column) = (task / columns * down, task % columns * across);
        let part = Part {
            a: a[row..].as_ptr(),
            b: b[column..].as_ptr(),
            // The whole of `target` is captured, which is `Sync`, not its pointer.
            c: target.at(row * stride + column),
            stride,
            rows: down.min(m - row),
            columns: across.min(n - column),
        };
        for (i, offsets) in offsets.chunks(BLOCK).enumerate() {
            let product = Product {
                part: &part,
                offsets,
                ahead: pitch.map(|pitch| pitch * BLOCK),
                add: i > 0 || accumulate == Accumulate::Add,
            };
            let kernel = match T::VECTOR_KERNELS {
                true => pool.kernel(),
                false => Kernel::Portable,
            };
            kernel::dispatch(kernel, product);
        }
    });
}

/// The output, as tasks that write parts of it share it.
struct Target<T>(*mut T);

// SAFETY: each task writes rows and columns of its own.
unsafe impl<T: Element> Sync for Target<T> {}

impl<T> Target<T> {
    fn at(&self, offset: usize) -> *mut T {
        self.0.wrapping_add(offset)
    }
}

/// What a task computes: operands and output from its first row and column on.
struct Part<T> {
    a: *const T,
    b: *const T,
    c: *mut T,
    stride: usize,
    rows: usize,
    columns: usize,
}

/// A block of terms of a part.
struct Product<'a, T> {
    part: &'a Part<T>,
    offsets: &'a [[u32; 2]],
    /// From a term to the one a block later, which is fetched meanwhile.
    ahead: [usize; 2],
    add: bool,
}

impl<T: Element> WithIsa for Product<'_, T> {
    type Output = ();

    fn with(self, isa: impl Isa) {
        fn rows_of<I: Isa>(_: I) -> usize {
            I::ROWS
        }
        let (part, step) = (self.part, rows_of(isa));
        for column in (0..part.columns).step_by(PANEL) {
            for row in (0..part.rows).step_by(step) {
                // Only `f32` has vector kernels, so these casts change no type.
                let tile = OuterTile {
                    a: part.a.wrapping_add(row).cast(),
                    b: part.b.wrapping_add(column).cast(),
                    offsets: self.offsets.as_ptr(),
                    k: self.offsets.len(),
                    // Once for all tiles that read the same terms.
                    ahead: [
                        if column == 0 { self.ahead[0] } else { 0 },
                        if row == 0 { self.ahead[1] } else { 0 },
                    ],
                    rows: step.min(part.rows - row),
                };
                let finish = Finish {
                    c: part.c.wrapping_add(row * part.stride + column).cast(),
                    stride: part.stride,
                    columns: PANEL.min(part.columns - column),
                    add: self.add,
                    bias: std::ptr::null(),
                    relu: false,
                    past_cache: false,
                };
                // SAFETY:
                // - `multiply_outer` found as many numbers at every offset as `c` has rows
                //   and channels, so from `row` and `column` on there are as many as the
                //   tile has;
                // - `c` is borrowed mutably, and no other task writes this part of it.
                unsafe { isa.outer(tile, finish) };
            }
        }
    }

    fn portable(self) {
        let Part { rows, columns, .. } = *self.part;
        let k = self.offsets.len();
        let beta = if self.add { T::one() } else { T::zero() };
        with_scratch(k * (rows + columns), |dense: &mut [T]| {
            let (left, right) = dense.split_at_mut(k * rows);
            for (i, &[x, y]) in self.offsets.iter().enumerate() {
                // SAFETY: as in `with`: as many numbers lie at every offset.
                let (a, b) = unsafe {
                    (
                        std::slice::from_raw_parts(self.part.a.add(x as usize), rows),
                        std::slice::from_raw_parts(self.part.b.add(y as usize), columns),
                    )
                };
                left[i * rows..][..rows].copy_from_slice(a);
                right[i * columns..][..columns].copy_from_slice(b);
            }
            // SAFETY: `left` is `k × rows`, read transposed, `right` is `k × columns`, `c` is
            // borrowed mutably, and no other task writes this part of it.
            unsafe {
                T::raw_gemm(
                    rows,
                    k,
                    columns,
                    left.as_ptr(),
                    (1, rows as isize),
                    right.as_ptr(),
                    (columns as isize, 1),
                    beta,
                    self.part.c,
                    self.part.stride as isize,
                );
            }
        });
    }
}
