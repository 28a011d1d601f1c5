//! Softmax and cross-entropy.

use super::one;
use crate::operator::{Operator, Output, Outputs};
use crate::{Graph, GraphError, Io, Node, Var, differentiate::Tape};
use inception_ops::{OpError, softmax};
use inception_tensor::{Element, Shape};
use smallvec::{SmallVec, smallvec};

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

/// Mean softmax cross-entropy. Operands: logits `[n, 1, 1, classes]`, labels. Outputs: the
/// loss and the log-probabilities.
#[derive(Clone, Debug, PartialEq)]
pub struct CrossEntropy {
    /// Share of the target that is spread over all classes.
    pub smoothing: f64,
}

impl Operator for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn infer(&self, inputs: &[Shape]) -> Result<Outputs, OpError> {
        softmax::check(self.smoothing, inputs[0])?;
        if inputs[1].len() != inputs[0].n {
            return Err(OpError::Shape {
                op: "cross_entropy",
                detail: format!("labels {} do not fit logits {}", inputs[1], inputs[0]),
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
                op: "cross_entropy log-probabilities",
            });
        };
        let op = CrossEntropyBackward {
            smoothing: self.smoothing,
        };
        let operands = [node.outputs[1], node.inputs[1], dloss];
        Ok(smallvec![Some(tape.push_one(node, op, &operands)?), None])
    }

    fn run<T: Element>(&self, mut io: Io<'_, T>) {
        let (logits, labels) = (io.read(0), io.labels(1));
        let (mut loss, log_probs) = (io.write(0), io.write(1));
        let loss = &mut loss.dense_mut()[0];
        softmax::cross_entropy(io.pool, self.smoothing, logits, labels, log_probs, loss);
    }
}

/// Gradient with respect to the logits. Operands: log-probabilities, labels, dloss.
#[derive(Clone, Debug, PartialEq)]
pub struct CrossEntropyBackward {
    /// Share of the target that is spread over all classes.
    pub smoothing: f64,
}

impl Operator for CrossEntropyBackward {
    fn name(&self) -> &'static str {
        "cross_entropy_backward"
    }

    fn infer(&self, inputs: &[Shape]) -> Result<Outputs, OpError> {
        Ok(one(inputs[0]))
    }

    fn run<T: Element>(&self, mut io: Io<'_, T>) {
        let (log_probs, labels, dloss) = (io.read(0), io.labels(1), io.vector(2)[0]);
        let dlogits = io.write(0);
        softmax::cross_entropy_backward(io.pool, self.smoothing, log_probs, labels, dloss, dlogits);
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

    /// Records the mean cross-entropy of `logits` against `labels`.
    ///
    /// # Errors
    /// As [`Graph::push`].
    pub fn cross_entropy(
        &mut self,
        path: &str,
        smoothing: f64,
        logits: Var,
        labels: Var,
    ) -> Result<Var, GraphError> {
        self.push_one(path, CrossEntropy { smoothing }, &[logits, labels])
    }
}
