//! Dropout.

use crate::{Builder, Ctx, Mode, Module};
use inception_autograd::{GraphError, Var};
use std::sync::Arc;

/// Zeroes inputs at random in training, and scales the others up so that the mean stays.
#[derive(Clone, Debug)]
pub struct Dropout {
    path: Arc<str>,
    rate: f64,
}

impl Dropout {
    /// Zeroes a share `rate` of the inputs; 0 records nothing.
    pub fn new(b: &Builder<'_>, rate: f64) -> Self {
        let path = b.path();
        Self { path, rate }
    }
}

impl Module for Dropout {
    fn forward(&self, x: Var, ctx: &mut Ctx<'_>) -> Result<Var, GraphError> {
        if ctx.mode == Mode::Eval || self.rate == 0.0 {
            return Ok(x);
        }
        ctx.graph.dropout(&self.path, self.rate, x)
    }
}
