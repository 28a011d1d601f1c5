//! The Inception module with dimension reductions.

use super::{BasicConv2d, ConvStyle, MaxPool2d};
use crate::{Builder, Ctx, Module};
use inception_autograd::{GraphError, Var};
use inception_ops::Window;
use std::sync::Arc;

/// A row of the paper's Table 1: output channels of each convolution of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InceptionConfig {
    /// `#1×1`.
    pub c1: usize,
    /// `#3×3 reduce`.
    pub c3_reduce: usize,
    /// `#3×3`.
    pub c3: usize,
    /// `#5×5 reduce`.
    pub c5_reduce: usize,
    /// `#5×5`.
    pub c5: usize,
    /// `pool proj`.
    pub pool: usize,
}

impl InceptionConfig {
    /// The columns of Table 1, in its order.
    pub const fn new(columns: [usize; 6]) -> Self {
        let [c1, c3_reduce, c3, c5_reduce, c5, pool] = columns;
        Self {
            c1,
            c3_reduce,
            c3,
            c5_reduce,
            c5,
            pool,
        }
    }

    /// Channels of the output: those of the four branches.
    pub const fn c_out(&self) -> usize {
        self.c1 + self.c3 + self.c5 + self.pool
    }
}

/// Four branches that read one map, side by side in channels: 1×1; 1×1 and 3×3; 1×1 and
/// 5×5 (3×3 in torchvision); 3×3 max pool and 1×1. Every convolution ends in a ReLU.
///
/// Keys: `branch1`, `branch2.{0,1}`, `branch3.{0,1}`, `branch4.1`, each a [`BasicConv2d`].
///
/// # Shapes
/// `[n, h, w, c_in]` → `[n, h, w, c1 + c3 + c5 + pool]`.
///
/// # Sources
/// Szegedy et al. 2014, *Going Deeper with Convolutions*, figure 2b.
#[derive(Clone, Debug)]
pub struct Inception {
    path: Arc<str>,
    branch1: BasicConv2d,
    branch2: [BasicConv2d; 2],
    branch3: [BasicConv2d; 2],
    branch4_pool: MaxPool2d,
    branch4: BasicConv2d,
}

impl Inception {
    /// Registers the parameters; `third_kernel` is the side of the third branch's filter.
    pub fn new(
        b: &mut Builder<'_>,
        style: ConvStyle,
        third_kernel: usize,
        c_in: usize,
        config: &InceptionConfig,
    ) -> Self {
        let mut conv = |branch: &str, place: &str, side: usize, c_in: usize, c_out: usize| {
            let window = Window::square(side).padding(side / 2);
            let mut branch = b.at(branch);
            match place {
                "" => BasicConv2d::new(&mut branch, style, window, c_in, c_out),
                _ => BasicConv2d::new(&mut branch.at(place), style, window, c_in, c_out),
            }
        };
        let c = config;
        Self {
            branch1: conv("branch1", "", 1, c_in, c.c1),
            branch2: [
                conv("branch2", "0", 1, c_in, c.c3_reduce),
                conv("branch2", "1", 3, c.c3_reduce, c.c3),
            ],
            branch3: [
                conv("branch3", "0", 1, c_in, c.c5_reduce),
                conv("branch3", "1", third_kernel, c.c5_reduce, c.c5),
            ],
            branch4: conv("branch4", "1", 1, c_in, c.pool),
            branch4_pool: MaxPool2d::new(&b.at("branch4").at("0"), Window::square(3).padding(1)),
            path: b.path(),
        }
    }
}

impl Module for Inception {
    fn forward(&self, x: Var, ctx: &mut Ctx<'_>) -> Result<Var, GraphError> {
        let y1 = self.branch1.forward(x, ctx)?; // [n, h, w, c1]
        let reduced = self.branch2[0].forward(x, ctx)?; // [n, h, w, c3_reduce]
        let y2 = self.branch2[1].forward(reduced, ctx)?; // [n, h, w, c3]
        let reduced = self.branch3[0].forward(x, ctx)?; // [n, h, w, c5_reduce]
        let y3 = self.branch3[1].forward(reduced, ctx)?; // [n, h, w, c5]
        let pooled = self.branch4_pool.forward(x, ctx)?; // [n, h, w, c_in]
        let y4 = self.branch4.forward(pooled, ctx)?; // [n, h, w, pool]
        ctx.graph.concat(&self.path, &[y1, y2, y3, y4]) // [n, h, w, c1 + c3 + c5 + pool]
    }
}
