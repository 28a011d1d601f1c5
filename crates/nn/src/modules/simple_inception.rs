//! The Inception module as it is taught: convolutions alone.

use super::{Bias, Conv2d, Conv2dConfig, InceptionConfig, MaxPool2d};
use crate::{Builder, Ctx, Module};
use inception_autograd::{GraphError, Var};
use inception_ops::{Activation, Window};
use std::sync::Arc;

/// The four branches of biased convolutions without any activation.
///
/// Keys: `conv1`, `conv3.{0,1}`, `conv5.{0,1}`, `pool.1`, each a [`Conv2d`].
///
/// # Shapes
/// `[n, h, w, c_in]` → `[n, h, w, c1 + c3 + c5 + pool]`.
#[derive(Clone, Debug)]
pub struct SimpleInception {
    path: Arc<str>,
    conv1: Conv2d,
    conv3: [Conv2d; 2],
    conv5: [Conv2d; 2],
    max_pool: MaxPool2d,
    pool: Conv2d,
}

impl SimpleInception {
    /// Registers the parameters.
    pub fn new(b: &mut Builder<'_>, c_in: usize, config: &InceptionConfig) -> Self {
        let c = config;
        Self {
            conv1: plain(&mut b.at("conv1"), 1, c_in, c.c1),
            conv3: [
                plain(&mut b.at("conv3").at("0"), 1, c_in, c.c3_reduce),
                plain(&mut b.at("conv3").at("1"), 3, c.c3_reduce, c.c3),
            ],
            conv5: [
                plain(&mut b.at("conv5").at("0"), 1, c_in, c.c5_reduce),
                plain(&mut b.at("conv5").at("1"), 5, c.c5_reduce, c.c5),
            ],
            max_pool: MaxPool2d::new(&b.at("pool").at("0"), Window::square(3).padding(1)),
            pool: plain(&mut b.at("pool").at("1"), 1, c_in, c.pool),
            path: b.path(),
        }
    }
}

/// A biased convolution that keeps rows and columns.
pub(crate) fn plain(b: &mut Builder<'_>, side: usize, c_in: usize, c_out: usize) -> Conv2d {
    let config = Conv2dConfig {
        window: Window::square(side).padding(side / 2),
        c_in,
        c_out,
        bias: Bias::With,
        before: Activation::None,
    };
    Conv2d::new(b, &config)
}

impl Module for SimpleInception {
    fn forward(&self, x: Var, ctx: &mut Ctx<'_>) -> Result<Var, GraphError> {
        let y1 = self.conv1.forward(x, ctx)?; // [n, h, w, c1]
        let reduced = self.conv3[0].forward(x, ctx)?; // [n, h, w, c3_reduce]
        let y3 = self.conv3[1].forward(reduced, ctx)?; // [n, h, w, c3]
        let reduced = self.conv5[0].forward(x, ctx)?; // [n, h, w, c5_reduce]
        let y5 = self.conv5[1].forward(reduced, ctx)?; // [n, h, w, c5]
        let pooled = self.max_pool.forward(x, ctx)?; // [n, h, w, c_in]
        let pool = self.pool.forward(pooled, ctx)?; // [n, h, w, pool]
        ctx.graph.concat(&self.path, &[y1, y3, y5, pool]) // [n, h, w, c1 + c3 + c5 + pool]
    }
}
