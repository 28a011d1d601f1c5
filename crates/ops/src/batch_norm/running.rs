//! What a trained normalisation becomes: running statistics, and nothing at all.

use super::Norm;
use inception_tensor::{Element, View, ViewMut};

/// Running statistics after a batch: `r += momentum·(batch − r)`, the variance with divisor
/// N − 1, as PyTorch.
///
/// # Shapes
/// `batch` and `running` are mean and variance before, `mean` and `var` receive them after;
/// all have as many numbers. `batch`'s variance has divisor `count`, the number of values
/// per channel.
///
/// # Panics
/// When the lengths differ or `count < 2`.
pub fn update_running<T: Element>(
    momentum: f64,
    count: usize,
    batch: (&[T], &[T]),
    running: (&[T], &[T]),
    mean: &mut [T],
    var: &mut [T],
) {
    assert!(count > 1, "batch_norm: no variance from {count} values");
    let unbiased = count as f64 / (count - 1) as f64;
    blend(momentum, 1.0, batch.0, running.0, mean);
    blend(momentum, unbiased, batch.1, running.1, var);
}

/// `to = old + momentum·(factor·new − old)`.
fn blend<T: Element>(momentum: f64, factor: f64, new: &[T], old: &[T], to: &mut [T]) {
    assert_eq!(new.len(), to.len(), "batch_norm: statistics of the batch");
    assert_eq!(old.len(), to.len(), "batch_norm: running statistics");
    for ((to, new), old) in to.iter_mut().zip(new).zip(old) {
        *to = T::of(old.f64() + momentum * (factor * new.f64() - old.f64()));
    }
}

/// Folds a normalisation into the convolution before it: `w' = w·s`, `b' = (b − mean)·s + β`
/// with `s = γ/√(var + eps)`.
///
/// # Shapes
/// `weight` and `folded_weight` are `[kh, kw, c_in, c_out]`; `bias`, `folded_bias` and the
/// vectors of `norm` have `c_out` numbers.
///
/// # Panics
/// When they do not.
///
/// # Sources
/// Szegedy et al., "Rethinking the Inception architecture", 2016, do so for deployment;
/// PyTorch `fuse_conv_bn_weights`.
pub fn fold<T: Element>(
    norm: &Norm<'_, T>,
    weight: View<'_, T>,
    bias: Option<&[T]>,
    mut folded_weight: ViewMut<'_, T>,
    folded_bias: &mut [T],
) {
    let shape = weight.shape();
    assert_eq!(shape, folded_weight.shape(), "batch_norm: folded weights");
    assert_eq!(shape.c, folded_bias.len(), "batch_norm: folded bias");
    norm.assert_channels(shape.c);
    if let Some(bias) = bias {
        assert_eq!(shape.c, bias.len(), "batch_norm: bias to fold");
    }
    for row in 0..shape.rows() {
        let (from, to) = (weight.row(row), folded_weight.row_mut(row));
        for (c, (to, from)) in to.iter_mut().zip(from).enumerate() {
            *to = T::of(from.f64() * norm.scale(c));
        }
    }
    for (c, folded) in folded_bias.iter_mut().enumerate() {
        let bias = bias.map_or(0.0, |bias| bias[c].f64());
        let centred = bias - norm.mean[c].f64();
        *folded = T::of(centred * norm.scale(c) + norm.shift(c).f64());
    }
}
