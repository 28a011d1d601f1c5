//! How parameters begin.

use crate::{ParamSpec, Role};
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
    /// Normal around 0.
    Normal {
        /// Standard deviation.
        std: f64,
    },
}

/// By which rule the first weights of a whole network are drawn.
///
/// The scales and shifts of normalisations begin alike under all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Initializer {
    /// Each layer's own: [`Init::kaiming`], and [`Init::logits`] in front of a softmax.
    #[default]
    He,
    /// Caffe's `xavier` filler with the bias of 0.2 that BVLC's GoogLeNet gives to every
    /// layer: weights uniform with variance `1/fan_in`.
    Xavier,
    /// Weights normal with a standard deviation of 0.01, biases 0: torchvision's GoogLeNet,
    /// whose batch normalisation makes up for the scale.
    Normal,
}

/// The bias of BVLC's GoogLeNet. It adds the same to every logit, which no softmax sees.
const XAVIER_BIAS: f64 = 0.2;
/// torchvision's standard deviation.
const NORMAL_STD: f64 = 0.01;

impl Initializer {
    /// How a parameter begins.
    pub fn of(self, spec: &ParamSpec) -> Init {
        let fan_in = || spec.shape.n * spec.shape.h * spec.shape.w;
        match (self, spec.role) {
            (Self::Xavier, Role::Weight) => Init::uniform_of_variance(1.0 / fan_in() as f64),
            (Self::Xavier, Role::Bias) => Init::Constant(XAVIER_BIAS),
            (Self::Normal, Role::Weight) => Init::Normal { std: NORMAL_STD },
            _ => spec.init,
        }
    }
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

    /// Makes logits a tenth of the size of the features: variance `1/(100·fan_in)`.
    ///
    /// The first guess is then near even over the classes whatever the size of the features,
    /// which max pools raise about fivefold through GoogLeNet without normalisation, and the
    /// first gradients that enter the trunk are small.
    ///
    /// # Sources
    /// Goyal et al. 2017, *Accurate, Large Minibatch SGD*, section 5.1, and torchvision begin
    /// classifiers at a standard deviation of 0.01, which this rule frees from `fan_in`.
    pub fn logits(fan_in: usize) -> Self {
        Self::uniform_of_variance(0.01 / fan_in as f64)
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
            Self::Normal { std } => {
                let mut stream = Stream::new(&[seed, fnv1a(name.as_bytes())]);
                (0..len).map(|_| T::of(std * stream.normal())).collect()
            }
        }
    }
}
