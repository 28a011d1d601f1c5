//! Inception v3.

use super::googlenet::aux_head;
use crate::modules::chain::{Branch, Layer, Row, block, conv, keep, max_pool, row};
use crate::modules::{AdaptiveAvgPool2d, Chain, ConvStyle, Linear, PooledClassifier};
use crate::{Aux, Builder, Ctx, Module, Network, Outputs, Resolved};
use inception_autograd::{GraphError, Var};
use inception_ops::{PadCount, Window};

/// The window of every layer that halves rows and columns.
const HALVE: Window = Window::square(3).stride(2);

/// Table 1 up to the last map of 17×17, where the auxiliary classifier reads.
fn lower() -> Vec<Row> {
    vec![
        conv("Conv2d_1a_3x3", HALVE, 32),
        conv("Conv2d_2a_3x3", Window::square(3), 32),
        conv("Conv2d_2b_3x3", keep(3, 3), 64),
        max_pool("maxpool1", HALVE),
        conv("Conv2d_3b_1x1", keep(1, 1), 80),
        conv("Conv2d_4a_3x3", Window::square(3), 192),
        max_pool("maxpool2", HALVE),
        block("Mixed_5b", module_a(32)),
        block("Mixed_5c", module_a(64)),
        block("Mixed_5d", module_a(64)),
        block("Mixed_6a", reduction_b()),
        block("Mixed_6b", module_c(128)),
        block("Mixed_6c", module_c(160)),
        block("Mixed_6d", module_c(160)),
        block("Mixed_6e", module_c(192)),
    ]
}

/// The rest of Table 1.
fn upper() -> Vec<Row> {
    vec![
        block("Mixed_7a", reduction_d()),
        block("Mixed_7b", module_e()),
        block("Mixed_7c", module_e()),
    ]
}

/// Average pool, then 1×1. The published weights count the padding.
fn pooled(c_out: usize) -> Branch {
    vec![
        row("pool", Layer::AvgPool(keep(3, 3), PadCount::Include)),
        conv("branch_pool", keep(1, 1), c_out),
    ]
}

/// Figure 5, with one 5×5: torchvision's `InceptionA`.
fn module_a(pool: usize) -> Vec<Branch> {
    vec![
        vec![conv("branch1x1", keep(1, 1), 64)],
        vec![
            conv("branch5x5_1", keep(1, 1), 48),
            conv("branch5x5_2", keep(5, 5), 64),
        ],
        vec![
            conv("branch3x3dbl_1", keep(1, 1), 64),
            conv("branch3x3dbl_2", keep(3, 3), 96),
            conv("branch3x3dbl_3", keep(3, 3), 96),
        ],
        pooled(pool),
    ]
}

/// Figure 10, from 35×35 to 17×17: `InceptionB`.
fn reduction_b() -> Vec<Branch> {
    vec![
        vec![conv("branch3x3", HALVE, 384)],
        vec![
            conv("branch3x3dbl_1", keep(1, 1), 64),
            conv("branch3x3dbl_2", keep(3, 3), 96),
            conv("branch3x3dbl_3", HALVE, 96),
        ],
        vec![max_pool("pool", HALVE)],
    ]
}

/// Figure 6 with n = 7: `InceptionC`.
fn module_c(c7: usize) -> Vec<Branch> {
    vec![
        vec![conv("branch1x1", keep(1, 1), 192)],
        vec![
            conv("branch7x7_1", keep(1, 1), c7),
            conv("branch7x7_2", keep(1, 7), c7),
            conv("branch7x7_3", keep(7, 1), 192),
        ],
        vec![
            conv("branch7x7dbl_1", keep(1, 1), c7),
            conv("branch7x7dbl_2", keep(7, 1), c7),
            conv("branch7x7dbl_3", keep(1, 7), c7),
            conv("branch7x7dbl_4", keep(7, 1), c7),
            conv("branch7x7dbl_5", keep(1, 7), 192),
        ],
        pooled(192),
    ]
}

/// From 17×17 to 8×8: `InceptionD`.
fn reduction_d() -> Vec<Branch> {
    vec![
        vec![
            conv("branch3x3_1", keep(1, 1), 192),
            conv("branch3x3_2", HALVE, 320),
        ],
        vec![
            conv("branch7x7x3_1", keep(1, 1), 192),
            conv("branch7x7x3_2", keep(1, 7), 192),
            conv("branch7x7x3_3", keep(7, 1), 192),
            conv("branch7x7x3_4", HALVE, 192),
        ],
        vec![max_pool("pool", HALVE)],
    ]
}

