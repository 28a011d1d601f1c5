//! Average pooling.

use super::one;
use crate::operator::{Operator, Outputs};
use crate::{Graph, GraphError, Io, Node, Var, differentiate::Tape};
use inception_ops::{OpError, PadCount, Window, avg_pool};
use inception_tensor::{Element, Shape};
use smallvec::{SmallVec, smallvec};

/// Average over a window. Operand: `x`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AvgPool {
    /// The window.
    pub window: Window,
    /// Whether padding counts.
    pub count: PadCount,
}

impl Operator for AvgPool {
    fn name(&self) -> &'static str {
        "avg_pool"
    }

    fn infer(&self, inputs: &[Shape]) -> Result<Outputs, OpError> {
        Ok(one(avg_pool::shape(&self.window, inputs[0])?))
    }

    fn differentiate(
        &self,
        tape: &mut Tape<'_>,
        node: &Node,
        grads: &[Option<Var>],
    ) -> Result<SmallVec<[Option<Var>; 6]>, GraphError> {
        let op = AvgPoolBackward {
            pool: self.clone(),
            input: tape.graph().shape(node.inputs[0]),
        };
        let dy = grads[0].expect("the only output has a gradient");
        Ok(smallvec![Some(tape.push_one(node, op, &[dy])?)])
    }

    fn run<T: Element>(&self, mut io: Io<'_, T>) {
        let (x, y) = (io.read(0), io.write(0));
        avg_pool::forward(io.pool, &self.window, self.count, x, y);
    }
}

/// Gradient with respect to the input. Operand: `dy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AvgPoolBackward {
    /// The pool.
    pub pool: AvgPool,
    /// The input's shape.
    pub input: Shape,
}

impl Operator for AvgPoolBackward {
    fn name(&self) -> &'static str {
        "avg_pool_backward"
    }

    fn infer(&self, _inputs: &[Shape]) -> Result<Outputs, OpError> {
        Ok(one(self.input))
    }

    fn run<T: Element>(&self, mut io: Io<'_, T>) {
        let (dy, dx) = (io.read(0), io.write(0));
        avg_pool::backward(io.pool, &self.pool.window, self.pool.count, dy, dx);
    }
}

impl Graph {
    /// Records an average pool.
    ///
    /// # Errors
    /// As [`Graph::push`].
    pub fn avg_pool(
        &mut self,
        path: &str,
        window: Window,
        count: PadCount,
        x: Var,
    ) -> Result<Var, GraphError> {
        self.push_one(path, AvgPool { window, count }, &[x])
    }
}
