//! Cross-entropy against shares of several classes.

use super::one;
use crate::operator::{Operator, Output, Outputs};
use crate::{Graph, GraphError, Io, Node, Var, differentiate::Tape};
use inception_ops::{OpError, softmax};
use inception_tensor::{Element, Shape};
use smallvec::{SmallVec, smallvec};

/// Mean softmax cross-entropy. Operands: logits and targets, `[n, 1, 1, classes]` both, each
/// row of targets adding up to 1. Outputs: the loss and the log-probabilities. Targets get no
/// gradient.
#[derive(Clone, Debug, PartialEq)]
pub struct SoftCrossEntropy {
    /// Share of the target that is spread over all classes.
    pub smoothing: f64,
}

impl Operator for SoftCrossEntropy {
    fn name(&self) -> &'static str {
        "soft_cross_entropy"
    }

    fn infer(&self, inputs: &[Shape]) -> Result<Outputs, OpError> {
        softmax::check(self.smoothing, inputs[0])?;
        if inputs[1] != inputs[0] {
            return Err(OpError::Shape {
                op: "soft_cross_entropy",
                detail: format!("targets {} do not fit logits {}", inputs[1], inputs[0]),
            });
        }
        Ok(smallvec![
            Output::real(Shape::SCALAR),
            Output::real(inputs[0])
        ])
    }

    fn differentiate(
        &self,
        tape: &mut Tape<'_>,
        node: &Node,
        grads: &[Option<Var>],
    ) -> Result<SmallVec<[Option<Var>; 6]>, GraphError> {
        let Some(dloss) = grads[0] else {
            return Err(GraphError::NotDifferentiable {
                path: node.path.to_string(),
                op: "soft_cross_entropy log-probabilities",
            });
        };
        let op = SoftCrossEntropyBackward {
            smoothing: self.smoothing,
        };
        let operands = [node.outputs[1], node.inputs[1], dloss];
        Ok(smallvec![Some(tape.push_one(node, op, &operands)?), None])
    }

    fn run<T: Element>(&self, mut io: Io<'_, T>) {
        let (logits, targets) = (io.read(0), io.read(1));
        let (mut loss, log_probs) = (io.write(0), io.write(1));
        let loss = &mut loss.dense_mut()[0];
        softmax::soft_cross_entropy(io.pool, self.smoothing, logits, targets, log_probs, loss);
    }
}

/// Gradient with respect to the logits. Operands: log-probabilities, targets, dloss.
#[derive(Clone, Debug, PartialEq)]
pub struct SoftCrossEntropyBackward {
    /// Share of the target that is spread over all classes.
    pub smoothing: f64,
}

impl Operator for SoftCrossEntropyBackward {
    fn name(&self) -> &'static str {
        "soft_cross_entropy_backward"
    }

    fn infer(&self, inputs: &[Shape]) -> Result<Outputs, OpError> {
        Ok(one(inputs[0]))
    }

    fn run<T: Element>(&self, mut io: Io<'_, T>) {
        let (log_probs, targets, dloss) = (io.read(0), io.read(1), io.vector(2)[0]);
        let (pool, smoothing, dlogits) = (io.pool, self.smoothing, io.write(0));
        softmax::soft_cross_entropy_backward(pool, smoothing, log_probs, targets, dloss, dlogits);
    }
}

impl Graph {
    /// Records the mean cross-entropy of `logits` against `targets`, the shares of classes.
    ///
    /// # Errors
    /// As [`Graph::push`].
    pub fn soft_cross_entropy(
        &mut self,
        path: &str,
        smoothing: f64,
        logits: Var,
        targets: Var,
    ) -> Result<Var, GraphError> {
        self.push_one(path, SoftCrossEntropy { smoothing }, &[logits, targets])
    }
}
