//! Many small products of one size: what a convolution becomes in a transformed domain.

use crate::kernel::{self, Finish, Isa, Kernel, PANEL, RowsTile, WithIsa};
use crate::rows::later_panel;
use crate::{Element, with_scratch};

/// The left operands of [`multiply_batch`]: `count` dense matrices `rows × width`.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a, T> {
    /// The matrices, `pitch` numbers apart.
    pub data: &'a [T],
    /// From one matrix to the next, at least `rows·width`.
    pub pitch: usize,
    /// How many matrices.
    pub count: usize,
    /// Rows of each.
    pub rows: usize,
    /// Columns of each.
    pub width: usize,
}

/// `c[i] = a[i]·b[i]` for the matrices of a batch, on the calling thread.
///
/// The sum of an element is one chain over `k` in order, so it has the same bits whatever it
/// is computed together with.
///
/// # Shapes
/// `a`: [`Batch`]; `panels`: `count` panels `[width][PANEL]`, one after the other; `c`:
/// `count × rows × PANEL`, dense.
///
/// # Panics
/// When sizes do not fit each other.
pub fn multiply_batch<T: Element>(kernel: Kernel, a: Batch<'_, T>, panels: &[T], c: &mut [T]) {
    let Batch {
        data,
        pitch,
        count,
        rows,
        width,
    } = a;
    assert_eq!(panels.len(), count * width * PANEL, "panels of a batch");
    assert_eq!(c.len(), count * rows * PANEL, "output of a batch");
    if count == 0 || rows == 0 {
        return;
    }
    let (matrix, span) = (rows * width, (count - 1) * pitch + rows * width);
    assert!(
        pitch >= matrix && data.len() >= span,
        "matrices of a batch: {count} of {rows}×{width}, {pitch} apart, in {} numbers",
        data.len()
    );
    let kernel = match T::VECTOR_KERNELS {
        true => kernel,
        false => Kernel::Portable,
    };
    kernel::dispatch(kernel, Product { a, panels, c });
}

/// A batch whose sizes fit.
struct Product<'a, T> {
    a: Batch<'a, T>,
    panels: &'a [T],
    c: &'a mut [T],
}

/// The rows that a tile takes: as even parts as few tiles allow.
fn even(rows: usize, most: usize) -> usize {
    rows.div_ceil(rows.div_ceil(most))
}

impl<T: Element> WithIsa for Product<'_, T> {
    type Output = ();

    fn with(self, isa: impl Isa) {
        fn rows_of<I: Isa>(_: I) -> usize {
            I::ROWS
        }
        let Batch { rows, width, .. } = self.a;
        let step = even(rows, rows_of(isa));
        // Only `f32` has vector kernels, so these casts change no type.
        let data = self.a.data.as_ptr().cast::<f32>().expose_provenance();
        let (panels, c) = (
            self.panels.as_ptr().cast::<f32>(),
            self.c.as_mut_ptr().cast::<f32>(),
        );
        let points = self.a.count;
        with_scratch(points * rows, |addresses: &mut [usize]| {
            for (i, addresses) in addresses.chunks_exact_mut(rows).enumerate() {
                for (row, address) in addresses.iter_mut().enumerate() {
                    *address = data + (i * self.a.pitch + row * width) * size_of::<f32>();
                }
            }
            for i in 0..points {
                let b = panels.wrapping_add(i * width * PANEL);
                for row in (0..rows).step_by(step) {
                    let at = i * rows + row;
                    let next = at + step;
                    let is_inside = next + step <= points * rows;
                    let later = if is_inside { next } else { at };
                    let tile = RowsTile {
                        addresses: addresses.as_ptr().wrapping_add(at),
                        later: addresses.as_ptr().wrapping_add(later),
                        pitch: rows,
                        rows: step.min(rows - row),
                        taps: 1,
                        width,
                        b,
                        later_b: later_panel(b, width, row / step),
                    };
                    let finish = Finish {
                        c: c.wrapping_add((i * rows + row) * PANEL),
                        stride: PANEL,
                        columns: PANEL,
                        add: false,
                        bias: std::ptr::null(),
                        relu: false,
                        past_cache: false,
                    };
                    // SAFETY:
                    // - `multiply_batch` found `count` matrices in `data`, whose provenance
                    //   was exposed, as many panels, and room for as many products;
                    // - `c` is borrowed mutably.
                    unsafe { isa.rows(tile, finish) };
                }
            }
        });
    }

    fn portable(self) {
        let Batch { rows, width, .. } = self.a;
        let products = self.c.chunks_exact_mut(rows * PANEL).enumerate();
        for (i, c) in products {
            let a = &self.a.data[i * self.a.pitch..][..rows * width];
            let b = &self.panels[i * width * PANEL..][..width * PANEL];
            // SAFETY: `a` is `rows × width`, `b` `width × PANEL`, `c` `rows × PANEL`, all
            // dense, and `c` is borrowed mutably.
            unsafe {
                T::raw_gemm(
                    rows,
                    width,
                    PANEL,
                    a.as_ptr(),
                    (width as isize, 1),
                    b.as_ptr(),
                    (PANEL as isize, 1),
                    T::zero(),
                    c.as_mut_ptr(),
                    PANEL as isize,
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rows_are_cut_into_even_parts() {
        let found = [1, 14, 15, 16, 25, 49].map(|rows| even(rows, 14));
        assert_eq!(found, [1, 14, 8, 8, 13, 13]);
    }

    proptest! {
        #[test]
        fn a_batch_is_its_products_one_by_one(
            count in 0usize..4, rows in 0usize..31, width in 0usize..40, gap in 0usize..3
        ) {
            let pitch = rows * width + gap;
            let data: Vec<f32> = (0..count * pitch).map(|i| (i * 7 % 11) as f32 - 5.0).collect();
            let panels: Vec<f32> =
                (0..count * width * PANEL).map(|i| (i * 5 % 13) as f32 - 6.0).collect();
            for kernel in Kernel::ALL.into_iter().filter(|k| k.is_supported()) {
                let mut c = vec![f32::NAN; count * rows * PANEL];
                let a = Batch { data: &data, pitch, count, rows, width };
                multiply_batch(kernel, a, &panels, &mut c);
                for (at, &found) in c.iter().enumerate() {
                    let (i, row, column) =
                        (at / PANEL / rows, at / PANEL % rows, at % PANEL);
                    let a = &data[i * pitch + row * width..][..width];
                    let terms = a.iter().enumerate().map(|(k, a)| {
                        a * panels[(i * width + k) * PANEL + column]
                    });
                    prop_assert_eq!(found, terms.sum::<f32>());
                }
            }
        }
    }
}
