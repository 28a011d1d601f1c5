//! A small Inception network for images of about 28 to 32 pixels.

use crate::modules::chain::{block, conv, keep, max_pool};
use crate::modules::{Chain, ConvStyle, InceptionConfig, PooledClassifier};
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
    trunk: Chain,
    head: PooledClassifier,
}

const POOL: Window = Window::square(3).stride(2).ceil();
const MODULE3A: InceptionConfig = InceptionConfig::new([32, 32, 64, 16, 32, 32]);
const MODULE4A: InceptionConfig = InceptionConfig::new([64, 64, 128, 16, 32, 32]);
const MODULE4B: InceptionConfig = InceptionConfig::new([96, 64, 160, 16, 48, 48]);

impl InceptionSmall {
    /// Registers the parameters.
    pub fn new(b: &mut Builder<'_>, options: &Resolved) -> Self {
        let rows = [
            conv("conv1", keep(3, 3), 32),              // 28×28
            max_pool("maxpool1", POOL),                 // 14×14
            conv("conv2", keep(3, 3), 64),              // 14×14
            block("inception3a", MODULE3A.branches(5)), // 14×14×160
            max_pool("maxpool2", POOL),                 // 7×7
            block("inception4a", MODULE4A.branches(5)), // 7×7×256
            block("inception4b", MODULE4B.branches(5)), // 7×7×352
        ];
        let trunk = Chain::new(b, ConvStyle::BatchNorm, options.input[0], &rows);
        let head = PooledClassifier::new(b, "fc", trunk.c_out(), options);
        Self { trunk, head }
    }
}

impl Network for InceptionSmall {
    fn forward(&self, images: Var, ctx: &mut Ctx<'_>) -> Result<Outputs, GraphError> {
        let x = self.trunk.forward(images, ctx)?; // [n, 7, 7, 352]
        self.head.forward(x, vec![], ctx) // [n, 1, 1, classes]
    }
}
