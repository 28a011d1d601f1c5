//! Softmax.

use super::one;
use crate::operator::{Operator, Outputs};
use crate::{Graph, GraphError, Io, Var};
use inception_ops::{OpError, softmax};
use inception_tensor::{Element, Shape};

/// Probabilities of `[n, 1, 1, classes]` logits; for inference, so it has no gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Softmax;

impl Operator for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn infer(&self, inputs: &[Shape]) -> Result<Outputs, OpError> {
        softmax::check(0.0, inputs[0])?;
        Ok(one(inputs[0]))
    }

    fn run<T: Element>(&self, mut io: Io<'_, T>) {
        let (x, y) = (io.read(0), io.write(0));
        softmax::forward(io.pool, x, y);
    }
}

impl Graph {
    /// Records probabilities of `logits`.
    ///
    /// # Errors
    /// As [`Graph::push`].
    pub fn softmax(&mut self, path: &str, logits: Var) -> Result<Var, GraphError> {
        self.push_one(path, Softmax, &[logits])
    }
}
