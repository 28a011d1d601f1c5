//! Convolution by Winograd's minimal filtering.
//!
//! An output tile of `m × m` pixels and a kernel of `r × r` need `(m + r − 1)²` products
//! instead of `m²·r²`: `Y = Aᵀ[(G·g·Gᵀ) ⊙ (Bᵀ·d·B)]A`, summed over channels before the
//! last transform, so that the products are 36 matrix products. All forms here have tiles of
//! 6 × 6: F(4×4, 3×3) and F(2×2, 5×5) for outputs and input gradients, F(3×3, 4×4) and
//! F(5×5, 2×2) for weight gradients.
//!
//! Kernels of one line have tiles of 6 in a line: F(4, 3), and F(3, 4) twice for seven taps.
//!
//! Rounding errors are larger than those of the direct sum; `docs/numerics.md` has the bound.
//!
//! # Sources
//! Winograd 1980, *Arithmetic complexity of computations*; Lavin and Gray 2016, *Fast
//! algorithms for convolutional neural networks*, <https://arxiv.org/abs/1509.09308>.

mod backward_weight;
mod cost;
mod filter;
mod forward;
mod line;
mod tiles;
mod transform;

pub(super) use backward_weight::{backward_weight, backward_weight_workspace};
pub(super) use cost::pays;
pub(super) use filter::{Direction, filter, filter_len};
pub(super) use forward::{Filtered, forward};

use crate::Window;
use inception_tensor::{Element, Pool, Shape, View, ViewMut};
use line::{LineForm, line_filter, line_filter_len, line_forward};

/// Rows and columns of a transformed tile.
const SIDE: usize = 6;
/// Numbers of a transformed tile, and products of matrices.
const POINTS: usize = SIDE * SIDE;
/// Numbers between the points of a transformed tile beyond what they hold, so that they
/// fall on different lines of a cache.
const SKEW: usize = 16;

/// Which tiles a kernel has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// F(4×4, 3×3), for weights F(3×3, 4×4).
    Kernel3,
    /// F(2×2, 5×5), for weights F(5×5, 2×2).
    Kernel5,
}

impl Form {
    /// The form of a window, where there is one: square kernels of 3 and 5 with stride and
    /// dilation 1 that always touch the input.
    pub(super) fn of(window: &Window) -> Option<Self> {
        let inside = |axis: usize| {
            window.padding[axis]
                .iter()
                .all(|&p| p < window.kernel[axis])
        };
        if !inside(0) || !inside(1) {
            return None;
        }
        match (window.kernel, window.stride, window.dilation) {
            ([3, 3], [1, 1], [1, 1]) => Some(Self::Kernel3),
            ([5, 5], [1, 1], [1, 1]) => Some(Self::Kernel5),
            _ => None,
        }
    }

    /// Rows and columns of an output tile.
    fn tile(self) -> usize {
        match self {
            Self::Kernel3 => 4,
            Self::Kernel5 => 2,
        }
    }

    /// Rows and columns of the kernel.
    fn kernel(self) -> usize {
        SIDE + 1 - self.tile()
    }
}

/// Tiles of a plane or of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tiling {
    /// Of square kernels, whose weight gradients have tiles too.
    Plane(Form),
    /// Of kernels of one line.
    Line(LineForm),
}

impl Tiling {
    /// The tiles of a window, where it has any.
    pub(super) fn of(window: &Window) -> Option<Self> {
        let line = || LineForm::of(window).map(Self::Line);
        Form::of(window).map(Self::Plane).or_else(line)
    }

    /// Numbers that [`Tiling::filter`] writes for a weight `[kh, kw, c_in, c_out]`.
    pub(super) fn filter_len(self, weight: Shape, direction: Direction) -> usize {
        match self {
            Self::Plane(_) => filter_len(weight, direction),
            Self::Line(form) => line_filter_len(form, weight, direction),
        }
    }

    /// Transforms a weight `[kh, kw, c_in, c_out]`.
    pub(super) fn filter<T: Element>(
        self,
        pool: &Pool,
        weight: View<'_, T>,
        direction: Direction,
        out: &mut [T],
    ) {
        match self {
            Self::Plane(form) => filter(pool, form, weight, direction, out),
            Self::Line(form) => line_filter(pool, form, weight, direction, out),
        }
    }

    /// `y = epilogue(conv(x, filters))` with `offset` pixels of padding above and to the left
    /// of `x`.
    pub(super) fn forward<T: Element>(
        self,
        pool: &Pool,
        x: View<'_, T>,
        offset: [usize; 2],
        bank: Filtered<'_, T>,
        y: ViewMut<'_, T>,
    ) {
        match self {
            Self::Plane(form) => forward(pool, form, x, offset, bank, y),
            Self::Line(form) => line_forward(pool, form, x, offset, bank, y),
        }
    }
}
