//! Average over a window.
use crate::{OpError, PadCount, Window};
use inception_tensor::{Element, Pool, Shape, View, ViewMut};

/// Shape of the output.
pub fn shape(window: &Window, x: Shape) -> Result<Shape, OpError> {
    let _ = (window, x);
    todo!()
}
/// `y`.
pub fn forward<T: Element>(
    pool: &Pool,
    window: &Window,
    count: PadCount,
    x: View<'_, T>,
    y: ViewMut<'_, T>,
) {
    let _ = (pool, window, count, x, y);
    todo!()
}
/// `dx`.
pub fn backward<T: Element>(
    pool: &Pool,
    window: &Window,
    count: PadCount,
    dy: View<'_, T>,
    dx: ViewMut<'_, T>,
) {
    let _ = (pool, window, count, dy, dx);
    todo!()
}
