//! Gradients of convolutions by products of pairs.
//!
//! They are recorded by the pass [`store_forward`](crate::store_forward): they have no gradients.

use super::one;
use super::stored::into_single;
use crate::Io;
use crate::io::into_vector;
use crate::operator::{Operator, Output, Outputs};
use inception_ops::conv2d::stored as convolution;
use inception_ops::{OpError, Window};
use inception_tensor::{Bf16, Element, Kernel, Shape, View};
use smallvec::{SmallVec, smallvec};
use std::borrow::Cow;

/// How their sums are taken.
const WAY: Option<Cow<'static, str>> = Some(Cow::Borrowed("direct bf16"));

/// Gradient with respect to the input, of numbers that are rounded to [`Bf16`]. Operands: `dy` of
/// each bank, then the weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredConv2dBackwardInput {
    /// The convolution's, of stride 1.
    pub window: Window,
    /// The input's shape.
    pub input: Shape,
    /// How many banks.
    pub banks: usize,
}

impl Operator for StoredConv2dBackwardInput {
    fn name(&self) -> &'static str {
        "conv2d_backward_input_bf16"
    }

    fn infer(&self, _inputs: &[Shape]) -> Result<Outputs, OpError> {
        Ok(one(self.input))
    }

    fn macs(&self, inputs: &[Shape], _outputs: &[Shape]) -> u64 {
        (0..self.banks)
            .map(|i| inputs[i].rows() as u64 * inputs[self.banks + i].len() as u64)
            .sum()
    }

    fn workspace(&self, inputs: &[Shape], _outputs: &[Shape]) -> usize {
        let weights = inputs[self.banks..].iter().copied();
        convolution::backward_input_workspace(&self.window, self.input, inputs[0], weights)
    }

    fn algorithm(
        &self,
        _kernel: Kernel,
        _inputs: &[Shape],
        _outputs: &[Shape],
    ) -> Option<Cow<'static, str>> {
        WAY
    }

    fn run<T: Element>(&self, mut io: Io<'_, T>) {
        let operands = |from: usize| -> SmallVec<[View<'_, T>; 4]> {
            (from..from + self.banks).map(|i| io.read(i)).collect()
        };
        let (dy, weights) = (operands(0), operands(self.banks));
        let (dx, workspace) = (io.write(0), bytemuck::cast_slice_mut(io.workspace()));
        into_single(dx, |dx| {
            convolution::backward_input(io.pool, &self.window, &dy, &weights, dx, workspace);
        });
    }
}

/// Gradients with respect to one bank's weight and bias, of numbers that are rounded to [`Bf16`].
/// Operands: `x`, stored, and `dy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredConv2dBackwardWeight {
    /// The convolution's, of stride 1.
    pub window: Window,
    /// The weight's shape.
    pub weight: Shape,
}

impl Operator for StoredConv2dBackwardWeight {
    fn name(&self) -> &'static str {
        "conv2d_backward_weight_bf16"
    }

    fn infer(&self, _inputs: &[Shape]) -> Result<Outputs, OpError> {
        Ok(smallvec![
            Output::real(self.weight),
            Output::real(Shape::vector(self.weight.c)),
        ])
    }

    fn macs(&self, inputs: &[Shape], _outputs: &[Shape]) -> u64 {
        inputs[1].rows() as u64 * self.weight.len() as u64
    }

    fn workspace(&self, inputs: &[Shape], _outputs: &[Shape]) -> usize {
        convolution::backward_weight_workspace(&self.window, inputs[0], inputs[1])
    }

    fn optional(&self, output: usize) -> bool {
        output == 1
    }

    fn algorithm(
        &self,
        _kernel: Kernel,
        _inputs: &[Shape],
        _outputs: &[Shape],
    ) -> Option<Cow<'static, str>> {
        WAY
    }

    fn run<T: Element>(&self, mut io: Io<'_, T>) {
        let (x, dy) = (io.read_stored::<Bf16>(0), io.read(1));
        let (dw, db) = (io.write(0), io.write_if_used(1).map(into_vector));
        let workspace = bytemuck::cast_slice_mut(io.workspace());
        into_single(dw, |dw| {
            convolution::backward_weight(io.pool, &self.window, x, dy, dw, db, workspace);
        });
    }
}
