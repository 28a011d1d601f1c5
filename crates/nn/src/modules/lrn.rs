//! Local response normalisation.

use crate::{Builder, Ctx, Module};
use inception_autograd::{GraphError, Var};
use inception_ops::lrn::Lrn;
use std::sync::Arc;

/// Divides each channel by the energy of its neighbours.
#[derive(Clone, Debug)]
pub struct LocalResponseNorm {
    path: Arc<str>,
    lrn: Lrn,
}

impl LocalResponseNorm {
    /// A normalisation at the builder's place.
    pub fn new(b: &Builder<'_>, lrn: Lrn) -> Self {
        let path = b.path();
        Self { path, lrn }
    }
}

impl Module for LocalResponseNorm {
    fn forward(&self, x: Var, ctx: &mut Ctx<'_>) -> Result<Var, GraphError> {
        ctx.graph.lrn(&self.path, self.lrn, x)
    }
}
