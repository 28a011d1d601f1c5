//! Convolution, normalisation and ReLU.

use super::{BatchNorm2d, Bias, Conv2d, Conv2dConfig, Scale};
use crate::{Builder, Ctx, Module};
use inception_autograd::{GraphError, Var};
use inception_ops::{Activation, Window};
use std::sync::Arc;

/// What follows a convolution in front of its ReLU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConvStyle {
    /// A bias: the paper.
    Biased,
    /// Batch normalisation with ε = 0.001: torchvision and timm.
    BatchNorm,
    /// The same without γ, as a ReLU and the next layer's weights make up for it: TF-slim.
    BatchNormShift,
}

/// Added to the variance: torchvision's `BasicConv2d`, after Inception v3.
const EPS: f64 = 1e-3;

/// A convolution, batch normalisation where the style has it, and ReLU: keys `conv.weight`,
/// and `conv.bias` or `bn.*`.
#[derive(Clone, Debug)]
pub struct BasicConv2d {
    path: Arc<str>,
    conv: Conv2d,
    bn: Option<BatchNorm2d>,
}

impl BasicConv2d {
    /// Registers the parameters.
    pub fn new(
        b: &mut Builder<'_>,
        style: ConvStyle,
        window: Window,
        c_in: usize,
        c_out: usize,
    ) -> Self {
        let config = Conv2dConfig {
            window,
            c_in,
            c_out,
            bias: match style {
                ConvStyle::Biased => Bias::With,
                ConvStyle::BatchNorm | ConvStyle::BatchNormShift => Bias::Without,
            },
            before: Activation::Relu,
        };
        let conv = Conv2d::new(&mut b.at("conv"), &config);
        let mut norm = |scale| BatchNorm2d::new(&mut b.at("bn"), c_out, EPS, scale);
        let bn = match style {
            ConvStyle::Biased => None,
            ConvStyle::BatchNorm => Some(norm(Scale::With)),
            ConvStyle::BatchNormShift => Some(norm(Scale::Without)),
        };
        let path = b.path();
        Self { path, conv, bn }
    }
}

impl Module for BasicConv2d {
    fn forward(&self, x: Var, ctx: &mut Ctx<'_>) -> Result<Var, GraphError> {
        let mut x = self.conv.forward(x, ctx)?;
        if let Some(bn) = &self.bn {
            x = bn.forward(x, ctx)?;
        }
        ctx.graph.relu(&self.path, x)
    }
}