/// Figure 7: `InceptionE`.
fn module_e() -> Vec<Branch> {
    vec![
        vec![conv("branch1x1", keep(1, 1), 320)],
        vec![
            conv("branch3x3_1", keep(1, 1), 384),
            fork("branch3x3_2a", "branch3x3_2b", 384),
        ],
        vec![
            conv("branch3x3dbl_1", keep(1, 1), 448),
            conv("branch3x3dbl_2", keep(3, 3), 384),
            fork("branch3x3dbl_3a", "branch3x3dbl_3b", 384),
        ],
        pooled(192),
    ]
}

/// 1×3 and 3×1 side by side.
pub(super) fn fork(wide: &str, high: &str, c_out: usize) -> Row {
    let wide = vec![conv(wide, keep(1, 3), c_out)];
    block("", [wide, vec![conv(high, keep(3, 1), c_out)]])
}

/// Inception v3, with torchvision's keys, which are timm's too.
///
/// # Sources
/// Szegedy et al. 2015, *Rethinking the Inception Architecture for Computer Vision*, Table 1;
/// channels as in torchvision `inception.py` and TF-slim `inception_v3.py`.
#[derive(Debug)]
pub struct InceptionV3 {
    lower: Chain,
    aux: Option<AuxLogits>,
    upper: Chain,
    head: PooledClassifier,
}

impl InceptionV3 {
    /// Registers the parameters.
    pub fn new(b: &mut Builder<'_>, options: &Resolved) -> Self {
        let style = ConvStyle::BatchNorm;
        let lower = Chain::new(b, style, options.input[0], &lower());
        b.aux_head("AuxLogits");
        let aux = match options.aux {
            Aux::Keep => Some(AuxLogits::new(
                &mut b.at("AuxLogits"),
                lower.c_out(),
                options.classes,
            )),
            Aux::Drop => None,
        };
        let upper = Chain::new(b, style, lower.c_out(), &upper());
        Self {
            head: PooledClassifier::new(b, "fc", upper.c_out(), options),
            lower,
            aux,
            upper,
        }
    }
}

impl Network for InceptionV3 {
    fn forward(&self, images: Var, ctx: &mut Ctx<'_>) -> Result<Outputs, GraphError> {
        let x = self.lower.forward(images, ctx)?; // [n, 17, 17, 768]
        let aux = aux_head("aux1", &self.aux, x, ctx)?; // [n, 1, 1, classes]
        let x = self.upper.forward(x, ctx)?; // [n, 8, 8, 2048]
        self.head.forward(x, aux.into_iter().collect(), ctx) // [n, 1, 1, classes]
    }
}

/// The auxiliary classifier: average pool 5×5 every 3, 1×1, 5×5, the average of what is
/// left, logits.
///
/// # Sources
/// torchvision `inception.py`, `InceptionAux`.
#[derive(Debug)]
struct AuxLogits {
    convs: Chain,
    avgpool: AdaptiveAvgPool2d,
    fc: Linear,
}

impl AuxLogits {
    fn new(b: &mut Builder<'_>, c_in: usize, classes: usize) -> Self {
        let pool = Layer::AvgPool(Window::square(5).stride(3), PadCount::Exclude);
        let rows = [
            row("pool", pool),
            conv("conv0", keep(1, 1), 128),
            conv("conv1", Window::square(5), 768),
        ];
        let convs = Chain::new(b, ConvStyle::BatchNorm, c_in, &rows);
        Self {
            avgpool: AdaptiveAvgPool2d::global(&b.at("avgpool")),
            fc: Linear::new(&mut b.at("fc"), convs.c_out(), classes),
            convs,
        }
    }
}

impl Module for AuxLogits {
    fn forward(&self, x: Var, ctx: &mut Ctx<'_>) -> Result<Var, GraphError> {
        let x = self.convs.forward(x, ctx)?; // [n, 1, 1, 768] where x is [n, 17, 17, 768]
        let x = self.avgpool.forward(x, ctx)?; // [n, 1, 1, 768]
        self.fc.forward(x, ctx) // [n, 1, 1, classes]
    }
}
