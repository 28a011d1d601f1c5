//! Fully connected layers.

use crate::{Builder, Ctx, Init, Layout, Module, Role};
use inception_autograd::{GraphError, ParamId, Var};
use inception_ops::Activation;
use inception_tensor::Shape;
use std::sync::Arc;

/// A fully connected layer with a bias: keys `weight`, `bias`.
#[derive(Clone, Debug)]
pub struct Linear {
    path: Arc<str>,
    weight: ParamId,
    bias: ParamId,
}

impl Linear {
    /// A layer that ends a network in logits.
    pub fn new(b: &mut Builder<'_>, inputs: usize, outputs: usize) -> Self {
        Self::with(b, Layout::Linear, inputs, outputs, Activation::None)
    }

    /// A layer in front of a ReLU.
    pub fn before_relu(b: &mut Builder<'_>, inputs: usize, outputs: usize) -> Self {
        Self::with(b, Layout::Linear, inputs, outputs, Activation::Relu)
    }

    /// A layer that reads a flattened map of `[c, h, w]`, whose weight on disk is in PyTorch's
    /// channels-first order.
    pub fn of_map(
        b: &mut Builder<'_>,
        [c, h, w]: [usize; 3],
        outputs: usize,
        before: Activation,
    ) -> Self {
        Self::with(b, Layout::LinearChw { c, h, w }, c * h * w, outputs, before)
    }

    fn with(
        b: &mut Builder<'_>,
        layout: Layout,
        inputs: usize,
        outputs: usize,
        before: Activation,
    ) -> Self {
        let init = match before {
            Activation::Relu => Init::kaiming(inputs, before),
            Activation::None => Init::logits(inputs),
        };
        let shape = Shape::new(1, 1, inputs, outputs);
        Self {
            path: b.path(),
            weight: b.param("weight", shape, layout, init, Role::Weight),
            bias: b.vector("bias", outputs, Init::ZEROS, Role::Bias),
        }
    }
}

impl Module for Linear {
    fn forward(&self, x: Var, ctx: &mut Ctx<'_>) -> Result<Var, GraphError> {
        let (weight, bias) = (ctx.param(self.weight), ctx.param(self.bias));
        ctx.graph.linear(&self.path, x, weight, Some(bias))
    }
}
