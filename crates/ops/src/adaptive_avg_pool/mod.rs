//! Average over windows that divide the input evenly; an output of 1×1 is the global average.
use crate::OpError;
use inception_tensor::{Element, Pool, Shape, View, ViewMut};

/// Shape of the output.
pub fn shape(output: [usize; 2], x: Shape) -> Result<Shape, OpError> {
    let _ = (output, x);
    todo!()
}
/// `y`; the shapes tell the windows.
pub fn forward<T: Element>(pool: &Pool, x: View<'_, T>, y: ViewMut<'_, T>) {
    let _ = (pool, x, y);
    todo!()
}
/// `dx`.
pub fn backward<T: Element>(pool: &Pool, dy: View<'_, T>, dx: ViewMut<'_, T>) {
    let _ = (pool, dy, dx);
    todo!()
}
