//! Inverted dropout.
use crate::OpError;
use inception_tensor::{Element, Pool, Stream, View, ViewMut};

/// Checks `0 ≤ rate < 1`.
pub fn check(rate: f64) -> Result<(), OpError> {
    let _ = rate;
    todo!()
}
/// `y = x·mask/(1 − rate)`, where number `i` of the map (in `[n, h, w, c]` order) is kept
/// when `stream.uniform_at(i) >= rate`. The backward pass is the same function of `dy`.
pub fn apply<T: Element>(
    pool: &Pool,
    rate: f64,
    stream: &Stream,
    x: View<'_, T>,
    y: ViewMut<'_, T>,
) {
    let _ = (pool, rate, stream, x, y);
    todo!()
}
