//! Networks as tables: rows that read each other in turn, and blocks of branches that lie
//! side by side.
//!
//! A model's file is its paper's table in these rows; what a row does with parameters and
//! graph stands here once.

use super::{AvgPool2d, BasicConv2d, Bias, Conv2d, Conv2dConfig, ConvStyle};
use super::{LocalResponseNorm, MaxPool2d, Sequential};
use crate::{Builder, Ctx, Module};
use inception_autograd::{GraphError, Var};
use inception_ops::{Activation, PadCount, Window, lrn::Lrn};
use std::sync::Arc;

/// A layer or block of a table, under its key.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its place below the table's; an empty key is the table's own place.
    pub key: String,
    /// What it does.
    pub layer: Layer,
}

/// Rows that each read the one before.
pub type Branch = Vec<Row>;

/// What a row of a table does.
#[derive(Clone, Debug, PartialEq)]
pub enum Layer {
    /// A [`BasicConv2d`] in the table's style.
    Conv {
        /// Kernel, stride, padding.
        window: Window,
        /// Channels of the output.
        c_out: usize,
    },
    /// Maximum over a window.
    MaxPool(Window),
    /// Average over a window.
    AvgPool(Window, PadCount),
    /// Local response normalisation.
    Lrn(Lrn),
    /// Branches that read one map, side by side in channels.
    Block(Vec<Branch>),
    /// A block whose branches, brought to the input's channels by a biased 1×1 convolution
    /// under the key `conv2d` and scaled, are added to the input.
    Residual {
        /// The branches.
        branches: Vec<Branch>,
        /// What their sum is multiplied by.
        scale: f64,
        /// Applied to the sum.
        activation: Activation,
    },
}

/// A convolution of a table.
pub fn conv(key: &str, window: Window, c_out: usize) -> Row {
    row(key, Layer::Conv { window, c_out })
}

/// A max pool of a table.
pub fn max_pool(key: &str, window: Window) -> Row {
    row(key, Layer::MaxPool(window))
}

/// A block of branches of a table.
pub fn block(key: &str, branches: impl Into<Vec<Branch>>) -> Row {
    row(key, Layer::Block(branches.into()))
}

/// Any row of a table.
pub fn row(key: &str, layer: Layer) -> Row {
    let key = key.to_owned();
    Row { key, layer }
}

/// A window of stride 1 that keeps rows and columns: sides are odd.
pub const fn keep(height: usize, width: usize) -> Window {
    Window::new(height, width).padding_hw(height / 2, width / 2)
}

impl Row {
    /// Rows and columns of the output for an input of `extent`.
    ///
    /// # Errors
    /// When a window does not fit; the error names the row's key.
    pub fn output(&self, extent: [usize; 2]) -> Result<[usize; 2], GraphError> {
        let through = |op, window: &Window| {
            let output = window.output(op, extent);
            output.map_err(|source| GraphError::Operator {
                path: self.key.clone(),
                source,
            })
        };
        match &self.layer {
            Layer::Conv { window, .. } => through("conv2d", window),
            Layer::MaxPool(window) => through("max_pool", window),
            Layer::AvgPool(window, _) => through("avg_pool", window),
            Layer::Block(branches) => output(&branches[0], extent),
            Layer::Lrn(_) | Layer::Residual { .. } => Ok(extent),
        }
    }
}

/// Rows and columns behind all `rows` for an input of `extent`.
///
/// # Errors
/// As [`Row::output`].
pub fn output(rows: &[Row], extent: [usize; 2]) -> Result<[usize; 2], GraphError> {
    rows.iter()
        .try_fold(extent, |extent, row| row.output(extent))
}

/// Gives every window of `rows` TensorFlow's `SAME` padding for an input of `extent`
/// ([`Window::same`]); rows and columns of the output.
///
/// # Errors
/// As [`Row::output`].
pub fn pad_same(rows: &mut [Row], mut extent: [usize; 2]) -> Result<[usize; 2], GraphError> {
    for row in rows {
        match &mut row.layer {
            Layer::Conv { window, .. } | Layer::MaxPool(window) => *window = window.same(extent),
            Layer::Block(branches) => {
                for branch in branches {
                    pad_same(branch, extent)?;
                }
            }
            Layer::AvgPool(..) | Layer::Lrn(_) | Layer::Residual { .. } => {}
        }
        extent = row.output(extent)?;
    }
    Ok(extent)
}

/// The modules of a table, one after the other.
#[derive(Debug)]
pub struct Chain {
    modules: Sequential,
    c_out: usize,
}

