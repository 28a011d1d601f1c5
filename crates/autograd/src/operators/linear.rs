//! Fully connected layers.

use super::relu::masked;
use super::{algorithm, one};
use crate::operator::{Operator, Output, Outputs};
use crate::{Graph, GraphError, Io, Node, Var, differentiate::Tape, io::into_vector};
use inception_ops::conv2d::Algorithm;
use inception_ops::{Activation, OpError, linear};
use inception_tensor::{Element, Kernel, Shape};
use smallvec::{SmallVec, smallvec};
use std::borrow::Cow;

/// `y = activation(x·w + b)`. Operands: `x` `[n, 1, 1, in]`, weight `[1, 1, in, out]` and,
/// where `bias` says so, the bias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linear {
    /// Whether there is a bias.
    pub bias: bool,
    /// Applied to the output.
    pub activation: Activation,
}

impl Operator for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn infer(&self, inputs: &[Shape]) -> Result<Outputs, OpError> {
        Ok(one(linear::shape(inputs[0], inputs[1])?))
    }

    fn macs(&self, inputs: &[Shape], _outputs: &[Shape]) -> u64 {
        inputs[0].rows() as u64 * inputs[1].len() as u64
    }

    fn differentiate(
        &self,
        tape: &mut Tape<'_>,
        node: &Node,
        grads: &[Option<Var>],
    ) -> Result<SmallVec<[Option<Var>; 6]>, GraphError> {
        let mut result = smallvec![None; node.inputs.len()];
        let dy = match self.activation {
            Activation::Relu => masked(tape, node, node.outputs[0], grads[0])?,
            Activation::None => grads[0],
        };
        let dy = dy.expect("the only output has a gradient");
        let (x, weight) = (node.inputs[0], node.inputs[1]);
        if tape.needs(weight) || (self.bias && tape.needs(node.inputs[2])) {
            let outputs = tape.push(node, LinearBackwardWeight, &[x, dy])?;
            result[1] = Some(outputs[0]);
            if self.bias {
                result[2] = Some(outputs[1]);
            }
        }
        if tape.needs(x) {
            result[0] = Some(tape.push_one(node, LinearBackwardInput, &[dy, weight])?);
        }
        Ok(result)
    }

    fn algorithm(
        &self,
        kernel: Kernel,
        _inputs: &[Shape],
        _outputs: &[Shape],
    ) -> Option<Cow<'static, str>> {
        Some(algorithm(Algorithm::Direct, kernel))
    }

    fn run<T: Element>(&self, mut io: Io<'_, T>) {
        let (x, weight) = (io.read(0), io.read(1));
        let bias = self.bias.then(|| io.vector(2));
        let y = io.write(0);
        linear::forward(io.pool, x, weight, bias, self.activation, y);
    }
}

/// `dx = dy·wᵀ`. Operands: `dy`, weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinearBackwardInput;

impl Operator for LinearBackwardInput {
    fn name(&self) -> &'static str {
        "linear_backward_input"
    }

    fn infer(&self, inputs: &[Shape]) -> Result<Outputs, OpError> {
        Ok(one(Shape::matrix(inputs[0].n, inputs[1].w)))
    }

    fn macs(&self, inputs: &[Shape], _outputs: &[Shape]) -> u64 {
        inputs[0].rows() as u64 * inputs[1].len() as u64
    }

    fn algorithm(
        &self,
        kernel: Kernel,
        _inputs: &[Shape],
        _outputs: &[Shape],
    ) -> Option<Cow<'static, str>> {
        Some(algorithm(Algorithm::Direct, kernel))
    }

    fn run<T: Element>(&self, mut io: Io<'_, T>) {
        let (dy, weight, dx) = (io.read(0), io.read(1), io.write(0));
        linear::backward_input(io.pool, dy, weight, dx);
    }
}

/// `dw = xᵀ·dy` and `db = Σ dy`. Operands: `x`, `dy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinearBackwardWeight;

impl Operator for LinearBackwardWeight {
    fn name(&self) -> &'static str {
        "linear_backward_weight"
    }

    fn infer(&self, inputs: &[Shape]) -> Result<Outputs, OpError> {
        let (x, dy) = (inputs[0], inputs[1]);
        Ok(smallvec![
            Output::real(Shape::new(1, 1, x.c, dy.c)),
            Output::real(Shape::vector(dy.c)),
        ])
    }

    fn macs(&self, inputs: &[Shape], _outputs: &[Shape]) -> u64 {
        inputs[0].len() as u64 * inputs[1].c as u64
    }

    fn optional(&self, output: usize) -> bool {
        output == 1
    }

    fn algorithm(
        &self,
        kernel: Kernel,
        _inputs: &[Shape],
        _outputs: &[Shape],
    ) -> Option<Cow<'static, str>> {
        Some(algorithm(Algorithm::Direct, kernel))
    }

    fn run<T: Element>(&self, mut io: Io<'_, T>) {
        let (x, dy) = (io.read(0), io.read(1));
        let (dw, db) = (io.write(0), io.write_if_used(1).map(into_vector));
        linear::backward_weight(io.pool, x, dy, dw, db);
    }
}

impl Graph {
    /// Records a fully connected layer on `x` `[n, 1, 1, in]`, weight `[1, 1, in, out]`.
    ///
    /// # Errors
    /// As [`Graph::push`].
    pub fn linear(
        &mut self,
        path: &str,
        x: Var,
        weight: Var,
        bias: Option<Var>,
    ) -> Result<Var, GraphError> {
        let op = Linear {
            bias: bias.is_some(),
            activation: Activation::None,
        };
        let operands: SmallVec<[Var; 3]> = [x, weight].into_iter().chain(bias).collect();
        self.push_one(path, op, &operands)
    }
}
