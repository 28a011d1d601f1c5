//! Borrowed feature maps: a shape, a slice and the distance between pixels.

use crate::{Element, Shape};
use ndarray::{ArrayView4, ArrayViewMut4, ShapeBuilder};

/// A feature map to read: pixel `p` occupies `data[p·stride .. p·stride + c]`.
///
/// As a matrix it has [`Shape::rows`] rows of `c` columns with leading dimension `stride`.
/// A `stride` above `c` makes it a channel slice of a wider map.
#[derive(Clone, Copy, Debug)]
pub struct View<'a, T> {
    data: &'a [T],
    shape: Shape,
    stride: usize,
}

/// A feature map to write; see [`View`].
#[derive(Debug)]
pub struct ViewMut<'a, T> {
    data: &'a mut [T],
    shape: Shape,
    stride: usize,
}

/// How many numbers of a slice a map of `shape` at `stride` spans.
fn span(shape: Shape, stride: usize) -> usize {
    match shape.rows() {
        0 => 0,
        rows => (rows - 1) * stride + shape.c,
    }
}

/// Checks a view's parts against each other and returns the span.
fn checked_span(len: usize, shape: Shape, stride: usize) -> usize {
    let span = span(shape, stride);
    assert!(
        stride >= shape.c && len >= span,
        "a view of {shape} at pixel stride {stride} needs {span} numbers, found {len}"
    );
    span
}

impl<'a, T> View<'a, T> {
    /// A view of dense data: `data.len()` must be `shape.len()`.
    ///
    /// # Panics
    /// When it is not.
    pub fn new(data: &'a [T], shape: Shape) -> Self {
        assert_eq!(data.len(), shape.len(), "dense view of {shape}");
        Self::strided(data, shape, shape.c)
    }

    /// A view whose pixels start `stride` numbers apart; numbers of `data` beyond the last
    /// pixel are ignored.
    ///
    /// # Panics
    /// When `stride < c` or `data` is too short.
    pub fn strided(data: &'a [T], shape: Shape, stride: usize) -> Self {
        let span = checked_span(data.len(), shape, stride);
        Self {
            data: &data[..span],
            shape,
            stride,
        }
    }

    /// A vector of `data.len()` channels.
    pub fn vector(data: &'a [T]) -> Self {
        Self::new(data, Shape::vector(data.len()))
    }

    /// The shape.
    #[inline]
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The distance between the starts of neighbouring pixels.
    #[inline]
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Whether pixels follow each other without a gap.
    #[inline]
    pub fn is_dense(&self) -> bool {
        self.stride == self.shape.c
    }

    /// The numbers from the first pixel to the last, gaps included.
    #[inline]
    pub fn data(&self) -> &'a [T] {
        self.data
    }

    /// All numbers of a dense view.
    ///
    /// # Panics
    /// When the view is a channel slice.
    pub fn dense(&self) -> &'a [T] {
        assert!(self.is_dense(), "{} is a channel slice", self.shape);
        self.data
    }

    /// The channels of pixel `p`, counted over all images.
    #[inline]
    pub fn row(&self, p: usize) -> &'a [T] {
        &self.data[p * self.stride..][..self.shape.c]
    }

    /// The channels of one pixel.
    #[inline]
    pub fn pixel(&self, n: usize, y: usize, x: usize) -> &'a [T] {
        self.row((n * self.shape.h + y) * self.shape.w + x)
    }

    /// Channels `start .. start + len` of every pixel, without a copy.
    ///
    /// # Panics
    /// When they go beyond `c`.
    pub fn channels(&self, start: usize, len: usize) -> Self {
        assert!(start + len <= self.shape.c, "channel slice out of range");
        let data = if self.data.is_empty() {
            self.data
        } else {
            &self.data[start..]
        };
        Self::strided(data, self.shape.with_channels(len), self.stride)
    }

    /// Images `start .. start + len`, without a copy.
    ///
    /// # Panics
    /// When they go beyond `n`.
    pub fn images(&self, start: usize, len: usize) -> Self {
        assert!(start + len <= self.shape.n, "image slice out of range");
        let shape = Shape {
            n: len,
            ..self.shape
        };
        let first = start * self.shape.h * self.shape.w * self.stride;
        let data = self.data.get(first..).unwrap_or(&[]);
        Self::strided(data, shape, self.stride)
    }

    /// The same pixels under another shape of as many rows and channels; of a dense view,
    /// of as many numbers.
    ///
    /// # Panics
    /// When the counts do not match.
    pub fn reshaped(&self, shape: Shape) -> Self {
        if self.is_dense() {
            return Self::new(self.data, shape);
        }
        assert!(
            shape.rows() == self.shape.rows() && shape.c == self.shape.c,
            "cannot view {} as {shape}",
            self.shape
        );
        Self { shape, ..*self }
    }
}

