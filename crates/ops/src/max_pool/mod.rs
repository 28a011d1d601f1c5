//! Maximum over a window. Padding never wins; a NaN in the window does, as in PyTorch.
use crate::{OpError, Window};
use inception_tensor::{Element, Pool, Shape, View, ViewMut};

/// Shape of the output.
pub fn shape(window: &Window, x: Shape) -> Result<Shape, OpError> {
    let _ = (window, x);
    todo!()
}
/// `y` and, where asked for, which pixel of its window won (`ky·kw + kx`, the first of
/// equals), one byte an output number, dense.
pub fn forward<T: Element>(
    pool: &Pool,
    window: &Window,
    x: View<'_, T>,
    y: ViewMut<'_, T>,
    winners: Option<&mut [u8]>,
) {
    let _ = (pool, window, x, y, winners);
    todo!()
}
/// `dx`: each gradient goes to the pixel that won.
pub fn backward<T: Element>(
    pool: &Pool,
    window: &Window,
    dy: View<'_, T>,
    winners: &[u8],
    dx: ViewMut<'_, T>,
) {
    let _ = (pool, window, dy, winners, dx);
    todo!()
}
