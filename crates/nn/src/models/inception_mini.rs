//! A network of plain 3×3 convolutions in Inception modules, for small images.

use crate::modules::chain::{Branch, block, conv, keep, max_pool};
use crate::modules::{Chain, ConvStyle, PooledClassifier};
use crate::{Builder, Ctx, Module, Network, Outputs, Resolved};
use inception_autograd::{GraphError, Var};
use inception_ops::Window;

/// Two 3×3 convolutions and four modules of 1×1 beside 3×3 with batch normalisation, global
/// average pool: 58 M multiply-adds for an image of 28×28.
///
/// All but 4 % of them are in 3×3 convolutions, without reductions before them, which Winograd's
/// filtering makes cheap: a step takes a fifth to a third longer than that of
/// [`InceptionSmall`](super::InceptionSmall), which has less than half as many. The first two
/// convolutions see every pixel. Keys: `conv1`, `conv2`, `inception3a`, `inception3b`,
/// `inception4a`, `inception4b`, `fc`.
///
/// # Sources
/// The modules are those of the small Inception of Zhang et al. 2017, *Understanding deep
/// learning requires rethinking generalization*, figure 3; how many, and how wide, is ours.
#[derive(Debug)]
pub struct InceptionMini {
    trunk: Chain,
    head: PooledClassifier,
}

const POOL: Window = Window::square(3).stride(2).ceil();

impl InceptionMini {
    /// Registers the parameters of `inception-mini`, half a million.
    pub fn new(b: &mut Builder<'_>, options: &Resolved) -> Self {
        Self::of(b, options, [[32, 64], [32, 96], [64, 128], [64, 128]])
    }

    /// Registers the parameters of `inception-midi`, whose modules are twice as wide.
    pub fn wide(b: &mut Builder<'_>, options: &Resolved) -> Self {
        Self::of(b, options, [[64, 128], [64, 128], [128, 256], [128, 256]])
    }

    fn of(b: &mut Builder<'_>, options: &Resolved, widths: [[usize; 2]; 4]) -> Self {
        let [m3a, m3b, m4a, m4b] = widths.map(module);
        let rows = [
            conv("conv1", keep(3, 3), 32), // 28×28
            conv("conv2", keep(3, 3), 64), // 28×28
            max_pool("maxpool1", POOL),    // 14×14
            block("inception3a", m3a),
            block("inception3b", m3b),
            max_pool("maxpool2", POOL), // 7×7
            block("inception4a", m4a),
            block("inception4b", m4b),
        ];
        let trunk = Chain::new(b, ConvStyle::BatchNorm, options.input[0], &rows);
        let head = PooledClassifier::new(b, "fc", trunk.c_out(), options);
        Self { trunk, head }
    }
}

/// 1×1 beside 3×3, of so many channels.
fn module([c1, c3]: [usize; 2]) -> Vec<Branch> {
    vec![
        vec![conv("branch1", keep(1, 1), c1)],
        vec![conv("branch2", keep(3, 3), c3)],
    ]
}

impl Network for InceptionMini {
    fn forward(&self, images: Var, ctx: &mut Ctx<'_>) -> Result<Outputs, GraphError> {
        let x = self.trunk.forward(images, ctx)?; // [n, 7, 7, c]
        self.head.forward(x, vec![], ctx) // [n, 1, 1, classes]
    }
}
