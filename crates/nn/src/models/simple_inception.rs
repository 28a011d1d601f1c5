//! The classifier that Inception is taught with.

use crate::modules::{Conv2d, Flatten, InceptionConfig, Linear, SimpleInception, plain};
use crate::{Builder, Ctx, Module, Network, Outputs, Resolved};
use inception_autograd::{GraphError, Var};
use inception_ops::Activation;

/// One convolution, one Inception module, one linear layer, no activation anywhere: a linear
/// function of the image but for one max pool.
///
/// Keys: `conv1`, `inception1.{conv1, conv3.0, conv3.1, conv5.0, conv5.1, pool.1}`, `fc`.
#[derive(Debug)]
pub struct SimpleInceptionNet {
    conv1: Conv2d,
    inception1: SimpleInception,
    flatten: Flatten,
    fc: Linear,
}

/// Channels behind the first convolution.
const STEM: usize = 64;
const CONFIG: InceptionConfig = InceptionConfig::new([64, 64, 128, 64, 128, 32]);

impl SimpleInceptionNet {
    /// Registers the parameters.
    pub fn new(b: &mut Builder<'_>, options: &Resolved) -> Self {
        let [c, h, w] = options.input;
        let (map, classes) = ([CONFIG.c_out(), h, w], options.classes);
        Self {
            conv1: plain(&mut b.at("conv1"), 3, c, STEM),
            inception1: SimpleInception::new(&mut b.at("inception1"), STEM, &CONFIG),
            flatten: Flatten::new(&b.at("flatten")),
            fc: Linear::of_map(&mut b.at("fc"), map, classes, Activation::None),
        }
    }
}

impl Network for SimpleInceptionNet {
    fn forward(&self, images: Var, ctx: &mut Ctx<'_>) -> Result<Outputs, GraphError> {
        let x = self.conv1.forward(images, ctx)?; // [n, h, w, 64]
        let x = self.inception1.forward(x, ctx)?; // [n, h, w, 352]
        let features = self.flatten.forward(x, ctx)?; // [n, 1, 1, h·w·352]
        Ok(Outputs {
            features,
            logits: self.fc.forward(features, ctx)?, // [n, 1, 1, classes]
            aux: Vec::new(),
        })
    }
}
