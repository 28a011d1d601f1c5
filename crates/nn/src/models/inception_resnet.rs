//! Inception-ResNet, v1 and v2.

use super::inception_v4::pooled;
use crate::modules::chain::{Branch, Layer, Row, block, conv, keep, max_pool, row};
use crate::modules::{Chain, ConvStyle, PooledClassifier};
use crate::{Builder, Ctx, Module, Network, Outputs, Resolved};
use inception_autograd::{GraphError, Var};
use inception_ops::{Activation, Window};

/// The window of every layer that halves rows and columns.
const HALVE: Window = Window::square(3).stride(2);

/// What a branch of residual changes is multiplied by, at 35×35, 17×17 and 8×8.
const SCALES: [f64; 3] = [0.17, 0.10, 0.20];

/// The first layers, which both versions share.
fn stem() -> Vec<Row> {
    vec![
        conv("conv2d_1a", HALVE, 32),
        conv("conv2d_2a", Window::square(3), 32),
        conv("conv2d_2b", keep(3, 3), 64),
        max_pool("maxpool_3a", HALVE),
        conv("conv2d_3b", keep(1, 1), 80),
        conv("conv2d_4a", Window::square(3), 192),
    ]
}

/// Version 1: the stem of the paper's figure 14, 5 × block35 256, 10 × block17 896,
/// 5 × block8 1792 and one more at full scale without ReLU.
fn version1() -> Vec<Row> {
    let mut rows = stem();
    rows.push(conv("conv2d_4b", HALVE, 256));
    repeat(&mut rows, "repeat_1", 5, SCALES[0], block35([32, 32]));
    rows.push(block("mixed_6a", reduction_a([192, 192, 256, 384])));
    repeat(
        &mut rows,
        "repeat_2",
        10,
        SCALES[1],
        block17(128, [128, 128]),
    );
    rows.push(block("mixed_7a", reduction_b([256, 256, 256])));
    let block8 = block8([192, 192]);
    repeat(&mut rows, "repeat_3", 5, SCALES[2], block8.clone());
    rows.push(residual("block8", block8, 1.0, Activation::None));
    rows
}

/// Version 2 as it was published, which is not the paper's: 10 × block35 320, 20 × block17
/// 1088, 9 × block8 2080 and one more at full scale without ReLU, 1×1 1536.
fn version2() -> Vec<Row> {
    let mut rows = stem();
    rows.push(max_pool("maxpool_5a", HALVE));
    rows.push(block("mixed_5b", mixed_5b()));
    repeat(&mut rows, "repeat", 10, SCALES[0], block35([48, 64]));
    rows.push(block("mixed_6a", reduction_a([256, 256, 384, 384])));
    repeat(
        &mut rows,
        "repeat_1",
        20,
        SCALES[1],
        block17(192, [160, 192]),
    );
    rows.push(block("mixed_7a", reduction_b([288, 288, 320])));
    let block8 = block8([224, 256]);
    repeat(&mut rows, "repeat_2", 9, SCALES[2], block8.clone());
    rows.push(residual("block8", block8, 1.0, Activation::None));
    rows.push(conv("conv2d_7b", keep(1, 1), 1536));
    rows
}

/// Several residual blocks in turn, keyed by their place.
fn repeat(rows: &mut Vec<Row>, key: &str, times: usize, scale: f64, branches: Vec<Branch>) {
    for i in 0..times {
        let key = format!("{key}.{i}");
        rows.push(residual(&key, branches.clone(), scale, Activation::Relu));
    }
}

fn residual(key: &str, branches: Vec<Branch>, scale: f64, activation: Activation) -> Row {
    let layer = Layer::Residual {
        branches,
        scale,
        activation,
    };
    row(key, layer)
}

/// The one block without a residual connection at 35×35.
fn mixed_5b() -> Vec<Branch> {
    vec![
        vec![conv("branch0", keep(1, 1), 96)],
        vec![
            conv("branch1.0", keep(1, 1), 48),
            conv("branch1.1", keep(5, 5), 64),
        ],
        vec![
            conv("branch2.0", keep(1, 1), 64),
            conv("branch2.1", keep(3, 3), 96),
            conv("branch2.2", keep(3, 3), 96),
        ],
        pooled(64),
    ]
}

