//! Sliding windows: the geometry that convolutions and pools share.

use crate::OpError;

/// How a fractional number of windows is rounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Rounding {
    /// Windows that lie inside the padded input only.
    #[default]
    Floor,
    /// One more window where the input is not used up, unless it would start beyond the
    /// input and its leading padding (Caffe's and PyTorch's rule).
    Ceil,
}

/// Whether padding counts in an average.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PadCount {
    /// The divisor is the window's area clipped to the padded input (PyTorch's
    /// `count_include_pad=True`).
    Include,
    /// The divisor is the number of input pixels under the window.
    Exclude,
}

/// A window that slides over rows and columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// Rows and columns of the window.
    pub kernel: [usize; 2],
    /// Steps.
    pub stride: [usize; 2],
    /// Padding `[[top, bottom], [left, right]]`.
    pub padding: [[usize; 2]; 2],
    /// Distance between the pixels that a window reads.
    pub dilation: [usize; 2],
    /// What happens at the far edge.
    pub rounding: Rounding,
}

impl Window {
    /// A `height × width` window of stride 1 without padding.
    pub const fn new(height: usize, width: usize) -> Self {
        Self {
            kernel: [height, width],
            stride: [1, 1],
            padding: [[0, 0], [0, 0]],
            dilation: [1, 1],
            rounding: Rounding::Floor,
        }
    }

    /// A square window of stride 1 without padding.
    pub const fn square(side: usize) -> Self {
        Self::new(side, side)
    }

    /// The same with `stride` both ways.
    pub const fn stride(mut self, stride: usize) -> Self {
        self.stride = [stride, stride];
        self
    }

    /// The same with `padding` on all four sides.
    pub const fn padding(self, padding: usize) -> Self {
        self.padding_hw(padding, padding)
    }

    /// The same with `rows` of padding above and below and `columns` left and right.
    pub const fn padding_hw(mut self, rows: usize, columns: usize) -> Self {
        self.padding = [[rows, rows], [columns, columns]];
        self
    }

    /// The same with `dilation` both ways.
    pub const fn dilation(mut self, dilation: usize) -> Self {
        self.dilation = [dilation, dilation];
        self
    }

    /// The same with [`Rounding::Ceil`].
    pub const fn ceil(mut self) -> Self {
        self.rounding = Rounding::Ceil;
        self
    }

    /// Whether each output pixel reads the one input pixel at its own place.
    pub fn is_pointwise(&self) -> bool {
        self.kernel == [1, 1] && self.stride == [1, 1] && self.padding == [[0, 0], [0, 0]]
    }

    /// How many windows fit an input of `extent` = rows and columns.
    ///
    /// # Errors
    /// When a size or step is zero, or the window is larger than the padded input.
    ///
    /// # Sources
    /// PyTorch `pooling_output_shape`; Caffe `PoolingLayer::Reshape`.
    pub fn output(&self, op: &'static str, extent: [usize; 2]) -> Result<[usize; 2], OpError> {
        let _ = (op, extent);
        todo!()
    }
}
