//! Weighted sums, and constants.

use super::one;
use super::relu::masked;
use crate::operator::{Aliasing, Operator, Outputs};
use crate::{Graph, GraphError, Io, Node, Var, differentiate::Tape};
use inception_ops::{Activation, OpError, sum};
use inception_tensor::{Element, Shape, View};
use smallvec::{SmallVec, smallvec};

/// `y = activation(Σ scales[i]·x[i])`. Operands: maps of one shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Sum {
    /// Factor of each operand.
    pub scales: SmallVec<[f64; 4]>,
    /// Applied to the sum.
    pub activation: Activation,
}

impl Operator for Sum {
    fn name(&self) -> &'static str {
        "sum"
    }

    fn infer(&self, inputs: &[Shape]) -> Result<Outputs, OpError> {
        assert_eq!(inputs.len(), self.scales.len(), "a factor for each operand");
        Ok(one(sum::shape(inputs)?))
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
        let dy = match self.activation {
            Activation::Relu => masked(tape, node, node.outputs[0], grads[0])?,
            Activation::None => grads[0],
        };
        let dy = dy.expect("the only output has a gradient");
        let mut result = smallvec![];
        for (&var, &scale) in node.inputs.iter().zip(&self.scales) {
            result.push(match (tape.needs(var), scale == 1.0) {
                (false, _) => None,
                (true, true) => Some(dy),
                (true, false) => {
                    let op = Self {
                        scales: smallvec![scale],
                        activation: Activation::None,
                    };
                    Some(tape.push_one(node, op, &[dy])?)
                }
            });
        }
        Ok(result)
    }

    fn run<T: Element>(&self, mut io: Io<'_, T>) {
        let y = io.write(0);
        let first = usize::from(io.read_unless_in_place(0).is_none());
        let xs: SmallVec<[View<'_, T>; 8]> = (first..io.len()).map(|i| io.read(i)).collect();
        let (pool, scales) = (io.pool, &self.scales);
        match first {
            0 => sum::forward(pool, &xs, scales, self.activation, y),
            _ => sum::forward_in_place(pool, scales[0], &xs, &scales[1..], self.activation, y),
        }
    }
}

/// A constant map. No operands.
#[derive(Clone, Debug, PartialEq)]
pub struct Fill {
    /// Extent.
    pub shape: Shape,
    /// Every number.
    pub value: f64,
}

impl Operator for Fill {
    fn name(&self) -> &'static str {
        "fill"
    }

    fn infer(&self, _inputs: &[Shape]) -> Result<Outputs, OpError> {
        Ok(one(self.shape))
    }

    fn run<T: Element>(&self, mut io: Io<'_, T>) {
        io.write(0).fill(T::of(self.value));
    }
}

impl Graph {
    /// Records a map that holds `value` everywhere.
    ///
    /// # Errors
    /// As [`Graph::push`].
    pub fn fill(&mut self, path: &str, shape: Shape, value: f64) -> Result<Var, GraphError> {
        self.push_one(path, Fill { shape, value }, &[])
    }

    /// Records `Σ scale·x` over `terms`.
    ///
    /// # Errors
    /// As [`Graph::push`].
    pub fn sum(&mut self, path: &str, terms: &[(Var, f64)]) -> Result<Var, GraphError> {
        let op = Sum {
            scales: terms.iter().map(|t| t.1).collect(),
            activation: Activation::None,
        };
        let operands: SmallVec<[Var; 8]> = terms.iter().map(|t| t.0).collect();
        self.push_one(path, op, &operands)
    }
}
