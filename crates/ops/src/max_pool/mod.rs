//! Maximum over a window. Padding never wins; a NaN in the window does, as in PyTorch.
//!
//! # Sources
//! PyTorch `MaxPool2d`: its rule for NaN and for ties in `cpu_max_pool`.
use crate::pooling::{self, Axis};
use crate::{OpError, Window};
use inception_tensor::Shape;

mod backward;
mod forward;
pub mod reference;
pub(crate) mod walk;

pub use backward::backward;
pub use forward::forward;

/// The most pixels of a window: a winner is one byte.
const MAX_PIXELS: usize = 256;

/// Shape of the output.
///
/// # Shapes
/// `x` is `[n, h, w, c]`, the output `[n, oh, ow, c]` with `oh` and `ow` from
/// [`Window::output`].
///
/// # Errors
/// When the window does not fit, has more than 256 pixels or padding of more than half of
/// what it spans, or covers padding alone somewhere.
///
/// # Examples
/// ```
/// use inception_ops::{Window, max_pool};
/// use inception_tensor::Shape;
///
/// let window = Window::square(3).stride(2).ceil();
/// let y = max_pool::shape(&window, Shape::new(1, 112, 112, 64)).unwrap();
/// assert_eq!(y, Shape::new(1, 56, 56, 64));
/// ```
pub fn shape(window: &Window, x: Shape) -> Result<Shape, OpError> {
    let [rows, columns] = window.kernel;
    if rows.saturating_mul(columns) > MAX_PIXELS {
        return Err(OpError::Setting {
            op: "max_pool",
            detail: format!("a window has at most {MAX_PIXELS} pixels, found {rows}×{columns}"),
        });
    }
    pooling::shape("max_pool", window, x)
}

/// A window's rows and columns over one input.
#[derive(Clone, Copy)]
struct Grid {
    rows: Axis,
    columns: Axis,
}

impl Grid {
    /// The windows over `x` whose maxima are `y`.
    fn new(window: &Window, x: Shape, y: Shape) -> Self {
        pooling::assert_shapes("max_pool", window, x, y);
        Self {
            rows: Axis::new(window, 0, x),
            columns: Axis::new(window, 1, x),
        }
    }
}
