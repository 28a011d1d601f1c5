//! Channels of several maps side by side, and apart again.
use crate::OpError;
use crate::tile::for_each_run;
use inception_tensor::{Element, Pool, Shape, View, ViewMut};

/// Shape of the concatenation of `xs` along channels.
///
/// # Shapes
/// `xs[i]` is `[n, h, w, c_i]`, the result `[n, h, w, Σ c_i]`.
///
/// # Errors
/// When there is no operand, or two differ in images, rows or columns.
///
/// # Examples
/// ```
/// use inception_ops::concat;
/// use inception_tensor::Shape;
///
/// let branches = [64, 128, 32, 32].map(|c| Shape::new(1, 28, 28, c));
/// assert_eq!(concat::shape(&branches).unwrap(), Shape::new(1, 28, 28, 256));
/// ```
pub fn shape(xs: &[Shape]) -> Result<Shape, OpError> {
    let fail = |detail| OpError::Shape {
        op: "concat",
        detail,
    };
    let Some(&first) = xs.first() else {
        return Err(fail("needs at least one operand".to_owned()));
    };
    if let Some((i, x)) = xs
        .iter()
        .enumerate()
        .find(|(_, x)| x.with_channels(first.c) != first)
    {
        return Err(fail(format!(
            "operand {i} is {x}, expected images, rows and columns of operand 0, {first}"
        )));
    }
    Ok(first.with_channels(xs.iter().map(|x| x.c).sum()))
}

/// Copies `x` into `y`, pixel by pixel; either may be a channel slice.
///
/// A concatenation copies each operand into its slice of the output; its backward pass
/// copies each slice of the gradient out.
///
/// # Shapes
/// `x` and `y` have as many pixels and channels.
///
/// # Panics
/// When they do not.
///
/// # Examples
/// ```
/// use inception_ops::concat;
/// use inception_tensor::{Pool, Shape, Tensor};
///
/// let x = Tensor::from_vec(Shape::new(1, 1, 2, 1), vec![1.0f32, 2.0]);
/// let mut y = Tensor::zeros(Shape::new(1, 1, 2, 3));
/// concat::copy(&Pool::serial(), x.view(), y.view_mut().channels(1, 1));
/// assert_eq!(y.data(), [0.0, 1.0, 0.0, 0.0, 2.0, 0.0]);
/// ```
pub fn copy<T: Element>(pool: &Pool, x: View<'_, T>, y: ViewMut<'_, T>) {
    for_each_run(pool, "concat", [x], y, |_, [x], y| y.copy_from_slice(x));
}
