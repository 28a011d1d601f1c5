//! Local response normalisation across channels (Krizhevsky 2012).
use crate::OpError;
use inception_tensor::{Element, Pool, View, ViewMut};

/// Whether α is divided by the size of the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AlphaScale {
    /// α/size: Caffe, PyTorch, ONNX.
    BySize,
    /// α as it is: TensorFlow.
    Plain,
}
/// Constants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lrn {
    /// Channels in the window.
    pub size: usize,
    /// α.
    pub alpha: f64,
    /// β.
    pub beta: f64,
    /// k.
    pub k: f64,
    /// What α is divided by.
    pub alpha_scale: AlphaScale,
}
impl Default for Lrn {
    fn default() -> Self {
        Self {
            size: 5,
            alpha: 1e-4,
            beta: 0.75,
            k: 1.0,
            alpha_scale: AlphaScale::BySize,
        }
    }
}
impl Lrn {
    /// Checks the constants.
    pub fn check(&self) -> Result<(), OpError> {
        todo!()
    }
}
/// `y`.
pub fn forward<T: Element>(pool: &Pool, lrn: &Lrn, x: View<'_, T>, y: ViewMut<'_, T>) {
    let _ = (pool, lrn, x, y);
    todo!()
}
/// `dx` from `x` and `dy`; the denominators are computed again.
pub fn backward<T: Element>(
    pool: &Pool,
    lrn: &Lrn,
    x: View<'_, T>,
    dy: View<'_, T>,
    dx: ViewMut<'_, T>,
) {
    let _ = (pool, lrn, x, dy, dx);
    todo!()
}
