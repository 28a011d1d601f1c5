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

    /// The same, rounding down, with the padding with which an input of `extent` gives
    /// `⌈extent / stride⌉` windows, the odd pixel below and on the right.
    ///
    /// # Sources
    /// TensorFlow's `SAME`.
    pub fn same(mut self, extent: [usize; 2]) -> Self {
        let span = self.span();
        self.rounding = Rounding::Floor;
        for axis in 0..2 {
            let (extent, stride) = (extent[axis], self.stride[axis].max(1));
            let last = extent.div_ceil(stride).saturating_sub(1) * stride;
            let missing = (last + span[axis]).saturating_sub(extent);
            self.padding[axis] = [missing / 2, missing.div_ceil(2)];
        }
        self
    }

    /// Whether each output pixel reads the one input pixel at its own place.
    pub fn is_pointwise(&self) -> bool {
        self.kernel == [1, 1] && self.stride == [1, 1] && self.padding == [[0, 0], [0, 0]]
    }

    /// Rows and columns from the first pixel that a window reads to the last:
    /// `dilation·(kernel − 1) + 1`.
    pub fn span(&self) -> [usize; 2] {
        std::array::from_fn(|i| {
            let steps = self.kernel[i].saturating_sub(1);
            self.dilation[i].saturating_mul(steps).saturating_add(1)
        })
    }

    /// How many windows fit an input of `extent` = rows and columns.
    ///
    /// `⌊(extent + padding − span) / stride⌋ + 1`, or with [`Rounding::Ceil`] the quotient
    /// rounded up, less one where the last window would start at or beyond
    /// `extent + leading padding`. So with [`Rounding::Ceil`] the last window may reach beyond
    /// the padded input, even where it is the only one.
    ///
    /// # Errors
    /// When a size or step is zero, or no window fits the padded input.
    ///
    /// # Sources
    /// PyTorch `pooling_output_shape`; Caffe `PoolingLayer::Reshape`.
    pub fn output(&self, op: &'static str, extent: [usize; 2]) -> Result<[usize; 2], OpError> {
        for (name, value) in [
            ("kernel", self.kernel),
            ("stride", self.stride),
            ("dilation", self.dilation),
        ] {
            if value.contains(&0) {
                let detail = format!("{name} {}×{} must be at least 1×1", value[0], value[1]);
                return Err(OpError::Setting { op, detail });
            }
        }
        if extent.contains(&0) {
            let detail = format!("input of {}×{} pixels is empty", extent[0], extent[1]);
            return Err(OpError::Shape { op, detail });
        }
        match [self.count(0, extent[0]), self.count(1, extent[1])] {
            [Some(rows), Some(columns)] => Ok([rows, columns]),
            _ => Err(self.too_large(op, extent)),
        }
    }

    /// Windows along one axis, `None` where there is none.
    fn count(&self, axis: usize, extent: usize) -> Option<usize> {
        let (stride, [before, after]) = (self.stride[axis], self.padding[axis]);
        let padded = extent.checked_add(before)?.checked_add(after)?;
        let span = self.span()[axis];
        match self.rounding {
            Rounding::Floor => Some(padded.checked_sub(span)? / stride + 1),
            Rounding::Ceil => {
                let reach = padded.checked_add(stride - 1)?;
                let last = reach.checked_sub(span)? / stride;
                let beyond = last.checked_mul(stride)? >= extent + before;
                (last + 1).checked_sub(usize::from(beyond))
            }
        }
        .filter(|&windows| windows > 0)
    }

    fn too_large(&self, op: &'static str, extent: [usize; 2]) -> OpError {
        let [[top, bottom], [left, right]] = self.padding;
        let span = self.span();
        let detail = format!(
            "window of {}×{} pixels (kernel {}×{}, dilation {}×{}) does not fit input {}×{} \
             with padding {top}+{bottom}, {left}+{right}",
            span[0],
            span[1],
            self.kernel[0],
            self.kernel[1],
            self.dilation[0],
            self.dilation[1],
            extent[0],
            extent[1],
        );
        OpError::Shape { op, detail }
    }
}
