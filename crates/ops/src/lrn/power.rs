//! `s^−β`, by square roots where β allows it.

use inception_tensor::Element;

/// `powers[i] = bases[i]^−beta`.
///
/// β = 0.75 is `1/(√s·√√s)` and β = 0.5 is `1/√s`: within 3 units in the last place, and
/// in vectors, where a general power is a call for each number.
#[inline(always)]
pub(super) fn inverse_power<T: Element>(beta: f64, bases: &[T], powers: &mut [T]) {
    let pairs = powers.iter_mut().zip(bases);
    if beta == 0.75 {
        pairs.for_each(|(p, &s)| {
            let root = s.sqrt();
            *p = (root * root.sqrt()).recip();
        });
    } else if beta == 0.5 {
        pairs.for_each(|(p, &s)| *p = s.sqrt().recip());
    } else {
        let exponent = T::of(-beta);
        pairs.for_each(|(p, &s)| *p = s.powf(exponent));
    }
}
