//! One module after the other.

use crate::{Ctx, Module};
use inception_autograd::{GraphError, Var};

/// Modules that each read the one before.
#[derive(Debug)]
pub struct Sequential {
    modules: Vec<Box<dyn Module>>,
}

impl Sequential {
    /// `modules` in order; their paths are theirs.
    pub fn new(modules: Vec<Box<dyn Module>>) -> Self {
        Self { modules }
    }
}

impl Module for Sequential {
    fn forward(&self, x: Var, ctx: &mut Ctx<'_>) -> Result<Var, GraphError> {
        self.modules
            .iter()
            .try_fold(x, |x, module| module.forward(x, ctx))
    }
}
