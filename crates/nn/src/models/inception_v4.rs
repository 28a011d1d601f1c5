//! Inception v4.

use super::inception_v3::fork;
use crate::modules::chain::{Branch, Layer, Row, conv, keep, max_pool, row};
use crate::modules::{Chain, ConvStyle, PooledClassifier};
use crate::{Builder, Ctx, Module, Network, Outputs, Resolved};
use inception_autograd::{GraphError, Var};
use inception_ops::{PadCount, Window};

/// The window of every layer that halves rows and columns.
const HALVE: Window = Window::square(3).stride(2);

/// Figure 9: stem, 4 × A, reduction A, 7 × B, reduction B, 3 × C. The place is the key.
fn rows() -> Vec<Row> {
    let stem = [
        Layer::Conv {
            window: HALVE,
            c_out: 32,
        },
        Layer::Conv {
            window: Window::square(3),
            c_out: 32,
        },
        Layer::Conv {
            window: keep(3, 3),
            c_out: 64,
        },
        Layer::Block(mixed_3a()),
        Layer::Block(mixed_4a()),
        Layer::Block(mixed_5a()),
    ];
    let blocks = [
        (module_a as fn() -> Vec<Branch>, 4),
        (reduction_a, 1),
        (module_b, 7),
        (reduction_b, 1),
        (module_c, 3),
    ];
    let blocks = blocks
        .into_iter()
        .flat_map(|(block, times)| (0..times).map(move |_| Layer::Block(block())));
    let layers = stem.into_iter().chain(blocks);
    layers
        .enumerate()
        .map(|(i, layer)| row(&format!("features.{i}"), layer))
        .collect()
}

/// Figure 3, the first pair of branches.
fn mixed_3a() -> Vec<Branch> {
    vec![
        vec![max_pool("maxpool", HALVE)],
        vec![conv("conv", HALVE, 96)],
    ]
}

/// Figure 3, the second pair.
fn mixed_4a() -> Vec<Branch> {
    vec![
        vec![
            conv("branch0.0", keep(1, 1), 64),
            conv("branch0.1", Window::square(3), 96),
        ],
        vec![
            conv("branch1.0", keep(1, 1), 64),
            conv("branch1.1", keep(1, 7), 64),
            conv("branch1.2", keep(7, 1), 64),
            conv("branch1.3", Window::square(3), 96),
        ],
    ]
}

/// Figure 3, the third pair.
fn mixed_5a() -> Vec<Branch> {
    vec![
        vec![conv("conv", HALVE, 192)],
        vec![max_pool("maxpool", HALVE)],
    ]
}

/// Average pool without its padding, then 1×1.
pub(super) fn pooled(c_out: usize) -> Branch {
    vec![
        row("branch3.0", Layer::AvgPool(keep(3, 3), PadCount::Exclude)),
        conv("branch3.1", keep(1, 1), c_out),
    ]
}

/// Figure 4, at 35×35.
fn module_a() -> Vec<Branch> {
    vec![
        vec![conv("branch0", keep(1, 1), 96)],
        vec![
            conv("branch1.0", keep(1, 1), 64),
            conv("branch1.1", keep(3, 3), 96),
        ],
        vec![
            conv("branch2.0", keep(1, 1), 64),
            conv("branch2.1", keep(3, 3), 96),
            conv("branch2.2", keep(3, 3), 96),
        ],
        pooled(96),
    ]
}

/// Figure 7 with k, l, m, n of Table 1.
fn reduction_a() -> Vec<Branch> {
    super::inception_resnet::reduction_a([192, 224, 256, 384])
}

/// Figure 5, at 17×17.
fn module_b() -> Vec<Branch> {
    vec![
        vec![conv("branch0", keep(1, 1), 384)],
        vec![
            conv("branch1.0", keep(1, 1), 192),
            conv("branch1.1", keep(1, 7), 224),
            conv("branch1.2", keep(7, 1), 256),
        ],
        vec![
            conv("branch2.0", keep(1, 1), 192),
            conv("branch2.1", keep(7, 1), 192),
            conv("branch2.2", keep(1, 7), 224),
            conv("branch2.3", keep(7, 1), 224),
            conv("branch2.4", keep(1, 7), 256),
        ],
        pooled(128),
    ]
}

/// Figure 8, from 17×17 to 8×8.
fn reduction_b() -> Vec<Branch> {
    vec![
        vec![
            conv("branch0.0", keep(1, 1), 192),
            conv("branch0.1", HALVE, 192),
        ],
        vec![
            conv("branch1.0", keep(1, 1), 256),
            conv("branch1.1", keep(1, 7), 256),
            conv("branch1.2", keep(7, 1), 320),
            conv("branch1.3", HALVE, 320),
        ],
        vec![max_pool("branch2", HALVE)],
    ]
}

/// Figure 6, at 8×8.
fn module_c() -> Vec<Branch> {
    vec![
        vec![conv("branch0", keep(1, 1), 256)],
        vec![
            conv("branch1_0", keep(1, 1), 384),
            fork("branch1_1a", "branch1_1b", 256),
        ],
        vec![
            conv("branch2_0", keep(1, 1), 384),
            conv("branch2_1", keep(3, 1), 448),
            conv("branch2_2", keep(1, 3), 512),
            fork("branch2_3a", "branch2_3b", 256),
        ],
        pooled(256),
    ]
}

/// Inception v4, with timm's keys: `features.{0..21}`, `last_linear`.
///
/// # Sources
/// Szegedy et al. 2016, *Inception-v4, Inception-ResNet and the Impact of Residual
/// Connections on Learning*, figures 3 to 9; timm `inception_v4.py`.
#[derive(Debug)]
pub struct InceptionV4 {
    features: Chain,
    head: PooledClassifier,
}

impl InceptionV4 {
    /// Registers the parameters.
    pub fn new(b: &mut Builder<'_>, options: &Resolved) -> Self {
        let features = Chain::new(b, ConvStyle::BatchNorm, options.input[0], &rows());
        let head = PooledClassifier::new(b, "last_linear", features.c_out(), options);
        Self { features, head }
    }
}

impl Network for InceptionV4 {
    fn forward(&self, images: Var, ctx: &mut Ctx<'_>) -> Result<Outputs, GraphError> {
        let x = self.features.forward(images, ctx)?; // [n, 8, 8, 1536]
        self.head.forward(x, vec![], ctx) // [n, 1, 1, classes]
    }
}
