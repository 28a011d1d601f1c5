//! Local response normalisation.

use super::one;
use crate::operator::{Operator, Outputs};
use crate::{Graph, GraphError, Io, Node, Var, differentiate::Tape};
use inception_ops::{OpError, lrn};
use inception_tensor::{Element, Shape};
use smallvec::{SmallVec, smallvec};

/// Normalisation across neighbouring channels. Operand: `x`.
#[derive(Clone, Debug, PartialEq)]
pub struct Lrn {
    /// Constants.
    pub lrn: lrn::Lrn,
}

impl Operator for Lrn {
    fn name(&self) -> &'static str {
        "lrn"
    }

    fn infer(&self, inputs: &[Shape]) -> Result<Outputs, OpError> {
        self.lrn.check()?;
        Ok(one(inputs[0]))
    }

    fn differentiate(
        &self,
        tape: &mut Tape<'_>,
        node: &Node,
        grads: &[Option<Var>],
    ) -> Result<SmallVec<[Option<Var>; 6]>, GraphError> {
        let dy = grads[0].expect("the only output has a gradient");
        let op = LrnBackward { lrn: self.lrn };
        Ok(smallvec![Some(tape.push_one(
            node,
            op,
            &[node.inputs[0], dy]
        )?)])
    }

    fn run<T: Element>(&self, mut io: Io<'_, T>) {
        let (x, y) = (io.read(0), io.write(0));
        lrn::forward(io.pool, &self.lrn, x, y);
    }
}

/// Gradient with respect to the input. Operands: `x`, `dy`.
#[derive(Clone, Debug, PartialEq)]
pub struct LrnBackward {
    /// Constants.
    pub lrn: lrn::Lrn,
}

impl Operator for LrnBackward {
    fn name(&self) -> &'static str {
        "lrn_backward"
    }

    fn infer(&self, inputs: &[Shape]) -> Result<Outputs, OpError> {
        Ok(one(inputs[0]))
    }

    fn run<T: Element>(&self, mut io: Io<'_, T>) {
        let (x, dy, dx) = (io.read(0), io.read(1), io.write(0));
        lrn::backward(io.pool, &self.lrn, x, dy, dx);
    }
}

impl Graph {
    /// Records a local response normalisation.
    ///
    /// # Errors
    /// As [`Graph::push`].
    pub fn lrn(&mut self, path: &str, lrn: lrn::Lrn, x: Var) -> Result<Var, GraphError> {
        self.push_one(path, Lrn { lrn }, &[x])
    }
}
