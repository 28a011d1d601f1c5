//! Ways to take the sums of a convolution.

use super::winograd::{self, Tiling};
use crate::Window;
use inception_tensor::Shape;

/// How the sums of a convolution are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// Term by term, as the formula says.
    #[default]
    Direct,
    /// In Winograd's transformed domain, for kernels of `k × k` and stride `s` where `⌈k/s⌉` is 3,
    /// 4 or 5, and for kernels of 3 or 7 in a line and stride 1, but for the gradients of their
    /// weights and of a larger stride. Other windows, and all with a dilation, fall back to
    /// [`Algorithm::Direct`].
    Winograd,
}

impl Algorithm {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Winograd => "winograd",
        }
    }
}

/// A window, and how its sums are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method {
    /// Kernel, stride, padding, dilation.
    pub window: Window,
    /// How the sums are taken.
    pub algorithm: Algorithm,
}

impl Method {
    /// The plain sums of a window.
    pub const fn direct(window: Window) -> Self {
        Self {
            window,
            algorithm: Algorithm::Direct,
        }
    }

    /// The same window by Winograd's filtering, where it has such a form.
    pub const fn winograd(window: Window) -> Self {
        Self {
            window,
            algorithm: Algorithm::Winograd,
        }
    }

    /// What a model of the cost says is faster for a convolution to `y` `[n, oh, ow, c]`
    /// that sums over `k` channels.
    ///
    /// `n` has no influence: an image has the same bits alone and in a batch.
    pub fn fastest(window: Window, y: Shape, k: usize) -> Self {
        match winograd::pays(&window, y, k, 1) {
            true => Self::winograd(window),
            false => Self::direct(window),
        }
    }

    /// The same for a gradient. `y` and `k` are those of its sums: of the gradient of an input,
    /// the input and the channels of the output; of a weight, as in the convolution itself.
    pub fn fastest_gradient(window: Window, y: Shape, k: usize) -> Self {
        match Tiling::of_gradients(&window) {
            Some(_) => Self::fastest(window, y, k),
            None => Self::direct(window),
        }
    }

    /// The algorithm that runs: the one asked for, where the window has such tiles.
    pub fn effective(&self) -> Algorithm {
        match self.tiling() {
            None => Algorithm::Direct,
            Some(_) => Algorithm::Winograd,
        }
    }

    /// The tiles, where sums are filtered.
    pub(super) fn tiling(&self) -> Option<Tiling> {
        match self.algorithm {
            Algorithm::Direct => None,
            Algorithm::Winograd => Tiling::of(&self.window),
        }
    }

    /// The tiles of gradients, where sums are filtered.
    pub(super) fn gradient_tiling(&self) -> Option<Tiling> {
        self.tiling()?;
        Tiling::of_gradients(&self.window)
    }
}
