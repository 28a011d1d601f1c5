//! The output.

use super::patches::Lowered;
use super::{Filter, NAME, check};
use crate::parts::{Outputs, Part, for_each_part, rows};
use crate::{Activation, Window};
use inception_tensor::{Accumulate, Element, Epilogue, Operand, Pool, View, ViewMut, gemm};
use std::ops::Range;

/// `y[i] = activation(conv(x, filters[i]))` for each bank: sibling convolutions that read
/// the same input in one pass over it.
///
/// An output pixel has the same bits whatever else is in the batch, on any number of
/// threads. `x` and each of `y` may be channel slices; a pixel's other channels are not
/// touched.
///
/// # Shapes
/// `x`: `[n, h, w, c_in]`; each bank: weight `[kh, kw, c_in, c_out]`, bias `c_out`, output
/// `[n, oh, ow, c_out]`, as [`super::shape`] says.
///
/// # Panics
/// When shapes do not fit, or there are not as many outputs as banks.
///
/// # Sources
/// Chellapilla, Puri and Simard 2006, *High Performance Convolutional Neural Networks for
/// Document Processing*.
pub fn forward<T: Element>(
    pool: &Pool,
    window: &Window,
    x: View<'_, T>,
    filters: &[Filter<'_, T>],
    activation: Activation,
    y: &mut [ViewMut<'_, T>],
) {
    assert_eq!(filters.len(), y.len(), "{NAME}: an output for each bank");
    for (filter, y) in filters.iter().zip(y.iter()) {
        let weight = filter.weight.shape();
        check(window, x.shape(), weight, y.shape());
        let fits = filter.bias.is_none_or(|bias| bias.len() == weight.c);
        assert!(fits, "{NAME}: the bias of weight {weight} has another size");
    }
    let Some(grid) = y.first().map(|y| [y.shape().h, y.shape().w]) else {
        return;
    };
    let lowered = Lowered::new(window, x, grid);
    let outputs: Outputs<'_, T> = y.iter_mut().map(ViewMut::reborrow).collect();
    for_each_part(pool, outputs, lowered.tile(), |pixels, parts, scratch| {
        multiply(&lowered, filters, activation, &pixels, parts, scratch);
    });
}

/// Computes the parts of a tile, each block of patches gathered once for all of them.
fn multiply<T: Element>(
    lowered: &Lowered<'_, T>,
    filters: &[Filter<'_, T>],
    activation: Activation,
    pixels: &Range<usize>,
    parts: &mut [Part<'_, T>],
    scratch: &mut [T],
) {
    for depth in lowered.depths() {
        let left = lowered.transposed(pixels, &depth, scratch);
        for Part { bank, column, out } in parts.iter_mut() {
            let (filter, height, width) = (&filters[*bank], out.shape().n, out.shape().c);
            let right = rows(filter.weight, depth.start, depth.len()).channels(*column, width);
            let accumulate = match depth.start {
                0 => Accumulate::Replace,
                _ => Accumulate::Add,
            };
            let epilogue = if depth.end == lowered.depth() {
                Epilogue {
                    bias: filter.bias.map(|bias| &bias[*column..*column + width]),
                    relu: activation == Activation::Relu,
                }
            } else {
                Epilogue::NONE
            };
            gemm(
                Operand::Transposed(left.channels(0, height)),
                Operand::Plain(right),
                accumulate,
                epilogue,
                out.reborrow(),
            );
        }
    }
}