impl<'a, T: Element> View<'a, T> {
    /// The same numbers as an `ndarray` view of `[n, h, w, c]`.
    pub fn array(&self) -> ArrayView4<'a, T> {
        let s = self.shape;
        let strides = [s.h * s.w * self.stride, s.w * self.stride, self.stride, 1];
        ArrayView4::from_shape(s.array().strides(strides), self.data)
            .expect("a view's shape and stride fit its data")
    }
}

impl<'a, T> ViewMut<'a, T> {
    /// A view of dense data; see [`View::new`].
    ///
    /// # Panics
    /// When `data.len()` is not `shape.len()`.
    pub fn new(data: &'a mut [T], shape: Shape) -> Self {
        assert_eq!(data.len(), shape.len(), "dense view of {shape}");
        Self::strided(data, shape, shape.c)
    }

    /// A view whose pixels start `stride` numbers apart; see [`View::strided`].
    ///
    /// # Panics
    /// When `stride < c` or `data` is too short.
    pub fn strided(data: &'a mut [T], shape: Shape, stride: usize) -> Self {
        let span = checked_span(data.len(), shape, stride);
        Self {
            data: &mut data[..span],
            shape,
            stride,
        }
    }

    /// A vector of `data.len()` channels.
    pub fn vector(data: &'a mut [T]) -> Self {
        let shape = Shape::vector(data.len());
        Self::new(data, shape)
    }

    /// The shape.
    #[inline]
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The distance between the starts of neighbouring pixels.
    #[inline]
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Whether pixels follow each other without a gap.
    #[inline]
    pub fn is_dense(&self) -> bool {
        self.stride == self.shape.c
    }

    /// A view to read.
    pub fn as_view(&self) -> View<'_, T> {
        View {
            data: self.data,
            shape: self.shape,
            stride: self.stride,
        }
    }

    /// The same view for a shorter time.
    pub fn reborrow(&mut self) -> ViewMut<'_, T> {
        ViewMut {
            data: self.data,
            shape: self.shape,
            stride: self.stride,
        }
    }

    /// The numbers from the first pixel to the last, gaps included.
    #[inline]
    pub fn data_mut(&mut self) -> &mut [T] {
        self.data
    }

    /// The numbers from the first pixel to the last, for as long as the view was borrowed.
    pub fn into_data(self) -> &'a mut [T] {
        self.data
    }

    /// All numbers of a dense view.
    ///
    /// # Panics
    /// When the view is a channel slice.
    pub fn dense_mut(&mut self) -> &mut [T] {
        assert!(self.is_dense(), "{} is a channel slice", self.shape);
        self.data
    }

    /// The channels of pixel `p`, counted over all images.
    #[inline]
    pub fn row(&self, p: usize) -> &[T] {
        &self.data[p * self.stride..][..self.shape.c]
    }

    /// The channels of pixel `p`, to write.
    #[inline]
    pub fn row_mut(&mut self, p: usize) -> &mut [T] {
        &mut self.data[p * self.stride..][..self.shape.c]
    }

    /// Channels `start .. start + len` of every pixel, without a copy.
    ///
    /// # Panics
    /// When they go beyond `c`.
    pub fn channels(self, start: usize, len: usize) -> Self {
        assert!(start + len <= self.shape.c, "channel slice out of range");
        let data = if self.data.is_empty() {
            self.data
        } else {
            &mut self.data[start..]
        };
        Self::strided(data, self.shape.with_channels(len), self.stride)
    }

    /// The same pixels under another shape; see [`View::reshaped`].
    ///
    /// # Panics
    /// When the counts do not match.
    pub fn reshaped(self, shape: Shape) -> Self {
        if self.is_dense() {
            return Self::new(self.data, shape);
        }
        assert!(
            shape.rows() == self.shape.rows() && shape.c == self.shape.c,
            "cannot view {} as {shape}",
            self.shape
        );
        Self { shape, ..self }
    }

    /// Splits off the first `rows` pixels, both parts as `[rows, 1, 1, c]`.
    ///
    /// # Panics
    /// When there are fewer than `rows` pixels.
    pub fn split_rows(self, rows: usize) -> (Self, Self) {
        let total = self.shape.rows();
        assert!(rows <= total, "cannot split {rows} rows of {total}");
        let at = (rows * self.stride).min(self.data.len());
        let (head, tail) = self.data.split_at_mut(at);
        let part = |data, n| Self::strided(data, Shape::matrix(n, self.shape.c), self.stride);
        (part(head, rows), part(tail, total - rows))
    }

    /// Pixels `start .. start + len` as `[len, 1, 1, c]`.
    ///
    /// # Panics
    /// When they go beyond the last.
    pub fn rows(self, start: usize, len: usize) -> Self {
        self.split_rows(start).1.split_rows(len).0
    }
}