/// Figures 10 and 16; `c3` are the channels of the third branch's 3×3 convolutions.
fn block35(c3: [usize; 2]) -> Vec<Branch> {
    vec![
        vec![conv("branch0", keep(1, 1), 32)],
        vec![
            conv("branch1.0", keep(1, 1), 32),
            conv("branch1.1", keep(3, 3), 32),
        ],
        vec![
            conv("branch2.0", keep(1, 1), 32),
            conv("branch2.1", keep(3, 3), c3[0]),
            conv("branch2.2", keep(3, 3), c3[1]),
        ],
    ]
}

/// Figures 11 and 17; `c7` are the channels of 1×7 and 7×1.
fn block17(c1: usize, c7: [usize; 2]) -> Vec<Branch> {
    vec![
        vec![conv("branch0", keep(1, 1), c1)],
        vec![
            conv("branch1.0", keep(1, 1), 128),
            conv("branch1.1", keep(1, 7), c7[0]),
            conv("branch1.2", keep(7, 1), c7[1]),
        ],
    ]
}

/// Figures 13 and 19; `c3` are the channels of 1×3 and 3×1.
fn block8(c3: [usize; 2]) -> Vec<Branch> {
    vec![
        vec![conv("branch0", keep(1, 1), 192)],
        vec![
            conv("branch1.0", keep(1, 1), 192),
            conv("branch1.1", keep(1, 3), c3[0]),
            conv("branch1.2", keep(3, 1), c3[1]),
        ],
    ]
}

/// Figure 7, from 35×35 to 17×17, with the columns k, l, m, n of Table 1.
pub(super) fn reduction_a([k, l, m, n]: [usize; 4]) -> Vec<Branch> {
    vec![
        vec![conv("branch0", HALVE, n)],
        vec![
            conv("branch1.0", keep(1, 1), k),
            conv("branch1.1", keep(3, 3), l),
            conv("branch1.2", HALVE, m),
        ],
        vec![max_pool("branch2", HALVE)],
    ]
}

/// Figures 12 and 18, from 17×17 to 8×8: channels of the second branch's last convolution
/// and of the third branch's two.
fn reduction_b([c1, c2, c3]: [usize; 3]) -> Vec<Branch> {
    vec![
        vec![
            conv("branch0.0", keep(1, 1), 256),
            conv("branch0.1", HALVE, 384),
        ],
        vec![
            conv("branch1.0", keep(1, 1), 256),
            conv("branch1.1", HALVE, c1),
        ],
        vec![
            conv("branch2.0", keep(1, 1), 256),
            conv("branch2.1", keep(3, 3), c2),
            conv("branch2.2", HALVE, c3),
        ],
        vec![max_pool("branch3", HALVE)],
    ]
}

/// Which Inception-ResNet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// The paper's version 1, with the scales and the last block of its published code.
    One,
    /// Version 2 as published by TF-slim, Keras and timm.
    Two,
}

/// Inception-ResNet. Keys of version 2 are timm's: `conv2d_1a`, `mixed_5b`, `repeat.N`, …,
/// `classif`. Those of version 1 are facenet-pytorch's up to `block8`, where that network
/// goes on to an embedding of faces; here the paper's pool and classifier `fc` follow.
///
/// # Sources
/// Szegedy et al. 2016, *Inception-v4, Inception-ResNet and the Impact of Residual
/// Connections on Learning*; timm `inception_resnet_v2.py`; davidsandberg/facenet
/// `inception_resnet_v1.py`.
#[derive(Debug)]
pub struct InceptionResNet {
    trunk: Chain,
    head: PooledClassifier,
}

impl InceptionResNet {
    /// Registers the parameters.
    pub fn new(b: &mut Builder<'_>, version: Version, options: &Resolved) -> Self {
        let (rows, classifier) = match version {
            Version::One => (version1(), "fc"),
            Version::Two => (version2(), "classif"),
        };
        let trunk = Chain::new(b, ConvStyle::BatchNorm, options.input[0], &rows);
        let head = PooledClassifier::new(b, classifier, trunk.c_out(), options);
        Self { trunk, head }
    }
}

impl Network for InceptionResNet {
    fn forward(&self, images: Var, ctx: &mut Ctx<'_>) -> Result<Outputs, GraphError> {
        let x = self.trunk.forward(images, ctx)?; // [n, 8, 8, 1792 or 1536]
        self.head.forward(x, vec![], ctx) // [n, 1, 1, classes]
    }
}
