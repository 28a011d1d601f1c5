//! Channels of several maps side by side, and apart again.
use crate::OpError;
use inception_tensor::{Element, Pool, Shape, View, ViewMut};

/// Shape of the concatenation of `xs` along channels.
pub fn shape(xs: &[Shape]) -> Result<Shape, OpError> {
    let _ = xs;
    todo!()
}
/// Copies `x` into `y`, pixel by pixel; either may be a channel slice.
pub fn copy<T: Element>(pool: &Pool, x: View<'_, T>, y: ViewMut<'_, T>) {
    let _ = (pool, x, y);
    todo!()
}
