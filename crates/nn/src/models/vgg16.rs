//! VGG-16, to compare with.

use super::alexnet::biased;
use crate::modules::{AdaptiveAvgPool2d, Dropout, Flatten, Linear, MaxPool2d, Relu, Sequential};
use crate::{Builder, Ctx, Module, Network, Outputs, Resolved};
use inception_autograd::{GraphError, Var};
use inception_ops::{Activation, Window};

/// VGG-16, second to GoogLeNet in the same competition: thirteen 3×3 convolutions, three
/// linear layers, no normalisation.
///
/// Keys: `features.N`, `classifier.N`, as torchvision's.
///
/// # Sources
/// Simonyan and Zisserman 2014, configuration D; torchvision `vgg.py`.
#[derive(Debug)]
pub struct Vgg16 {
    features: Sequential,
    avgpool: AdaptiveAvgPool2d,
    flatten: Flatten,
    classifier: Sequential,
}

/// Channels of the convolutions between two pools.
const STAGES: [&[usize]; 5] = [
    &[64, 64],
    &[128, 128],
    &[256, 256, 256],
    &[512, 512, 512],
    &[512, 512, 512],
];
/// Rows and columns in front of the classifier.
const SIDE: usize = 7;
/// Units of the hidden layers.
const HIDDEN: usize = 4096;

impl Vgg16 {
    /// Registers the parameters.
    pub fn new(b: &mut Builder<'_>, options: &Resolved) -> Self {
        let mut c_in = options.input[0];
        let mut modules: Vec<Box<dyn Module>> = Vec::new();
        let mut features = b.at("features");
        for stage in STAGES {
            for &c_out in stage {
                let window = Window::square(3).padding(1);
                let mut at = features.at(&modules.len().to_string());
                modules.push(Box::new(biased(&mut at, window, c_in, c_out)));
                let at = features.at(&modules.len().to_string());
                modules.push(Box::new(Relu::new(&at)));
                c_in = c_out;
            }
            let at = features.at(&modules.len().to_string());
            modules.push(Box::new(MaxPool2d::new(&at, Window::square(2).stride(2))));
        }
        let map = [c_in, SIDE, SIDE];
        let (rate, classes) = (options.dropout, options.classes);
        let mut c = b.at("classifier");
        let classifier: Vec<Box<dyn Module>> = vec![
            Box::new(Linear::of_map(
                &mut c.at("0"),
                map,
                HIDDEN,
                Activation::Relu,
            )),
            Box::new(Relu::new(&c.at("1"))),
            Box::new(Dropout::new(&c.at("2"), rate)),
            Box::new(Linear::before_relu(&mut c.at("3"), HIDDEN, HIDDEN)),
            Box::new(Relu::new(&c.at("4"))),
            Box::new(Dropout::new(&c.at("5"), rate)),
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

impl Network for Vgg16 {
    fn forward(&self, images: Var, ctx: &mut Ctx<'_>) -> Result<Outputs, GraphError> {
        let x = self.features.forward(images, ctx)?; // [n, 7, 7, 512]
        let x = self.avgpool.forward(x, ctx)?; // [n, 7, 7, 512]
        let x = self.flatten.forward(x, ctx)?; // [n, 1, 1, 25088]
        let logits = self.classifier.forward(x, ctx)?; // [n, 1, 1, classes]
        Ok(logits.into())
    }
}
