//! The forms that a module is compared with.

use crate::block::Block;
use anyhow::{Result, ensure};
use inception_autograd::{GraphError, Var};
use inception_nn::modules::{
    self, AdaptiveAvgPool2d, BasicConv2d, Bias, Conv2d, Conv2dConfig, ConvStyle, Flatten,
    InceptionConfig, Linear, MaxPool2d, Sequential,
};
use inception_nn::{Builder, Ctx, Module};
use inception_ops::{Activation, Window};
use inception_tensor::Shape;

/// A convolution's window of `side` × `side` that keeps rows and columns; where `side` is
/// even, the extra line of padding lies behind.
pub fn same(side: usize) -> Window {
    let mut window = Window::square(side);
    window.padding = [[(side - 1) / 2, side / 2]; 2];
    window
}

/// The paper's module: 1×1 convolutions in front of the 3×3 and the 5×5 one and behind the
/// pool.
///
/// # Errors
/// When it does not fit the input.
pub fn reduced(input: Shape, config: &InceptionConfig) -> Result<Block, GraphError> {
    Block::record(input, |b| {
        modules::Block::new(b, ConvStyle::Biased, input.c, &config.branches(5))
    })
}

/// The module without them; its pool passes all channels on.
///
/// # Errors
/// When it does not fit the input.
pub fn naive(input: Shape, config: &InceptionConfig) -> Result<Block, GraphError> {
    Block::record(input, |b| {
        modules::Block::new(b, ConvStyle::Biased, input.c, &config.naive_branches())
    })
}

/// One convolution of `side` × `side` with `c_out` channels and a ReLU.
///
/// # Errors
/// When it does not fit the input.
pub fn plain(input: Shape, side: usize, c_out: usize) -> Result<Block, GraphError> {
    let style = ConvStyle::Biased;
    Block::record(input, |b| {
        BasicConv2d::new(b, style, same(side), input.c, c_out)
    })
}

/// A module with its input, for [`stacked`].
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// What the module reads in the network.
    pub input: Shape,
    /// Its channels.
    pub config: InceptionConfig,
}

/// Naive modules one behind the other, with max pools where the network has them: each pool
/// inside a module passes on all that the module reads, so channels pile up.
///
/// # Errors
/// When there is no module or they do not fit each other.
pub fn stacked(places: &[Place]) -> Result<Block> {
    ensure!(!places.is_empty(), "no module to stack");
    let input = places[0].input;
    let block = Block::record(input, |b| {
        let mut stack: Vec<Box<dyn Module>> = Vec::new();
        let (mut c, mut h) = (input.c, input.h);
        for (i, place) in places.iter().enumerate() {
            if place.input.h != h {
                let pool = Window::square(3).stride(2).ceil();
                stack.push(Box::new(MaxPool2d::new(&b.at(&format!("pool{i}")), pool)));
                h = place.input.h;
            }
            let at = &mut b.at(&i.to_string());
            let config = &place.config;
            let branches = config.naive_branches();
            let module = modules::Block::new(at, ConvStyle::Biased, c, &branches);
            stack.push(Box::new(module));
            c += config.c1 + config.c3 + config.c5;
        }
        Sequential::new(stack)
    })?;
    Ok(block)
}

/// A classifier's end: the average over all pixels, then a linear layer.
///
/// # Errors
/// When it does not fit the input.
pub fn average_head(input: Shape, classes: usize) -> Result<Block, GraphError> {
    Block::record(input, |b| {
        let average = AdaptiveAvgPool2d::global(&b.at("average"));
        let linear = Linear::new(&mut b.at("fc"), input.c, classes);
        Sequential::new(vec![Box::new(average), Box::new(linear)])
    })
}

/// A classifier's end: a linear layer that reads every pixel.
///
/// # Errors
/// When it does not fit the input.
pub fn connected_head(input: Shape, classes: usize) -> Result<Block, GraphError> {
    let Shape { h, w, c, .. } = input;
    Block::record(input, |b| {
        let flatten = Flatten::new(&b.at("flatten"));
        let linear = Linear::of_map(&mut b.at("fc"), [c, h, w], classes, Activation::None);
        Sequential::new(vec![Box::new(flatten), Box::new(linear)])
    })
}

/// A branch of [`direct`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Branch {
    /// Side of its filters.
    pub side: usize,
    /// Channels of its output.
    pub c_out: usize,
}

/// Convolutions without any activation that all read the input, and a pool with a 1×1
/// convolution of `pool` channels behind it, side by side.
///
/// # Errors
/// When they do not fit the input.
pub fn direct(input: Shape, branches: &[Branch], pool: usize) -> Result<Block, GraphError> {
    Block::record(input, |b| Direct {
        convs: branches
            .iter()
            .map(|branch| biased(&mut b.at(&format!("conv{}", branch.side)), input.c, *branch))
            .collect(),
        max_pool: MaxPool2d::new(&b.at("pool").at("0"), Window::square(3).padding(1)),
        project: {
            let branch = Branch {
                side: 1,
                c_out: pool,
            };
            biased(&mut b.at("pool").at("1"), input.c, branch)
        },
    })
}

/// One convolution without an activation.
///
/// # Errors
/// When it does not fit the input.
pub fn plain_linear(input: Shape, branch: Branch) -> Result<Block, GraphError> {
    Block::record(input, |b| biased(b, input.c, branch))
}

fn biased(b: &mut Builder<'_>, c_in: usize, branch: Branch) -> Conv2d {
    let config = Conv2dConfig {
        window: same(branch.side),
        c_in,
        c_out: branch.c_out,
        bias: Bias::With,
        before: Activation::None,
    };
    Conv2d::new(b, &config)
}

#[derive(Debug)]
struct Direct {
    convs: Vec<Conv2d>,
    max_pool: MaxPool2d,
    project: Conv2d,
}

impl Module for Direct {
    fn forward(&self, x: Var, ctx: &mut Ctx<'_>) -> Result<Var, GraphError> {
        let mut parts = Vec::new();
        for conv in &self.convs {
            parts.push(conv.forward(x, ctx)?);
        }
        let pooled = self.max_pool.forward(x, ctx)?;
        parts.push(self.project.forward(pooled, ctx)?);
        ctx.graph.concat("concat", &parts)
    }
}
