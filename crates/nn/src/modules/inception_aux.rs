//! Auxiliary classifiers.

use super::{AdaptiveAvgPool2d, AvgPool2d, BasicConv2d, ConvStyle, Dropout, Flatten, Linear, Relu};
use crate::{Builder, Ctx, Module};
use inception_autograd::{GraphError, Var};
use inception_ops::{Activation, PadCount, Window};

/// How an auxiliary classifier makes its map small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuxPool {
    /// Average over 5×5 pixels every 3: the paper.
    Strided,
    /// Average over windows that leave 4×4, whatever comes in: torchvision.
    Adaptive,
}

/// What an auxiliary classifier is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InceptionAuxConfig {
    /// Bias or normalisation.
    pub style: ConvStyle,
    /// The pool in front.
    pub pool: AuxPool,
    /// `[h, w, c]` of the map that the head reads.
    pub input: [usize; 3],
    /// How many classes.
    pub classes: usize,
    /// Share of the hidden units that training drops.
    pub dropout: f64,
}

/// The window of [`AuxPool::Strided`].
const STRIDED: Window = Window::square(5).stride(3);
/// Rows and columns that [`AuxPool::Adaptive`] leaves.
const ADAPTIVE: [usize; 2] = [4, 4];
/// Channels of the 1×1 convolution.
const CHANNELS: usize = 128;
/// Units of the hidden layer.
const HIDDEN: usize = 1024;

/// A small classifier on an inner map, whose loss is added in training: average pool, 1×1
/// convolution with 128 channels, a hidden layer of 1024, dropout, logits.
///
/// Keys: `conv`, `fc1`, `fc2`.
///
/// # Shapes
/// `[n, h, w, c]` → `[n, 1, 1, classes]`.
///
/// # Sources
/// Szegedy et al. 2014, section 5; torchvision `InceptionAux`.
#[derive(Debug)]
pub struct InceptionAux {
    pool: Box<dyn Module>,
    conv: BasicConv2d,
    flatten: Flatten,
    fc1: Linear,
    relu: Relu,
    dropout: Dropout,
    fc2: Linear,
}

impl InceptionAux {
    /// Registers the parameters.
    ///
    /// # Errors
    /// When the map is smaller than the pool's window.
    pub fn new(b: &mut Builder<'_>, config: &InceptionAuxConfig) -> Result<Self, GraphError> {
        let [h, w, c] = config.input;
        let at = b.at("pool");
        let (pool, [rows, columns]): (Box<dyn Module>, _) = match config.pool {
            AuxPool::Strided => {
                let output = STRIDED.output("avg_pool", [h, w]);
                let output = output.map_err(|source| GraphError::Operator {
                    path: at.path().to_string(),
                    source,
                })?;
                (
                    Box::new(AvgPool2d::new(&at, STRIDED, PadCount::Exclude)),
                    output,
                )
            }
            AuxPool::Adaptive => (Box::new(AdaptiveAvgPool2d::new(&at, ADAPTIVE)), ADAPTIVE),
        };
        let map = [CHANNELS, rows, columns];
        let pointwise = Window::square(1);
        Ok(Self {
            pool,
            conv: BasicConv2d::new(&mut b.at("conv"), config.style, pointwise, c, CHANNELS),
            flatten: Flatten::new(&b.at("flatten")),
            fc1: Linear::of_map(&mut b.at("fc1"), map, HIDDEN, Activation::Relu),
            relu: Relu::new(&b.at("relu")),
            dropout: Dropout::new(&b.at("dropout"), config.dropout),
            fc2: Linear::new(&mut b.at("fc2"), HIDDEN, config.classes),
        })
    }
}

impl Module for InceptionAux {
    fn forward(&self, x: Var, ctx: &mut Ctx<'_>) -> Result<Var, GraphError> {
        let x = self.pool.forward(x, ctx)?; // [n, 4, 4, c] where h = w = 14
        let x = self.conv.forward(x, ctx)?; // [n, 4, 4, 128]
        let x = self.flatten.forward(x, ctx)?; // [n, 1, 1, 2048]
        let x = self.fc1.forward(x, ctx)?; // [n, 1, 1, 1024]
        let x = self.relu.forward(x, ctx)?; // [n, 1, 1, 1024]
        let x = self.dropout.forward(x, ctx)?; // [n, 1, 1, 1024]
        self.fc2.forward(x, ctx) // [n, 1, 1, classes]
    }
}
