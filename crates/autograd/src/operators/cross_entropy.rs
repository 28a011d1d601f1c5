//! Cross-entropy.

use super::one;
use crate::operator::{Operator, Output, Outputs};
use crate::{DType, Graph, GraphError, Io, Node, Var, differentiate::Tape};
use inception_ops::OpError;
use inception_ops::softmax::{self, Targets};
use inception_tensor::{Element, Shape};
use smallvec::{SmallVec, smallvec};

/// What logits are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// A class for each row.
    Labels,
    /// Shares of all classes, `[n, 1, 1, classes]`; each row adds up to 1.
    Shares,
}

impl TargetKind {
    /// Operand `i` of a run as such targets.
    fn read<'a, T: Element>(self, io: &Io<'a, T>, i: usize) -> Targets<'a, T> {
        match self {
            Self::Labels => Targets::Labels(io.labels(i)),
            Self::Shares => Targets::Shares(io.read(i)),
        }
    }
}

/// Mean softmax cross-entropy. Operands: logits `[n, 1, 1, classes]`, targets. Outputs: the
/// loss and the log-probabilities. Targets get no gradient.
#[derive(Clone, Debug, PartialEq)]
pub struct CrossEntropy {
    /// What the second operand is.
    pub targets: TargetKind,
    /// Share of the target that is spread over all classes.
    pub smoothing: f64,
}

impl Operator for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn infer(&self, inputs: &[Shape]) -> Result<Outputs, OpError> {
        let (logits, targets) = (inputs[0], inputs[1]);
        softmax::check(self.smoothing, logits)?;
        let (name, fit) = match self.targets {
            TargetKind::Labels => ("labels", targets.len() == logits.n),
            TargetKind::Shares => ("shares", targets == logits),
        };
        if !fit {
            return Err(OpError::Shape {
                op: "cross_entropy",
                detail: format!("{name} {targets} do not fit logits {logits}"),
            });
        }
        Ok(smallvec![Output::real(Shape::SCALAR), Output::real(logits)])
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
            targets: self.targets,
            smoothing: self.smoothing,
        };
        let operands = [node.outputs[1], node.inputs[1], dloss];
        Ok(smallvec![Some(tape.push_one(node, op, &operands)?), None])
    }

    fn run<T: Element>(&self, mut io: Io<'_, T>) {
        let (logits, targets) = (io.read(0), self.targets.read(&io, 1));
        let (mut loss, log_probs) = (io.write(0), io.write(1));
        let loss = &mut loss.dense_mut()[0];
        softmax::cross_entropy(io.pool, self.smoothing, logits, targets, log_probs, loss);
    }
}

/// Gradient with respect to the logits. Operands: log-probabilities, targets, dloss.
#[derive(Clone, Debug, PartialEq)]
pub struct CrossEntropyBackward {
    /// What the second operand is.
    pub targets: TargetKind,
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
        let (log_probs, targets) = (io.read(0), self.targets.read(&io, 1));
        let (pool, dloss, dlogits) = (io.pool, io.vector(2)[0], io.write(0));
        softmax::cross_entropy_backward(pool, self.smoothing, log_probs, targets, dloss, dlogits);
    }
}

impl Graph {
    /// Records the mean cross-entropy of `logits` against `targets`: labels where their type
    /// is [`DType::U32`], else shares of all classes.
    ///
    /// # Errors
    /// As [`Graph::push`].
    pub fn cross_entropy(
        &mut self,
        path: &str,
        smoothing: f64,
        logits: Var,
        targets: Var,
    ) -> Result<Var, GraphError> {
        let op = CrossEntropy {
            targets: match self.value_of(targets).dtype {
                DType::U32 => TargetKind::Labels,
                _ => TargetKind::Shares,
            },
            smoothing,
        };
        self.push_one(path, op, &[logits, targets])
    }
}
