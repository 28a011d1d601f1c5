//! Pools, and the flattening behind them.

use crate::{Builder, Ctx, Module};
use inception_autograd::{GraphError, Var};
use inception_ops::{PadCount, Window};
use std::sync::Arc;

/// Maximum over a window.
#[derive(Clone, Debug)]
pub struct MaxPool2d {
    path: Arc<str>,
    window: Window,
}

impl MaxPool2d {
    /// A pool at the builder's place.
    pub fn new(b: &Builder<'_>, window: Window) -> Self {
        let path = b.path();
        Self { path, window }
    }
}

impl Module for MaxPool2d {
    fn forward(&self, x: Var, ctx: &mut Ctx<'_>) -> Result<Var, GraphError> {
        ctx.graph.max_pool(&self.path, self.window, x)
    }
}

/// Average over a window.
#[derive(Clone, Debug)]
pub struct AvgPool2d {
    path: Arc<str>,
    window: Window,
    count: PadCount,
}

impl AvgPool2d {
    /// A pool at the builder's place; `count` says whether padding counts.
    pub fn new(b: &Builder<'_>, window: Window, count: PadCount) -> Self {
        let path = b.path();
        Self {
            path,
            window,
            count,
        }
    }
}

impl Module for AvgPool2d {
    fn forward(&self, x: Var, ctx: &mut Ctx<'_>) -> Result<Var, GraphError> {
        ctx.graph.avg_pool(&self.path, self.window, self.count, x)
    }
}

/// Average over windows that divide the input evenly.
#[derive(Clone, Debug)]
pub struct AdaptiveAvgPool2d {
    path: Arc<str>,
    output: [usize; 2],
}

impl AdaptiveAvgPool2d {
    /// A pool at the builder's place with `output` rows and columns.
    pub fn new(b: &Builder<'_>, output: [usize; 2]) -> Self {
        let path = b.path();
        Self { path, output }
    }

    /// The average over all pixels.
    pub fn global(b: &Builder<'_>) -> Self {
        Self::new(b, [1, 1])
    }
}

impl Module for AdaptiveAvgPool2d {
    fn forward(&self, x: Var, ctx: &mut Ctx<'_>) -> Result<Var, GraphError> {
        ctx.graph.adaptive_avg_pool(&self.path, self.output, x)
    }
}

/// `[n, h, w, c]` as `[n, 1, 1, h·w·c]`.
#[derive(Clone, Debug)]
pub struct Flatten {
    path: Arc<str>,
}

impl Flatten {
    /// A flattening at the builder's place.
    pub fn new(b: &Builder<'_>) -> Self {
        Self { path: b.path() }
    }
}

impl Module for Flatten {
    fn forward(&self, x: Var, ctx: &mut Ctx<'_>) -> Result<Var, GraphError> {
        ctx.graph.flatten(&self.path, x)
    }
}
