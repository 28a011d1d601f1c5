//! Rectified linear unit.
use inception_tensor::{Element, Pool, View, ViewMut};

/// `y = max(x, 0)`.
pub fn forward<T: Element>(pool: &Pool, x: View<'_, T>, y: ViewMut<'_, T>) {
    let _ = (pool, x, y);
    todo!()
}
/// `y = max(y, 0)`.
pub fn forward_in_place<T: Element>(pool: &Pool, y: ViewMut<'_, T>) {
    let _ = (pool, y);
    todo!()
}
/// `dx = dy where y > 0, else 0`, from the output alone.
pub fn backward<T: Element>(pool: &Pool, y: View<'_, T>, dy: View<'_, T>, dx: ViewMut<'_, T>) {
    let _ = (pool, y, dy, dx);
    todo!()
}
/// The same where `d` holds `dy` and receives `dx`.
pub fn backward_in_place<T: Element>(pool: &Pool, y: View<'_, T>, d: ViewMut<'_, T>) {
    let _ = (pool, y, d);
    todo!()
}
