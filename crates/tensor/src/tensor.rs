//! Owned feature maps.

use crate::{Element, Shape, View, ViewMut};
use ndarray::Array4;

/// An owned, dense feature map on `ndarray` storage.
///
/// Conversion from and to `ndarray` in standard layout moves the buffer without a copy.
///
/// # Examples
/// ```
/// use inception_tensor::{Shape, Tensor};
/// use ndarray::Array4;
///
/// let image = Tensor::from(Array4::<f32>::ones((1, 2, 2, 3)));
/// assert_eq!(image.shape(), Shape::new(1, 2, 2, 3));
/// let back: Array4<f32> = image.into();
/// assert_eq!(back.sum(), 12.0);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor<T> {
    array: Array4<T>,
}

impl<T: Element> Tensor<T> {
    /// All zeros.
    pub fn zeros(shape: Shape) -> Self {
        Array4::zeros(shape.array()).into()
    }

    /// The number `f(i)` at place `i` of memory order.
    pub fn from_fn(shape: Shape, f: impl FnMut(usize) -> T) -> Self {
        Self::from_vec(shape, (0..shape.len()).map(f).collect())
    }

    /// Takes `data` in `[n, h, w, c]` order.
    ///
    /// # Panics
    /// When `data.len()` is not `shape.len()`.
    pub fn from_vec(shape: Shape, data: Vec<T>) -> Self {
        assert_eq!(data.len(), shape.len(), "tensor of {shape}");
        let array = Array4::from_shape_vec(shape.array(), data).expect("the length was checked");
        Self { array }
    }

    /// The shape.
    pub fn shape(&self) -> Shape {
        let (n, h, w, c) = self.array.dim();
        Shape::new(n, h, w, c)
    }

    /// The numbers in `[n, h, w, c]` order.
    pub fn data(&self) -> &[T] {
        self.array.as_slice().expect("tensors are dense")
    }

    /// The numbers in `[n, h, w, c]` order, to write.
    pub fn data_mut(&mut self) -> &mut [T] {
        self.array.as_slice_mut().expect("tensors are dense")
    }

    /// The numbers in `[n, h, w, c]` order.
    pub fn into_vec(self) -> Vec<T> {
        self.array.into_raw_vec_and_offset().0
    }

    /// A view to read.
    pub fn view(&self) -> View<'_, T> {
        View::new(self.data(), self.shape())
    }

    /// A view to write.
    pub fn view_mut(&mut self) -> ViewMut<'_, T> {
        let shape = self.shape();
        ViewMut::new(self.data_mut(), shape)
    }

    /// The numbers converted to another element type, each to the nearest value.
    pub fn cast<U: Element>(&self) -> Tensor<U> {
        let data = self.data().iter().map(|x| U::of(x.f64())).collect();
        Tensor::from_vec(self.shape(), data)
    }
}

impl<T: Element> From<Array4<T>> for Tensor<T> {
    /// Takes the buffer as it is when it is in standard layout, else copies it into that.
    fn from(array: Array4<T>) -> Self {
        let (n, h, w, c) = array.dim();
        let shape = Shape::new(n, h, w, c);
        if array.is_standard_layout() {
            let (data, offset) = array.into_raw_vec_and_offset();
            if offset.unwrap_or(0) == 0 && data.len() == shape.len() {
                return Self::from_vec(shape, data);
            }
            let start = offset.unwrap_or(0);
            return Self::from_vec(shape, data[start..start + shape.len()].to_vec());
        }
        Self::from_vec(shape, array.iter().copied().collect())
    }
}

impl<T> From<Tensor<T>> for Array4<T> {
    fn from(tensor: Tensor<T>) -> Self {
        tensor.array
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ndarray_in_and_out_keeps_the_buffer() {
        let array = Array4::<f32>::zeros((2, 3, 4, 5));
        let address = array.as_ptr();
        let tensor = Tensor::from(array);
        assert_eq!(tensor.data().as_ptr(), address);
        assert_eq!(Array4::from(tensor).as_ptr(), address);
    }

    #[test]
    fn other_layouts_are_brought_into_channels_last() {
        let array =
            Array4::from_shape_fn((1, 2, 2, 3), |(_, y, x, c)| (y * 100 + x * 10 + c) as f64);
        let nchw = array.clone().permuted_axes([0, 3, 1, 2]);
        let tensor = Tensor::from(nchw.permuted_axes([0, 2, 3, 1]));
        assert_eq!(tensor, Tensor::from(array.clone()));
        let sliced = array.slice_move(ndarray::s![.., 1.., .., ..]);
        assert_eq!(Tensor::from(sliced).data()[0], 100.0);
    }
}
