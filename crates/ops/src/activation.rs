//! What an operator does to its output before it writes it.

use inception_tensor::Element;

/// The function fused into the end of an operator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Activation {
    /// The identity.
    #[default]
    None,
    /// `max(x, 0)`; a NaN stays a NaN, as in PyTorch.
    Relu,
}

impl Activation {
    /// The function of one number.
    #[inline(always)]
    pub fn apply<T: Element>(self, x: T) -> T {
        match self {
            Self::Relu if x < T::zero() => T::zero(),
            _ => x,
        }
    }
}