impl<'a, T: Copy> ViewMut<'a, T> {
    /// Sets every number.
    pub fn fill(&mut self, value: T) {
        if self.is_dense() {
            return self.data.fill(value);
        }
        for p in 0..self.shape.rows() {
            self.row_mut(p).fill(value);
        }
    }

    /// Copies `source`, which must have as many pixels and channels.
    ///
    /// # Panics
    /// When the shapes' rows or channels differ.
    pub fn copy_from(&mut self, source: View<'_, T>) {
        assert_eq!(
            (self.shape.rows(), self.shape.c),
            (source.shape.rows(), source.shape.c),
            "copy of {} into {}",
            source.shape,
            self.shape
        );
        if self.is_dense() && source.is_dense() {
            return self.data.copy_from_slice(source.data);
        }
        for p in 0..self.shape.rows() {
            self.row_mut(p).copy_from_slice(source.row(p));
        }
    }
}

impl<T: Element> ViewMut<'_, T> {
    /// The same numbers as an `ndarray` view of `[n, h, w, c]`.
    pub fn array_mut(&mut self) -> ArrayViewMut4<'_, T> {
        let s = self.shape;
        let strides = [s.h * s.w * self.stride, s.w * self.stride, self.stride, 1];
        ArrayViewMut4::from_shape(s.array().strides(strides), self.data)
            .expect("a view's shape and stride fit its data")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_slice_is_a_column_range() {
        let data: Vec<f32> = (0..24).map(|i| i as f32).collect();
        let view = View::new(&data, Shape::new(1, 2, 3, 4));
        let slice = view.channels(1, 2);
        assert_eq!(slice.row(0), [1.0, 2.0]);
        assert_eq!(slice.pixel(0, 1, 2), [21.0, 22.0]);
        assert_eq!(slice.array()[[0, 1, 2, 1]], 22.0);
        assert!(!slice.is_dense());
    }

    #[test]
    fn rows_of_a_slice_are_written_and_no_others() {
        let mut data = vec![0.0f32; 7 * 5];
        let view = ViewMut::new(&mut data, Shape::matrix(7, 5)).channels(3, 2);
        view.rows(2, 4).fill(1.0);
        for (i, x) in data.iter().enumerate() {
            let inside = i % 5 >= 3 && (2..6).contains(&(i / 5));
            assert_eq!(*x, if inside { 1.0 } else { 0.0 });
        }
    }

    #[test]
    fn images_and_rows_split_where_they_should() {
        let mut data: Vec<f64> = (0..12).map(f64::from).collect();
        let shape = Shape::new(3, 2, 1, 2);
        assert_eq!(
            View::new(&data, shape).images(1, 1).data(),
            [4.0, 5.0, 6.0, 7.0]
        );
        let (head, tail) = ViewMut::new(&mut data, shape).split_rows(5);
        assert_eq!((head.shape().n, tail.row(0)), (5, &[10.0, 11.0][..]));
    }

    #[test]
    #[should_panic(expected = "needs 8 numbers, found 7")]
    fn a_short_slice_is_refused() {
        View::strided(&[0.0f32; 7], Shape::matrix(2, 3), 5);
    }
}
