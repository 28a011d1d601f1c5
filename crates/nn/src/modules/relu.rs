//! Rectified linear unit.

use crate::{Builder, Ctx, Module};
use inception_autograd::{GraphError, Var};
use std::sync::Arc;

/// `max(x, 0)`.
#[derive(Clone, Debug)]
pub struct Relu {
    path: Arc<str>,
}

impl Relu {
    /// A ReLU at the builder's place.
    pub fn new(b: &Builder<'_>) -> Self {
        Self { path: b.path() }
    }
}

impl Module for Relu {
    fn forward(&self, x: Var, ctx: &mut Ctx<'_>) -> Result<Var, GraphError> {
        ctx.graph.relu(&self.path, x)
    }
}
