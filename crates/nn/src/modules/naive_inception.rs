//! The Inception module without dimension reductions.

use super::{BasicConv2d, ConvStyle, InceptionConfig, MaxPool2d};
use crate::{Builder, Ctx, Module};
use inception_autograd::{GraphError, Var};
use inception_ops::Window;
use std::sync::Arc;

/// The module that the paper begins with, and rejects for its cost: 1×1, 3×3 and 5×5
/// convolutions and a 3×3 max pool read one map; the pool passes all its channels on.
///
/// Keys: `branch1`, `branch2`, `branch3`, each a [`BasicConv2d`].
///
/// # Shapes
/// `[n, h, w, c_in]` → `[n, h, w, c1 + c3 + c5 + c_in]`.
///
/// # Sources
/// Szegedy et al. 2014, *Going Deeper with Convolutions*, figure 2a.
#[derive(Clone, Debug)]
pub struct NaiveInception {
    path: Arc<str>,
    branch1: BasicConv2d,
    branch2: BasicConv2d,
    branch3: BasicConv2d,
    branch4: MaxPool2d,
}

impl NaiveInception {
    /// Registers the parameters; of `config` the reductions and the projection are not used.
    pub fn new(
        b: &mut Builder<'_>,
        style: ConvStyle,
        c_in: usize,
        config: &InceptionConfig,
    ) -> Self {
        let mut conv = |branch: &str, side: usize, c_out: usize| {
            let window = Window::square(side).padding(side / 2);
            BasicConv2d::new(&mut b.at(branch), style, window, c_in, c_out)
        };
        Self {
            branch1: conv("branch1", 1, config.c1),
            branch2: conv("branch2", 3, config.c3),
            branch3: conv("branch3", 5, config.c5),
            branch4: MaxPool2d::new(&b.at("branch4"), Window::square(3).padding(1)),
            path: b.path(),
        }
    }
}

impl Module for NaiveInception {
    fn forward(&self, x: Var, ctx: &mut Ctx<'_>) -> Result<Var, GraphError> {
        let y1 = self.branch1.forward(x, ctx)?; // [n, h, w, c1]
        let y2 = self.branch2.forward(x, ctx)?; // [n, h, w, c3]
        let y3 = self.branch3.forward(x, ctx)?; // [n, h, w, c5]
        let y4 = self.branch4.forward(x, ctx)?; // [n, h, w, c_in]
        ctx.graph.concat(&self.path, &[y1, y2, y3, y4]) // [n, h, w, c1 + c3 + c5 + c_in]
    }
}
