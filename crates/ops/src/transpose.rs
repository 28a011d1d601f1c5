//! Transposition.

use crate::parts::rows;
use inception_tensor::{Element, View};

/// Rows that are transposed together: one cache line of `f32` in the result.
pub(crate) const STRIP: usize = 16;

/// `out[k·stride + i] = matrix[i, k]`.
pub(crate) fn transpose<T: Element>(matrix: View<'_, T>, out: &mut [T], stride: usize) {
    let total = matrix.shape().rows();
    for first in (0..total).step_by(STRIP) {
        let strip = rows(matrix, first, STRIP.min(total - first));
        transpose_strip(strip, &mut out[first..], stride);
    }
}

/// The same for at most [`STRIP`] rows.
pub(crate) fn transpose_strip<T: Element>(strip: View<'_, T>, out: &mut [T], stride: usize) {
    let lines = out.chunks_mut(stride).take(strip.shape().c).enumerate();
    if strip.shape().rows() < STRIP {
        for (k, line) in lines {
            for (i, out) in line[..strip.shape().rows()].iter_mut().enumerate() {
                *out = strip.data()[i * strip.stride() + k];
            }
        }
        return;
    }
    // All rows have the same length, which the compiler sees: no check is left in the loop.
    let rows: [&[T]; STRIP] = std::array::from_fn(|i| strip.row(i));
    for (k, line) in lines {
        let line = line.first_chunk_mut::<STRIP>().expect("a whole strip");
        for (out, row) in line.iter_mut().zip(rows) {
            *out = row[k];
        }
    }
}
