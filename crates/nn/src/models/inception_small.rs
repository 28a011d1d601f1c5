//! A small Inception network for images of about 28 to 32 pixels.

use crate::modules::{
    AdaptiveAvgPool2d, BasicConv2d, ConvStyle, Dropout, Inception, InceptionConfig, Linear,
    MaxPool2d,
};
use crate::{Builder, Ctx, Module, Network, Outputs, Resolved};
use inception_autograd::{GraphError, Var};
use inception_ops::Window;

/// Two 3×3 convolutions, three Inception modules with batch normalisation, global average
/// pool: about 22 M multiply-adds for an image of 28×28.
///
/// Half of the pixels a side are given up right after the first convolution, and again after
/// the first module, so that nearly all arithmetic works on many channels of few pixels.
/// Keys: `conv1`, `conv2`, `inception3a`, `inception4a`, `inception4b`, `fc`.
#[derive(Debug)]
pub struct InceptionSmall {
    conv1: BasicConv2d,
    maxpool1: MaxPool2d,
    conv2: BasicConv2d,
    inception3a: Inception,
    maxpool2: MaxPool2d,
    inception4a: Inception,
    inception4b: Inception,
    avgpool: AdaptiveAvgPool2d,
    dropout: Dropout,
    fc: Linear,
}

/// Channels behind the two convolutions of the stem.
const STEM: [usize; 2] = [32, 64];
const MODULE3A: InceptionConfig = InceptionConfig::new([32, 32, 64, 16, 32, 32]);
const MODULE4A: InceptionConfig = InceptionConfig::new([64, 64, 128, 16, 32, 32]);
const MODULE4B: InceptionConfig = InceptionConfig::new([96, 64, 160, 16, 48, 48]);

impl InceptionSmall {
    /// Registers the parameters.
    pub fn new(b: &mut Builder<'_>, options: &Resolved) -> Self {
        let style = ConvStyle::BatchNorm;
        let conv3 = Window::square(3).padding(1);
        let pool = Window::square(3).stride(2).ceil();
        let [stem1, stem2] = STEM;
        let conv1 = BasicConv2d::new(&mut b.at("conv1"), style, conv3, options.input[0], stem1);
        let conv2 = BasicConv2d::new(&mut b.at("conv2"), style, conv3, stem1, stem2);
        let mut module = |name: &str, c_in: usize, config: &InceptionConfig| {
            Inception::new(&mut b.at(name), style, 5, c_in, config)
        };
        let inception3a = module("inception3a", stem2, &MODULE3A);
        let inception4a = module("inception4a", MODULE3A.c_out(), &MODULE4A);
        let inception4b = module("inception4b", MODULE4A.c_out(), &MODULE4B);
        Self {
            conv1,
            maxpool1: MaxPool2d::new(&b.at("maxpool1"), pool),
            conv2,
            inception3a,
            maxpool2: MaxPool2d::new(&b.at("maxpool2"), pool),
            inception4a,
            inception4b,
            avgpool: AdaptiveAvgPool2d::global(&b.at("avgpool")),
            dropout: Dropout::new(&b.at("dropout"), options.dropout),
            fc: Linear::new(&mut b.at("fc"), MODULE4B.c_out(), options.classes),
        }
    }
}

impl Network for InceptionSmall {
    fn forward(&self, images: Var, ctx: &mut Ctx<'_>) -> Result<Outputs, GraphError> {
        let x = self.conv1.forward(images, ctx)?; // [n, 28, 28, 32]
        let x = self.maxpool1.forward(x, ctx)?; // [n, 14, 14, 32]
        let x = self.conv2.forward(x, ctx)?; // [n, 14, 14, 64]
        let x = self.inception3a.forward(x, ctx)?; // [n, 14, 14, 160]
        let x = self.maxpool2.forward(x, ctx)?; // [n, 7, 7, 160]
        let x = self.inception4a.forward(x, ctx)?; // [n, 7, 7, 256]
        let x = self.inception4b.forward(x, ctx)?; // [n, 7, 7, 352]
        let x = self.avgpool.forward(x, ctx)?; // [n, 1, 1, 352]
        let x = self.dropout.forward(x, ctx)?; // [n, 1, 1, 352]
        let logits = self.fc.forward(x, ctx)?; // [n, 1, 1, classes]
        Ok(logits.into())
    }
}
