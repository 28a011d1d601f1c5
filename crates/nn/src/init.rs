//! How parameters begin.

use inception_ops::Activation;
use inception_tensor::{Element, Stream, fnv1a};

/// The distribution that a parameter's first values are drawn from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// The same number everywhere.
    Constant(f64),
    /// Uniform in `[−bound, bound)`.
    Uniform {
        /// Largest magnitude.
        bound: f64,
    },
}

impl Init {
    /// All zeros.
    pub const ZEROS: Self = Self::Constant(0.0);
    /// All ones.
    pub const ONES: Self = Self::Constant(1.0);

    /// Keeps the second moment of activations through a layer that sums `fan_in` products:
    /// variance `gain²/fan_in` with gain² 2 in front of a ReLU, 1 otherwise.
    ///
    /// # Sources
    /// He et al. 2015, *Delving Deep into Rectifiers*, section 2.2.
    pub fn kaiming(fan_in: usize, activation: Activation) -> Self {
        let gain = match activation {
            Activation::Relu => 2.0,
            Activation::None => 1.0,
        };
        Self::uniform_of_variance(gain / fan_in as f64)
    }

    /// A compromise between keeping activations and keeping gradients: variance
    /// `2/(fan_in + fan_out)`.
    ///
    /// # Sources
    /// Glorot and Bengio 2010, equation 16.
    pub fn xavier(fan_in: usize, fan_out: usize) -> Self {
        Self::uniform_of_variance(2.0 / (fan_in + fan_out) as f64)
    }

    fn uniform_of_variance(variance: f64) -> Self {
        Self::Uniform {
            bound: (3.0 * variance).sqrt(),
        }
    }

    /// `len` values of the parameter called `name`, in the order of its state dict: a
    /// function of `seed`, `name` and the place, whatever the layout in memory.
    pub(crate) fn draw<T: Element>(self, seed: u64, name: &str, len: usize) -> Vec<T> {
        match self {
            Self::Constant(value) => vec![T::of(value); len],
            Self::Uniform { bound } => {
                let mut stream = Stream::new(&[seed, fnv1a(name.as_bytes())]);
                (0..len)
                    .map(|_| T::of(stream.range(-bound, bound)))
                    .collect()
            }
        }
    }
}
