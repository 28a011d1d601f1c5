//! AlexNet, to compare with.

use crate::modules::{
    AdaptiveAvgPool2d, Bias, Conv2d, Conv2dConfig, Dropout, Flatten, Linear, MaxPool2d, Relu,
    Sequential,
};
use crate::{Builder, Ctx, Module, Network, Outputs, Resolved};
use inception_autograd::{GraphError, Var};
use inception_ops::{Activation, Window};

/// AlexNet as torchvision has it, the network that GoogLeNet's paper compares its parameters
/// with: five convolutions, three linear layers.
///
/// Keys: `features.N`, `classifier.N`.
///
/// # Sources
/// Krizhevsky 2014, *One weird trick*; torchvision `alexnet.py`.
#[derive(Debug)]
pub struct AlexNet {
    features: Sequential,
    avgpool: AdaptiveAvgPool2d,
    flatten: Flatten,
    classifier: Sequential,
}

/// A convolution and ReLU of [`LAYERS`], or a pool.
enum Layer {
    Conv(Window, usize),
    Pool,
}

const LAYERS: [Layer; 8] = [
    Layer::Conv(Window::square(11).stride(4).padding(2), 64),
    Layer::Pool,
    Layer::Conv(Window::square(5).padding(2), 192),
    Layer::Pool,
    Layer::Conv(Window::square(3).padding(1), 384),
    Layer::Conv(Window::square(3).padding(1), 256),
    Layer::Conv(Window::square(3).padding(1), 256),
    Layer::Pool,
];
/// Rows and columns in front of the classifier.
const SIDE: usize = 6;
/// Units of the hidden layers.
const HIDDEN: usize = 4096;

impl AlexNet {
    /// Registers the parameters.
    pub fn new(b: &mut Builder<'_>, options: &Resolved) -> Self {
        let mut c_in = options.input[0];
        let mut modules: Vec<Box<dyn Module>> = Vec::new();
        let mut features = b.at("features");
        for layer in LAYERS {
            let mut at = features.at(&modules.len().to_string());
            match layer {
                Layer::Conv(window, c_out) => {
                    modules.push(Box::new(biased(&mut at, window, c_in, c_out)));
                    let at = features.at(&modules.len().to_string());
                    modules.push(Box::new(Relu::new(&at)));
                    c_in = c_out;
                }
                Layer::Pool => {
                    let window = Window::square(3).stride(2);
                    modules.push(Box::new(MaxPool2d::new(&at, window)));
                }
            }
        }
        let map = [c_in, SIDE, SIDE];
        let (rate, classes) = (options.dropout, options.classes);
        let mut c = b.at("classifier");
        let classifier: Vec<Box<dyn Module>> = vec![
            Box::new(Dropout::new(&c.at("0"), rate)),
            Box::new(Linear::of_map(
                &mut c.at("1"),
                map,
                HIDDEN,
                Activation::Relu,
            )),
            Box::new(Relu::new(&c.at("2"))),
            Box::new(Dropout::new(&c.at("3"), rate)),
            Box::new(Linear::before_relu(&mut c.at("4"), HIDDEN, HIDDEN)),
            Box::new(Relu::new(&c.at("5"))),
            Box::new(Linear::new(&mut c.at("6"), HIDDEN, classes)),
        ];
        Self {
            features: Sequential::new(modules),
            avgpool: AdaptiveAvgPool2d::new(&b.at("avgpool"), [SIDE, SIDE]),
            flatten: Flatten::new(&b.at("flatten")),
            classifier: Sequential::new(classifier),
        }
    }
}

/// A biased convolution in front of a ReLU.
pub(super) fn biased(b: &mut Builder<'_>, window: Window, c_in: usize, c_out: usize) -> Conv2d {
    let config = Conv2dConfig {
        window,
        c_in,
        c_out,
        bias: Bias::With,
        before: Activation::Relu,
    };
    Conv2d::new(b, &config)
}

impl Network for AlexNet {
    fn forward(&self, images: Var, ctx: &mut Ctx<'_>) -> Result<Outputs, GraphError> {
        let x = self.features.forward(images, ctx)?; // [n, 6, 6, 256]
        let x = self.avgpool.forward(x, ctx)?; // [n, 6, 6, 256]
        let x = self.flatten.forward(x, ctx)?; // [n, 1, 1, 9216]
        let logits = self.classifier.forward(x, ctx)?; // [n, 1, 1, classes]
        Ok(logits.into())
    }
}
