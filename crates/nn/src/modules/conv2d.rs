//! Convolution.

use crate::{Builder, Ctx, Init, Layout, Module, Role};
use inception_autograd::{GraphError, ParamId, Var};
use inception_ops::{Activation, Window};
use inception_tensor::Shape;
use std::sync::Arc;

/// Whether a convolution adds a bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bias {
    /// It does.
    With,
    /// It does not: a normalisation follows, which would take it away again.
    Without,
}

/// What a convolution is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2dConfig {
    /// Kernel, stride, padding.
    pub window: Window,
    /// Channels of the input.
    pub c_in: usize,
    /// Channels of the output.
    pub c_out: usize,
    /// Whether there is a bias.
    pub bias: Bias,
    /// What follows, for which the first weights are scaled.
    pub before: Activation,
}

/// A convolution: keys `weight` and, where it has one, `bias`.
#[derive(Clone, Debug)]
pub struct Conv2d {
    path: Arc<str>,
    window: Window,
    weight: ParamId,
    bias: Option<ParamId>,
}

impl Conv2d {
    /// Registers the parameters.
    pub fn new(b: &mut Builder<'_>, config: &Conv2dConfig) -> Self {
        let Conv2dConfig {
            window,
            c_in,
            c_out,
            bias,
            before,
        } = *config;
        let [kh, kw] = window.kernel;
        let init = Init::kaiming(kh * kw * c_in, before);
        let shape = Shape::new(kh, kw, c_in, c_out);
        Self {
            path: b.path(),
            window,
            weight: b.param("weight", shape, Layout::Conv, init, Role::Weight),
            bias: match bias {
                Bias::With => Some(b.vector("bias", c_out, Init::ZEROS, Role::Bias)),
                Bias::Without => None,
            },
        }
    }
}

impl Module for Conv2d {
    fn forward(&self, x: Var, ctx: &mut Ctx<'_>) -> Result<Var, GraphError> {
        let weight = ctx.param(self.weight);
        let bias = self.bias.map(|id| ctx.param(id));
        ctx.graph.conv2d(&self.path, self.window, x, weight, bias)
    }
}
