//! Concatenation along channels, and its inverse: each is the other's gradient.

use super::one;
use crate::operator::{Aliasing, Operator, Output, Outputs};
use crate::{DType, Graph, GraphError, Io, Node, Var, differentiate::Tape, io::InIo};
use inception_ops::{OpError, concat, stored};
use inception_tensor::{Bf16, Element, Shape};
use smallvec::{SmallVec, smallvec};

/// Channels of all operands side by side. A plan places the operands inside the output, so
/// that nothing is left to do; one that could not be placed is copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Concat {
    /// Channels of each operand.
    pub channels: SmallVec<[usize; 4]>,
}

impl Operator for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }

    fn infer(&self, inputs: &[Shape]) -> Result<Outputs, OpError> {
        debug_assert!(inputs.iter().map(|x| x.c).eq(self.channels.iter().copied()));
        Ok(one(concat::shape(inputs)?))
    }

    fn aliasing(&self) -> Aliasing {
        Aliasing::Concat
    }

    fn differentiate(
        &self,
        tape: &mut Tape<'_>,
        node: &Node,
        grads: &[Option<Var>],
    ) -> Result<SmallVec<[Option<Var>; 6]>, GraphError> {
        let op = Split {
            channels: self.channels.clone(),
        };
        let dy = grads[0].expect("the only output has a gradient");
        Ok(tape.push(node, op, &[dy])?.into_iter().map(Some).collect())
    }

    fn run<T: Element>(&self, mut io: Io<'_, T>) {
        // Operands that lie inside the output already are in place.
        match io.output_type(0) {
            Some(DType::Bf16) => return self.run_stored::<T, Bf16>(io),
            Some(DType::Int8) => return self.run_stored::<T, u8>(io),
            _ => {}
        }
        let mut y = io.write(0);
        let mut start = 0;
        for (i, &c) in self.channels.iter().enumerate() {
            if let Some(x) = io.read_unless_in_place(i) {
                concat::copy(io.pool, x, y.reborrow().channels(start, c));
            }
            start += c;
        }
    }
}

impl Concat {
    fn run_stored<T: Element, S: InIo>(&self, mut io: Io<'_, T>) {
        let mut y = io.write_stored::<S>(0);
        let mut start = 0;
        for (i, &c) in self.channels.iter().enumerate() {
            if let Some(x) = io.read_stored_unless_in_place::<S>(i) {
                stored::copy(io.pool, x, y.reborrow().channels(start, c));
            }
            start += c;
        }
    }
}

/// Channels of the operand apart again. A plan places the outputs inside the operand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Channels of each output.
    pub channels: SmallVec<[usize; 4]>,
}

impl Operator for Split {
    fn name(&self) -> &'static str {
        "split"
    }

    fn infer(&self, inputs: &[Shape]) -> Result<Outputs, OpError> {
        let x = inputs[0];
        if self.channels.iter().sum::<usize>() != x.c {
            return Err(OpError::Shape {
                op: "split",
                detail: format!("{x} does not divide into channels {:?}", self.channels),
            });
        }
        let part = |&c: &usize| Output::real(x.with_channels(c));
        Ok(self.channels.iter().map(part).collect())
    }

    fn aliasing(&self) -> Aliasing {
        Aliasing::Split
    }

    fn differentiate(
        &self,
        tape: &mut Tape<'_>,
        node: &Node,
        grads: &[Option<Var>],
    ) -> Result<SmallVec<[Option<Var>; 6]>, GraphError> {
        let mut parts: SmallVec<[Var; 4]> = smallvec![];
        for (grad, &out) in grads.iter().zip(&node.outputs) {
            parts.push(match grad {
                Some(grad) => *grad,
                None => {
                    let shape = tape.graph().shape(out);
                    tape.push_one(node, super::Fill { shape, value: 0.0 }, &[])?
                }
            });
        }
        let op = Concat {
            channels: self.channels.clone(),
        };
        Ok(smallvec![Some(tape.push_one(node, op, &parts)?)])
    }

    fn optional(&self, _output: usize) -> bool {
        true
    }

    fn run<T: Element>(&self, mut io: Io<'_, T>) {
        let x = io.read(0);
        let mut start = 0;
        for (i, &c) in self.channels.iter().enumerate() {
            if let Some(y) = io.write_if_used(i) {
                concat::copy(io.pool, x.channels(start, c), y);
            }
            start += c;
        }
    }
}

impl Graph {
    /// Records the concatenation of `xs` along channels.
    ///
    /// # Errors
    /// As [`Graph::push`].
    pub fn concat(&mut self, path: &str, xs: &[Var]) -> Result<Var, GraphError> {
        let channels = xs.iter().map(|&x| self.shape(x).c).collect();
        self.push_one(path, Concat { channels }, xs)
    }
}
