//! Max pooling.

use super::one;
use crate::operator::{Operator, Output, Outputs};
use crate::{DType, Graph, GraphError, Io, Node, Var, differentiate::Tape};
use inception_ops::{OpError, Window, max_pool};
use inception_tensor::{Element, Shape};
use smallvec::{SmallVec, smallvec};

/// Maximum over a window. Operand: `x`. Outputs: `y`, and which pixel won, a byte each,
/// which is written only where a backward pass reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaxPool {
    /// The window.
    pub window: Window,
}

impl Operator for MaxPool {
    fn name(&self) -> &'static str {
        "max_pool"
    }

    fn infer(&self, inputs: &[Shape]) -> Result<Outputs, OpError> {
        let shape = max_pool::shape(&self.window, inputs[0])?;
        let winners = Output {
            shape,
            dtype: DType::U8,
        };
        Ok(smallvec![Output::real(shape), winners])
    }

    fn differentiate(
        &self,
        tape: &mut Tape<'_>,
        node: &Node,
        grads: &[Option<Var>],
    ) -> Result<SmallVec<[Option<Var>; 6]>, GraphError> {
        let op = MaxPoolBackward {
            window: self.window,
            input: tape.graph().shape(node.inputs[0]),
        };
        let dy = grads[0].expect("bytes have no gradient");
        let dx = tape.push_one(node, op, &[dy, node.outputs[1]])?;
        Ok(smallvec![Some(dx)])
    }

    fn optional(&self, output: usize) -> bool {
        output == 1
    }

    fn run<T: Element>(&self, mut io: Io<'_, T>) {
        let (x, y, winners) = (io.read(0), io.write(0), io.write_bytes(1));
        max_pool::forward(io.pool, &self.window, x, y, winners);
    }
}

/// Gradient with respect to the input. Operands: `dy`, winners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaxPoolBackward {
    /// The pool's window.
    pub window: Window,
    /// The input's shape.
    pub input: Shape,
}

impl Operator for MaxPoolBackward {
    fn name(&self) -> &'static str {
        "max_pool_backward"
    }

    fn infer(&self, _inputs: &[Shape]) -> Result<Outputs, OpError> {
        Ok(one(self.input))
    }

    fn run<T: Element>(&self, mut io: Io<'_, T>) {
        let (dy, winners, dx) = (io.read(0), io.bytes(1), io.write(0));
        max_pool::backward(io.pool, &self.window, dy, winners, dx);
    }
}

impl Graph {
    /// Records a max pool.
    ///
    /// # Errors
    /// As [`Graph::push`].
    pub fn max_pool(&mut self, path: &str, window: Window, x: Var) -> Result<Var, GraphError> {
        self.push_one(path, MaxPool { window }, &[x])
    }
}
