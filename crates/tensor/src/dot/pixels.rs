//! Operands of products that sum over pixels: the gradient of a weight.

#[cfg(target_arch = "x86_64")]
use crate::kernel::avx512::Avx512;
#[cfg(target_arch = "x86_64")]
use crate::kernel::transpose::{COLUMNS, ROWS};
use crate::kernel::{Kernel, PANEL, Vectorize};
use crate::{Bf16, Element, PADDING};

/// Writes pixels as columns: `columns[c·pitch + k] = data[offsets[k] + first + c]`, and zero
/// where an offset is [`PADDING`], for as many channels `c` as `columns` has multiples of
/// `pitch`.
///
/// # Panics
/// When an offset leads outside of `data`, or there are more than `pitch`.
pub fn transpose_pixels(
    kernel: Kernel,
    data: &[Bf16],
    offsets: &[u32],
    first: usize,
    pitch: usize,
    columns: &mut [Bf16],
) {
    let count = columns.len() / pitch.max(1);
    assert!(offsets.len() <= pitch, "more pixels than a column has");
    let inside = |&o: &u32| o == PADDING || o as usize + first + count <= data.len();
    assert!(offsets.iter().all(inside), "a pixel lies outside the data");
    let (channel, done) = turn_squares(kernel, data, offsets, first, pitch, columns);
    for c in 0..count {
        let start = if c < channel { done } else { 0 };
        let column = &mut columns[c * pitch..][start..offsets.len()];
        for (number, &offset) in column.iter_mut().zip(&offsets[start..]) {
            *number = match offset {
                PADDING => Bf16::default(),
                offset => data[offset as usize + first + c],
            };
        }
    }
}

/// Turns what whole squares of numbers hold, and tells how many channels and pixels those are.
#[cfg(target_arch = "x86_64")]
fn turn_squares(
    kernel: Kernel,
    data: &[Bf16],
    offsets: &[u32],
    first: usize,
    pitch: usize,
    columns: &mut [Bf16],
) -> (usize, usize) {
    let proof = match kernel.vectors() {
        Kernel::Avx512 => Avx512::new(),
        _ => None,
    };
    let Some(avx512) = proof else {
        return (0, 0);
    };
    let channels = columns.len() / pitch.max(1) / COLUMNS * COLUMNS;
    let squares = offsets.chunks_exact(ROWS);
    let pixels = squares.len() * ROWS;
    for (i, offsets) in squares.enumerate() {
        for c in (0..channels).step_by(COLUMNS) {
            let rows = std::array::from_fn(|row| match offsets[row] {
                PADDING => std::ptr::null(),
                offset => data[offset as usize + first + c..].as_ptr().cast(),
            });
            let out = &mut columns[c * pitch + i * ROWS..];
            // SAFETY: `transpose_pixels` found the channels of each pixel in the data, 16 of
            // which begin at `c`; as many columns have 32 numbers from here on, the last one
            // as well, since there are at most `pitch` pixels.
            unsafe { avx512.transpose(&rows, out.as_mut_ptr().cast(), pitch) };
        }
    }
    (channels, pixels)
}

/// Nothing: there are no squares.
#[cfg(not(target_arch = "x86_64"))]
fn turn_squares(
    _: Kernel,
    _: &[Bf16],
    _: &[u32],
    _: usize,
    _: usize,
    _: &mut [Bf16],
) -> (usize, usize) {
    (0, 0)
}

/// Rounds and packs pixels as the right operand of [`dot_rows`](super::dot_rows) whose rows are
/// pixels: a part of a panel, a pair of pixels a line of [`PANEL`] words, one for each of
/// `channels`. An offset that is [`PADDING`] is a pixel of zeros.
///
/// # Panics
/// When an offset leads outside of `data`, or `words` are not [`PANEL`] for each pair.
pub fn pack_pixels<T: Element>(
    kernel: Kernel,
    data: &[T],
    offsets: &[u32],
    channels: std::ops::Range<usize>,
    words: &mut [u32],
) {
    assert!(offsets.len().is_multiple_of(2) && channels.len() <= PANEL);
    assert_eq!(words.len(), offsets.len() / 2 * PANEL, "words of pixels");
    kernel.vectorize(Pairs {
        data,
        offsets,
        channels,
        words,
    });
}

struct Pairs<'a, T> {
    data: &'a [T],
    offsets: &'a [u32],
    channels: std::ops::Range<usize>,
    words: &'a mut [u32],
}

impl<T: Element> Vectorize for Pairs<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let lines = self.words.chunks_exact_mut(PANEL);
        for (line, pair) in lines.zip(self.offsets.chunks_exact(2)) {
            let [first, second] = [pair[0], pair[1]].map(|offset| match offset {
                PADDING => None,
                offset => Some(&self.data[offset as usize..][self.channels.clone()]),
            });
            let bits = |x: T| u32::from(Bf16::from_f32(x.f64() as f32).to_bits());
            line.fill(0);
            if let Some(first) = first {
                for (word, &x) in line.iter_mut().zip(first) {
                    *word = bits(x);
                }
            }
            if let Some(second) = second {
                for (word, &x) in line.iter_mut().zip(second) {
                    *word |= bits(x) << 16;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_become_columns_whatever_their_number_and_the_kernel() {
        let data: Vec<Bf16> = (0..4000).map(Bf16::from_bits).collect();
        for (pixels, channels, pitch) in [(32, 16, 32), (70, 35, 71), (5, 3, 5), (96, 48, 100)] {
            let offsets: Vec<u32> = (0..pixels)
                .map(|k| if k % 7 == 3 { PADDING } else { (k * 37) as u32 })
                .collect();
            for kernel in Kernel::ALL.into_iter().filter(|k| k.is_supported()) {
                let mut columns = vec![Bf16::from_bits(9); channels * pitch];
                transpose_pixels(kernel, &data, &offsets, 2, pitch, &mut columns);
                for (at, found) in columns.iter().enumerate() {
                    let (c, k) = (at / pitch, at % pitch);
                    let expected = match offsets.get(k) {
                        None => Bf16::from_bits(9),
                        Some(&PADDING) => Bf16::default(),
                        Some(&offset) => data[offset as usize + 2 + c],
                    };
                    assert_eq!(*found, expected, "{kernel:?}: channel {c} of pixel {k}");
                }
            }
        }
    }
}
