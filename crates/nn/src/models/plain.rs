//! AlexNet and VGG-16, to compare with: layers in turn, keyed by their place.

use crate::modules::chain::keep;
use crate::modules::{
    AdaptiveAvgPool2d, Bias, Conv2d, Conv2dConfig, Dropout, Flatten, Linear, MaxPool2d, Relu,
    Sequential,
};
use crate::{Builder, Ctx, Module, Network, Outputs, Resolved};
use inception_autograd::{GraphError, Var};
use inception_ops::{Activation, Window};

/// A layer; its place in its table is its key.
#[derive(Clone, Copy, Debug)]
enum Layer {
    /// A biased convolution in front of a ReLU.
    Conv(Window, usize),
    MaxPool(Window),
    Relu,
    Dropout,
    /// A linear layer of 4096 units in front of a ReLU.
    Hidden,
    Logits,
}
use Layer::{Conv, Hidden, Logits, MaxPool};

/// A network of plain layers as data.
#[derive(Clone, Copy, Debug)]
pub struct PlainConfig {
    features: &'static [Layer],
    /// Rows and columns that are left in front of the classifier.
    side: usize,
    classifier: [Layer; 7],
}

/// The pool between VGG's stages.
const POOL: Layer = MaxPool(Window::square(2).stride(2));
/// The pool of AlexNet.
const WIDE_POOL: Layer = MaxPool(Window::square(3).stride(2));

impl PlainConfig {
    /// AlexNet as torchvision has it, the network that GoogLeNet's paper compares its
    /// parameters with.
    ///
    /// # Sources
    /// Krizhevsky 2014, *One weird trick*; torchvision `alexnet.py`.
    #[rustfmt::skip]
    pub const ALEXNET: Self = Self {
        features: &[
            Conv(Window::square(11).stride(4).padding(2), 64), Layer::Relu, WIDE_POOL,
            Conv(keep(5, 5), 192), Layer::Relu, WIDE_POOL,
            Conv(keep(3, 3), 384), Layer::Relu,
            Conv(keep(3, 3), 256), Layer::Relu,
            Conv(keep(3, 3), 256), Layer::Relu, WIDE_POOL,
        ],
        side: 6,
        classifier: [Layer::Dropout, Hidden, Layer::Relu, Layer::Dropout, Hidden, Layer::Relu, Logits],
    };

    /// VGG-16, second to GoogLeNet in the same competition.
    ///
    /// # Sources
    /// Simonyan and Zisserman 2014, configuration D; torchvision `vgg.py`.
    #[rustfmt::skip]
    pub const VGG16: Self = Self {
        features: &[
            Conv(keep(3, 3), 64), Layer::Relu, Conv(keep(3, 3), 64), Layer::Relu, POOL,
            Conv(keep(3, 3), 128), Layer::Relu, Conv(keep(3, 3), 128), Layer::Relu, POOL,
            Conv(keep(3, 3), 256), Layer::Relu, Conv(keep(3, 3), 256), Layer::Relu,
            Conv(keep(3, 3), 256), Layer::Relu, POOL,
            Conv(keep(3, 3), 512), Layer::Relu, Conv(keep(3, 3), 512), Layer::Relu,
            Conv(keep(3, 3), 512), Layer::Relu, POOL,
            Conv(keep(3, 3), 512), Layer::Relu, Conv(keep(3, 3), 512), Layer::Relu,
            Conv(keep(3, 3), 512), Layer::Relu, POOL,
        ],
        side: 7,
        classifier: [Hidden, Layer::Relu, Layer::Dropout, Hidden, Layer::Relu, Layer::Dropout, Logits],
    };
}

/// Units of the hidden layers.
const HIDDEN: usize = 4096;

/// Convolutions and pools, an adaptive pool, and three linear layers.
///
/// Keys: `features.N`, `classifier.N`, as torchvision's.
#[derive(Debug)]
pub struct PlainNet {
    features: Sequential,
    avgpool: AdaptiveAvgPool2d,
    flatten: Flatten,
    classifier: Sequential,
    logits: Box<dyn Module>,
}

impl PlainNet {
    /// Registers the parameters.
    pub fn new(b: &mut Builder<'_>, config: &PlainConfig, options: &Resolved) -> Self {
        let mut places = Places {
            map: None,
            channels: options.input[0],
            options,
        };
        let features = places.register(&mut b.at("features"), config.features);
        let side = config.side;
        places.map = Some([places.channels, side, side]);
        let mut classifier = places.register(&mut b.at("classifier"), &config.classifier);
        let logits = classifier.pop().expect("a classifier ends in logits");
        Self {
            features: Sequential::new(features),
            avgpool: AdaptiveAvgPool2d::new(&b.at("avgpool"), [side, side]),
            flatten: Flatten::new(&b.at("flatten")),
            classifier: Sequential::new(classifier),
            logits,
        }
    }
}

/// What the layers so far leave to the next.
struct Places<'a> {
    /// The map that the first linear layer reads.
    map: Option<[usize; 3]>,
    channels: usize,
    options: &'a Resolved,
}

impl Places<'_> {
    fn register(&mut self, b: &mut Builder<'_>, layers: &[Layer]) -> Vec<Box<dyn Module>> {
        let layers = layers.iter().enumerate();
        layers
            .map(|(i, &layer)| self.module(&mut b.at(&i.to_string()), layer))
            .collect()
    }

    fn module(&mut self, at: &mut Builder<'_>, layer: Layer) -> Box<dyn Module> {
        match layer {
            Conv(window, c_out) => {
                let config = Conv2dConfig {
                    window,
                    c_in: std::mem::replace(&mut self.channels, c_out),
                    c_out,
                    bias: Bias::With,
                    before: Activation::Relu,
                };
                Box::new(Conv2d::new(at, &config))
            }
            MaxPool(window) => Box::new(MaxPool2d::new(at, window)),
            Layer::Relu => Box::new(Relu::new(at)),
            Layer::Dropout => Box::new(Dropout::new(at, self.options.dropout)),
            Hidden => Box::new(match self.map.take() {
                Some(map) => Linear::of_map(at, map, HIDDEN, Activation::Relu),
                None => Linear::before_relu(at, HIDDEN, HIDDEN),
            }),
            Logits => Box::new(Linear::new(at, HIDDEN, self.options.classes)),
        }
    }
}

impl Network for PlainNet {
    fn forward(&self, images: Var, ctx: &mut Ctx<'_>) -> Result<Outputs, GraphError> {
        let x = self.features.forward(images, ctx)?; // [n, side, side, c]
        let x = self.avgpool.forward(x, ctx)?; // [n, side, side, c]
        let x = self.flatten.forward(x, ctx)?; // [n, 1, 1, side²·c]
        let features = self.classifier.forward(x, ctx)?; // [n, 1, 1, 4096]
        Ok(Outputs {
            features,
            logits: self.logits.forward(features, ctx)?, // [n, 1, 1, classes]
            aux: Vec::new(),
        })
    }
}
