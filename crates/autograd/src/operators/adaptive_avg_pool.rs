//! Adaptive and global average pooling.

use super::one;
use crate::operator::{Operator, Outputs};
use crate::{Graph, GraphError, Io, Node, Var, differentiate::Tape};
use inception_ops::{OpError, adaptive_avg_pool};
use inception_tensor::{Element, Shape};
use smallvec::{SmallVec, smallvec};

/// Average over windows that divide the input evenly. Operand: `x`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdaptiveAvgPool {
    /// Rows and columns of the output; 1×1 is the global average.
    pub output: [usize; 2],
}

impl Operator for AdaptiveAvgPool {
    fn name(&self) -> &'static str {
        "adaptive_avg_pool"
    }

    fn infer(&self, inputs: &[Shape]) -> Result<Outputs, OpError> {
        Ok(one(adaptive_avg_pool::shape(self.output, inputs[0])?))
    }

    fn differentiate(
        &self,
        tape: &mut Tape<'_>,
        node: &Node,
        grads: &[Option<Var>],
    ) -> Result<SmallVec<[Option<Var>; 6]>, GraphError> {
        let op = AdaptiveAvgPoolBackward {
            input: tape.graph().shape(node.inputs[0]),
        };
        let dy = grads[0].expect("the only output has a gradient");
        Ok(smallvec![Some(tape.push_one(node, op, &[dy])?)])
    }

    fn run<T: Element>(&self, mut io: Io<'_, T>) {
        let (x, y) = (io.read(0), io.write(0));
        adaptive_avg_pool::forward(io.pool, x, y);
    }
}

/// Gradient with respect to the input. Operand: `dy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdaptiveAvgPoolBackward {
    /// The input's shape.
    pub input: Shape,
}

impl Operator for AdaptiveAvgPoolBackward {
    fn name(&self) -> &'static str {
        "adaptive_avg_pool_backward"
    }

    fn infer(&self, _inputs: &[Shape]) -> Result<Outputs, OpError> {
        Ok(one(self.input))
    }

    fn run<T: Element>(&self, mut io: Io<'_, T>) {
        let (dy, dx) = (io.read(0), io.write(0));
        adaptive_avg_pool::backward(io.pool, dy, dx);
    }
}

impl Graph {
    /// Records an average over windows that divide the input into `output` rows and columns.
    ///
    /// # Errors
    /// As [`Graph::push`].
    pub fn adaptive_avg_pool(
        &mut self,
        path: &str,
        output: [usize; 2],
        x: Var,
    ) -> Result<Var, GraphError> {
        self.push_one(path, AdaptiveAvgPool { output }, &[x])
    }

    /// Records the average over all pixels.
    ///
    /// # Errors
    /// As [`Graph::push`].
    pub fn global_avg_pool(&mut self, path: &str, x: Var) -> Result<Var, GraphError> {
        self.adaptive_avg_pool(path, [1, 1], x)
    }
}
