//! The shape of a feature map.

use std::fmt;

/// Extent of a channels-last feature map: `n` images of `h`×`w` pixels of `c` channels.
///
/// Vectors and matrices use the same four numbers: logits are `[n, 1, 1, classes]`, a
/// convolution's weights `[kh, kw, c_in, c_out]`, a bias `[1, 1, 1, c]`, a scalar
/// `[1, 1, 1, 1]`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Images.
    pub n: usize,
    /// Rows.
    pub h: usize,
    /// Columns.
    pub w: usize,
    /// Channels.
    pub c: usize,
}

impl Shape {
    /// The shape of a single number.
    pub const SCALAR: Self = Self::new(1, 1, 1, 1);

    /// `[n, h, w, c]`.
    pub const fn new(n: usize, h: usize, w: usize, c: usize) -> Self {
        Self { n, h, w, c }
    }

    /// `[n, 1, 1, c]`: `n` vectors of `c` numbers.
    pub const fn matrix(n: usize, c: usize) -> Self {
        Self::new(n, 1, 1, c)
    }

    /// `[1, 1, 1, c]`.
    pub const fn vector(c: usize) -> Self {
        Self::new(1, 1, 1, c)
    }

    /// How many pixels: `n·h·w`, the rows of the matrix that the map is.
    pub const fn rows(self) -> usize {
        self.n * self.h * self.w
    }

    /// How many numbers.
    pub const fn len(self) -> usize {
        self.rows() * self.c
    }

    /// Whether there is no number at all.
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The product of the extents, or `None` where it does not fit.
    pub fn checked_len(self) -> Option<usize> {
        self.n
            .checked_mul(self.h)?
            .checked_mul(self.w)?
            .checked_mul(self.c)
    }

    /// The same map with `c` channels.
    pub const fn with_channels(self, c: usize) -> Self {
        Self { c, ..self }
    }

    /// `[n, h, w, c]` as an array.
    pub const fn array(self) -> [usize; 4] {
        [self.n, self.h, self.w, self.c]
    }
}

impl From<[usize; 4]> for Shape {
    fn from([n, h, w, c]: [usize; 4]) -> Self {
        Self::new(n, h, w, c)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {}, {}, {}]", self.n, self.h, self.w, self.c)
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
