//! Convolution by Winograd's minimal filtering.
//!
//! An output tile of `m × m` pixels and a kernel of `r × r` need `(m + r − 1)²` products
//! instead of `m²·r²`: `Y = Aᵀ[(G·g·Gᵀ) ⊙ (Bᵀ·d·B)]A`, summed over channels before the
//! last transform, so that the products are 36 matrix products. All forms here have tiles of
//! 6 × 6: F(4×4, 3×3), F(3×3, 4×4) and F(2×2, 5×5), for weight gradients F(3×3, 4×4),
//! F(4×4, 3×3) and F(5×5, 2×2).
//!
//! A kernel of stride `s` is one of stride 1 on a map whose pixels are `s × s` pixels each
//! ([`phases`]): 7×7 of stride 2 has 4×4 taps of four times the channels.
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
mod phases;
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

/// Which tiles a square kernel has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    taps: Taps,
    /// Rows and columns of the input from one window to the next.
    stride: usize,
}

/// Rows and columns of taps, where the stride is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taps {
    /// F(4×4, 3×3), for weights F(3×3, 4×4).
    Three,
    /// F(3×3, 4×4), for weights F(4×4, 3×3).
    Four,
    /// F(2×2, 5×5), for weights F(5×5, 2×2).
    Five,
}

impl Form {
    /// The form of a window, where there is one: of square kernels with dilation 1 that always
    /// touch the input.
    pub(super) fn of(window: &Window) -> Option<Self> {
        let ([rows, columns], [down, across]) = (window.kernel, window.stride);
        let inside = |padding: [usize; 2]| padding.iter().all(|&p| p < rows);
        let square = rows == columns && down == across && down > 0 && window.dilation == [1, 1];
        match square && window.padding.into_iter().all(inside) {
            true => Self::of_square(rows, down),
            false => None,
        }
    }

    /// The form of a kernel of `side × side` taps.
    pub(super) fn of_square(side: usize, stride: usize) -> Option<Self> {
        let taps = match side.div_ceil(stride) {
            3 => Taps::Three,
            4 => Taps::Four,
            5 => Taps::Five,
            _ => return None,
        };
        Some(Self { taps, stride })
    }

    /// Rows and columns of an output tile.
    fn tile(self) -> usize {
        SIDE + 1 - self.taps()
    }

    /// Rows and columns of taps, where the stride is 1.
    fn taps(self) -> usize {
        match self.taps {
            Taps::Three => 3,
            Taps::Four => 4,
            Taps::Five => 5,
        }
    }

    /// Channels of a map of `c` channels, where the stride is 1.
    fn channels(self, c: usize) -> usize {
        self.stride * self.stride * c
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

    /// The same for gradients.
    pub(super) fn of_gradients(window: &Window) -> Option<Self> {
        match window.stride {
            [1, 1] => Self::of(window),
            _ => None,
        }
    }

    /// Numbers that [`Tiling::filter`] writes for a weight `[kh, kw, c_in, c_out]`.
    pub(super) fn filter_len(self, weight: Shape, direction: Direction) -> usize {
        match self {
            Self::Plane(form) => filter_len(form, weight, direction),
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
