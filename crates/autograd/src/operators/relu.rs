//! Rectified linear unit.

use super::one;
use crate::operator::{Aliasing, Operator, Outputs};
use crate::{Graph, GraphError, Io, Node, Var, differentiate::Tape};
use inception_ops::{OpError, relu};
use inception_tensor::{Element, Shape};
use smallvec::{SmallVec, smallvec};

/// `y = max(x, 0)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relu;

impl Operator for Relu {
    fn name(&self) -> &'static str {
        "relu"
    }

    fn infer(&self, inputs: &[Shape]) -> Result<Outputs, OpError> {
        Ok(one(inputs[0]))
    }

    fn aliasing(&self) -> Aliasing {
        Aliasing::InPlace(0)
    }

    fn differentiate(
        &self,
        tape: &mut Tape<'_>,
        node: &Node,
        grads: &[Option<Var>],
    ) -> Result<SmallVec<[Option<Var>; 6]>, GraphError> {
        let dx = masked(tape, node, node.outputs[0], grads[0])?;
        Ok(smallvec![dx])
    }

    fn run<T: Element>(&self, mut io: Io<'_, T>) {
        let y = io.write(0);
        match io.read_unless_in_place(0) {
            Some(x) => relu::forward(io.pool, x, y),
            None => relu::forward_in_place(io.pool, y),
        }
    }
}

/// `dx` from operands `dy` and `y`: `dy` where `y > 0`, else 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReluBackward;

impl Operator for ReluBackward {
    fn name(&self) -> &'static str {
        "relu_backward"
    }

    fn infer(&self, inputs: &[Shape]) -> Result<Outputs, OpError> {
        Ok(one(inputs[0]))
    }

    fn aliasing(&self) -> Aliasing {
        Aliasing::InPlace(0)
    }

    fn run<T: Element>(&self, mut io: Io<'_, T>) {
        let (y, dx) = (io.read(1), io.write(0));
        match io.read_unless_in_place(0) {
            Some(dy) => relu::backward(io.pool, y, dy, dx),
            None => relu::backward_in_place(io.pool, y, dx),
        }
    }
}

/// The gradient in front of a ReLU whose output is `y`, fused or not.
pub(super) fn masked(
    tape: &mut Tape<'_>,
    node: &Node,
    y: Var,
    dy: Option<Var>,
) -> Result<Option<Var>, GraphError> {
    dy.map(|dy| tape.push_one(node, ReluBackward, &[dy, y]))
        .transpose()
}

impl Graph {
    /// Records `max(x, 0)`.
    ///
    /// # Errors
    /// As [`Graph::push`].
    pub fn relu(&mut self, path: &str, x: Var) -> Result<Var, GraphError> {
        self.push_one(path, Relu, &[x])
    }
}
