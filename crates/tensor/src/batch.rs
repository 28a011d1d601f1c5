//! Many small products of one size: what a convolution becomes in a transformed domain.

use crate::kernel::{self, Finish, Isa, Kernel, PANEL, RowsTile, WithIsa};
use crate::rows::later_panel;
use crate::{Element, with_scratch};

/// The left operands of [`multiply_batch`]: `count` matrices whose rows are pieces of `width`
/// numbers.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a, T> {
    /// The matrices, `pitch` numbers apart.
    pub data: &'a [T],
    /// From one matrix to the next.
    pub pitch: usize,
    /// How many matrices.
    pub count: usize,
    /// Rows of each.
    pub rows: usize,
    /// Where the pieces of rows start in each matrix: `places[tap·rows + row]`.
    pub places: &'a [u32],
    /// Numbers in a piece.
    pub width: usize,
}

impl<T> Batch<'_, T> {
    /// Pieces of a row.
    fn taps(&self) -> usize {
        self.places.len() / self.rows.max(1)
    }
}

/// `c[row, i] = a[i, row]·b[i]` for the matrices of a batch, on the calling thread: the products of
/// a row lie side by side, for who reads them together.
///
/// The sum of an element is one chain over pieces and numbers in order, so it has the same bits
/// whatever it is computed together with.
///
/// # Shapes
/// `a`: [`Batch`]; `panels`: `count` panels `[taps·width][PANEL]`, one after the other; `c`:
/// `rows × count × PANEL`, dense.
///
/// # Panics
/// When sizes do not fit each other, or a piece lies outside the data.
pub fn multiply_batch<T: Element>(kernel: Kernel, a: Batch<'_, T>, panels: &[T], c: &mut [T]) {
    let Batch {
        data,
        pitch,
        count,
        rows,
        places,
        width,
    } = a;
    let k = a.taps() * width;
    assert_eq!(panels.len(), count * k * PANEL, "panels of a batch");
    assert_eq!(c.len(), count * rows * PANEL, "output of a batch");
    if count == 0 || rows == 0 {
        return;
    }
    assert!(
        places.len().is_multiple_of(rows),
        "{} places of {rows} rows",
        places.len()
    );
    let last = (count - 1) * pitch;
    let inside = |&place: &u32| last + place as usize + width <= data.len();
    assert!(
        places.iter().all(inside),
        "pieces of a batch: {count} matrices, {pitch} apart, in {} numbers",
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
        let Batch {
            pitch,
            count,
            rows,
            places,
            width,
            ..
        } = self.a;
        let (taps, step) = (self.a.taps(), even(rows, rows_of(isa)));
        let k = taps * width;
        // Only `f32` has vector kernels, so these casts change no type.
        let data = self.a.data.as_ptr().cast::<f32>().expose_provenance();
        let (panels, c) = (
            self.panels.as_ptr().cast::<f32>(),
            self.c.as_mut_ptr().cast::<f32>(),
        );
        with_scratch(count * taps * rows, |addresses: &mut [usize]| {
            let matrices = addresses.chunks_exact_mut((taps * rows).max(1));
            for (i, addresses) in matrices.enumerate() {
                for (address, &place) in addresses.iter_mut().zip(places) {
                    *address = data + (i * pitch + place as usize) * size_of::<f32>();
                }
            }
            for i in 0..count {
                let b = panels.wrapping_add(i * k * PANEL);
                for row in (0..rows).step_by(step) {
                    let at = i * taps * rows + row;
                    // The next tile, of this matrix or the next one; never beyond the last.
                    let later = match (row + 2 * step <= rows, i + 1 < count) {
                        (true, _) => at + step,
                        (false, true) => (i + 1) * taps * rows,
                        (false, false) => at,
                    };
                    let tile = RowsTile {
                        addresses: addresses.as_ptr().wrapping_add(at),
                        later: addresses.as_ptr().wrapping_add(later),
                        pitch: rows,
                        rows: step.min(rows - row),
                        taps,
                        width,
                        b,
                        later_b: later_panel(b, k, row / step),
                    };
                    let finish = Finish {
                        c: c.wrapping_add((row * count + i) * PANEL),
                        stride: count * PANEL,
                        columns: PANEL,
                        add: false,
                        bias: std::ptr::null(),
                        relu: false,
                        past_cache: false,
                    };
                    // SAFETY:
                    // - `multiply_batch` found every piece of every matrix in `data`, whose
                    //   provenance was exposed, as many panels, and room for as many products;
                    // - `later` has as many rows as a tile, or is the tile itself;
                    // - `c` is borrowed mutably.
                    unsafe { isa.rows(tile, finish) };
                }
            }
        });
    }

    fn portable(self) {
        let Batch {
            data,
            pitch,
            count,
            rows,
            places,
            width,
        } = self.a;
        let k = self.a.taps() * width;
        with_scratch(rows * k, |matrix: &mut [T]| {
            for i in 0..count {
                for (j, &place) in places.iter().enumerate() {
                    let piece = &data[i * pitch + place as usize..][..width];
                    matrix[j % rows * k + j / rows * width..][..width].copy_from_slice(piece);
                }
                let b = &self.panels[i * k * PANEL..][..k * PANEL];
                let c = &mut self.c[i * PANEL..];
                // SAFETY: `matrix` is `rows × k` and `b` `k × PANEL`, both dense; `c` has
                // `PANEL` numbers every `count · PANEL`, `rows` times, and is borrowed mutably.
                unsafe {
                    T::raw_gemm(
                        rows,
                        k,
                        PANEL,
                        matrix.as_ptr(),
                        (k as isize, 1),
                        b.as_ptr(),
                        (PANEL as isize, 1),
                        T::zero(),
                        c.as_mut_ptr(),
                        (count * PANEL) as isize,
                    );
                }
            }
        });
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
            count in 0usize..4, rows in 0usize..31, width in 0usize..40, taps in 1usize..3
        ) {
            // The pieces of a row lie side by side, beginning with the next row's first.
            let pitch = (rows + taps) * width + 1;
            let places: Vec<u32> = (0..taps * rows)
                .map(|i| ((i % rows + i / rows) * width) as u32)
                .collect();
            let data: Vec<f32> = (0..count * pitch).map(|i| (i * 7 % 11) as f32 - 5.0).collect();
            let k = taps * width;
            let panels: Vec<f32> =
                (0..count * k * PANEL).map(|i| (i * 5 % 13) as f32 - 6.0).collect();
            for kernel in Kernel::ALL.into_iter().filter(|k| k.is_supported()) {
                let mut c = vec![f32::NAN; count * rows * PANEL];
                let panels = if rows == 0 { &[][..] } else { &panels };
                let a = Batch { data: &data, pitch, count, rows, places: &places, width };
                multiply_batch(kernel, a, panels, &mut c);
                for (at, &found) in c.iter().enumerate() {
                    let (row, i, column) =
                        (at / PANEL / count, at / PANEL % count, at % PANEL);
                    let a = &data[i * pitch + row * width..][..k];
                    let terms = a.iter().enumerate().map(|(j, a)| {
                        a * panels[(i * k + j) * PANEL + column]
                    });
                    prop_assert_eq!(found, terms.sum::<f32>());
                }
            }
        }
    }
}
