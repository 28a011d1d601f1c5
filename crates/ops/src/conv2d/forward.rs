//! The output.

use super::places::{Places, WindowRows};
use super::{Filter, Method, NAME, Weight, check, pack, packed_weight_len, winograd, workspace_of};
use crate::{Activation, Window};
use inception_tensor::{
    Accumulate, Bank, Element, Epilogue, Pool, Rows, Shape, View, ViewMut, multiply_rows,
};
use smallvec::SmallVec;

/// Numbers of workspace that [`forward`] needs for these plain weights: room to pack them.
///
/// # Shapes
/// Each `[kh, kw, c_in, c_out]`.
pub fn forward_workspace(method: &Method, weights: impl IntoIterator<Item = Shape>) -> usize {
    let len = |weight| packed_weight_len(method, weight);
    weights.into_iter().map(len).sum()
}

/// `y[i] = activation(conv(x, filters[i]))` for each bank: sibling convolutions that read
/// the same input in one pass over it.
///
/// An output pixel has the same bits whatever else is in the batch, on any number of
/// threads. `x` and each of `y` may be channel slices; a pixel's other channels are not
/// touched.
///
/// # Shapes
/// `x`: `[n, h, w, c_in]`; each bank: weight `[kh, kw, c_in, c_out]`, bias `c_out`, output
/// `[n, oh, ow, c_out]`, as [`super::shape`] says; workspace: at least
/// [`forward_workspace`].
///
/// # Panics
/// When shapes do not fit, there are not as many outputs as banks, or the workspace is too
/// small.
pub fn forward<T: Element>(
    pool: &Pool,
    method: &Method,
    x: View<'_, T>,
    filters: &[Filter<'_, T>],
    activation: Activation,
    y: &mut [ViewMut<'_, T>],
    workspace: &mut [T],
) {
    assert_eq!(filters.len(), y.len(), "{NAME}: an output for each bank");
    for (filter, y) in filters.iter().zip(y.iter()) {
        let weight = filter.weight.shape();
        check(&method.window, x.shape(), weight, y.shape());
        let fits = filter.bias.is_none_or(|bias| bias.len() == weight.c);
        assert!(fits, "{NAME}: the bias of weight {weight} has another size");
    }
    let Some(grid) = y.first().map(|y| [y.shape().h, y.shape().w]) else {
        return;
    };
    let plain = |filter: &Filter<'_, T>| match filter.weight {
        Weight::Plain(weight) => Some(weight.shape()),
        Weight::Packed { .. } => None,
    };
    let needed = forward_workspace(method, filters.iter().filter_map(plain));
    let mut rest = workspace_of(workspace, needed);
    let mut banks: SmallVec<[Bank<'_, T>; 4]> = SmallVec::new();
    for (filter, y) in filters.iter().zip(y) {
        let packed = match filter.weight {
            Weight::Packed { data, .. } => data,
            Weight::Plain(weight) => {
                let len = packed_weight_len(method, weight.shape());
                let (packed, tail) = rest.split_at_mut(len);
                rest = tail;
                pack(pool, method, weight, packed);
                packed
            }
        };
        banks.push(Bank {
            packed,
            accumulate: Accumulate::Replace,
            epilogue: Epilogue {
                bias: filter.bias,
                relu: activation == Activation::Relu,
            },
            c: y.reborrow(),
        });
    }
    let Some(tiling) = method.tiling() else {
        return direct(pool, &method.window, x, grid, &mut banks);
    };
    let [[top, _], [left, _]] = method.window.padding;
    for bank in banks {
        let filtered = winograd::Filtered {
            filter: bank.packed,
            accumulate: bank.accumulate,
            epilogue: bank.epilogue,
        };
        tiling.forward(pool, x, [top, left], filtered, bank.c);
    }
}

/// The products of located rows and packed weights.
fn direct<T: Element>(
    pool: &Pool,
    window: &Window,
    x: View<'_, T>,
    grid: [usize; 2],
    banks: &mut [Bank<'_, T>],
) {
    let places = Places::forward(window, &x, grid);
    let (data, taps, width) = (x.data(), places.taps(), x.shape().c);
    if places.row_is_one_piece() {
        let rows = WindowRows { places, data };
        let taps = window.kernel[0];
        let width = rows.width();
        return multiply_rows(pool, Rows { data, taps, width }, rows, banks);
    }
    let locate = |first: usize, offsets: &mut [u32]| places.locate(first, offsets);
    multiply_rows(pool, Rows { data, taps, width }, locate, banks);
}