impl Chain {
    /// Registers the parameters of `rows`, which read a map of `c_in` channels.
    pub fn new(b: &mut Builder<'_>, style: ConvStyle, c_in: usize, rows: &[Row]) -> Self {
        let mut c_out = c_in;
        let mut modules: Vec<Box<dyn Module>> = Vec::with_capacity(rows.len());
        for row in rows {
            let mut at = b.at(&row.key);
            modules.push(match &row.layer {
                Layer::Conv { window, c_out: c } => {
                    let conv = BasicConv2d::new(&mut at, style, *window, c_out, *c);
                    c_out = *c;
                    Box::new(conv)
                }
                Layer::MaxPool(window) => Box::new(MaxPool2d::new(&at, *window)),
                Layer::AvgPool(window, count) => Box::new(AvgPool2d::new(&at, *window, *count)),
                Layer::Lrn(lrn) => Box::new(LocalResponseNorm::new(&at, *lrn)),
                Layer::Block(branches) => {
                    let block = Block::new(&mut at, style, c_out, branches);
                    c_out = block.c_out();
                    Box::new(block)
                }
                Layer::Residual {
                    branches,
                    scale,
                    activation,
                } => {
                    let block = Block::new(&mut at, style, c_out, branches);
                    let (scale, activation) = (*scale, *activation);
                    Box::new(Residual::new(&mut at, block, c_out, scale, activation))
                }
            });
        }
        let modules = Sequential::new(modules);
        Self { modules, c_out }
    }

    /// Channels of the output.
    pub fn c_out(&self) -> usize {
        self.c_out
    }
}

impl Module for Chain {
    fn forward(&self, x: Var, ctx: &mut Ctx<'_>) -> Result<Var, GraphError> {
        self.modules.forward(x, ctx)
    }
}

/// Branches that read one map, side by side in channels.
///
/// # Shapes
/// `[n, h, w, c_in]` → `[n, h′, w′, Σ c_out of the branches]`.
#[derive(Debug)]
pub struct Block {
    path: Arc<str>,
    branches: Vec<Chain>,
}

impl Block {
    /// Registers the parameters of all branches, which read a map of `c_in` channels.
    pub fn new(b: &mut Builder<'_>, style: ConvStyle, c_in: usize, branches: &[Branch]) -> Self {
        let chain = |rows: &Branch| Chain::new(b, style, c_in, rows);
        Self {
            branches: branches.iter().map(chain).collect(),
            path: b.path(),
        }
    }

    /// Channels of the output.
    pub fn c_out(&self) -> usize {
        self.branches.iter().map(Chain::c_out).sum()
    }
}

impl Module for Block {
    fn forward(&self, x: Var, ctx: &mut Ctx<'_>) -> Result<Var, GraphError> {
        let branches = self.branches.iter();
        let parts = branches.map(|branch| branch.forward(x, ctx));
        let parts: Vec<Var> = parts.collect::<Result<_, _>>()?;
        ctx.graph.concat(&self.path, &parts)
    }
}

/// `activation(x + scale·conv2d(branches(x)))`.
///
/// # Sources
/// Szegedy et al. 2016, *Inception-v4, Inception-ResNet and the Impact of Residual
/// Connections on Learning*, figures 10 and 20.
#[derive(Debug)]
struct Residual {
    path: Arc<str>,
    branches: Block,
    conv2d: Conv2d,
    scale: f64,
    activation: Activation,
}

impl Residual {
    fn new(
        b: &mut Builder<'_>,
        branches: Block,
        channels: usize,
        scale: f64,
        activation: Activation,
    ) -> Self {
        let config = Conv2dConfig {
            window: Window::square(1),
            c_in: branches.c_out(),
            c_out: channels,
            bias: Bias::With,
            before: Activation::None,
        };
        Self {
            conv2d: Conv2d::new(&mut b.at("conv2d"), &config),
            path: b.path(),
            branches,
            scale,
            activation,
        }
    }
}

impl Module for Residual {
    fn forward(&self, x: Var, ctx: &mut Ctx<'_>) -> Result<Var, GraphError> {
        let change = self.branches.forward(x, ctx)?; // [n, h, w, Σ c_out]
        let change = self.conv2d.forward(change, ctx)?; // [n, h, w, c]
        // The change comes first: the plan adds in its memory, since the branches' gradients
        // need the input, and nobody needs the change.
        let terms = [(change, self.scale), (x, 1.0)];
        let sum = ctx.graph.sum(&self.path, &terms)?; // [n, h, w, c]
        match self.activation {
            Activation::Relu => ctx.graph.relu(&self.path, sum),
            Activation::None => Ok(sum),
        }
    }
}
