//! BN-Inception, also called Inception v2.

use super::googlenet::stem;
use crate::modules::chain::{Branch, Layer, Row, block, conv, keep, max_pool, pad_same, row};
use crate::modules::{Chain, ConvStyle, PooledClassifier};
use crate::{Builder, Ctx, Module, Network, Outputs, Resolved};
use inception_autograd::{GraphError, Var};
use inception_ops::{PadCount, Window};

/// What a module does with rows and columns, and what follows from it.
#[derive(Clone, Copy)]
enum Kind {
    /// It keeps them; `#1×1`, and how many channels the projection behind the pool has.
    Keep { c1: usize, pool: Pool, proj: usize },
    /// It halves them: no 1×1 branch, and a max pool that passes its channels on.
    Halve,
}

#[derive(Clone, Copy)]
enum Pool {
    Average,
    Max,
}
use Pool::{Average, Max};

const fn same(c1: usize, pool: Pool, proj: usize) -> Kind {
    Kind::Keep { c1, pool, proj }
}

/// Name; what it keeps; `3×3 reduce`, `3×3`; `double 3×3 reduce`, and the two of 3×3.
const TABLE: [(&str, Kind, [usize; 2], [usize; 3]); 10] = [
    ("3a", same(64, Average, 32), [64, 64], [64, 96, 96]),
    ("3b", same(64, Average, 64), [64, 96], [64, 96, 96]),
    ("3c", Kind::Halve, [128, 160], [64, 96, 96]),
    ("4a", same(224, Average, 128), [64, 96], [96, 128, 128]),
    ("4b", same(192, Average, 128), [96, 128], [96, 128, 128]),
    ("4c", same(160, Average, 96), [128, 160], [128, 160, 160]),
    ("4d", same(96, Average, 96), [128, 192], [160, 192, 192]),
    ("4e", Kind::Halve, [128, 192], [192, 256, 256]),
    ("5a", same(352, Average, 128), [192, 320], [160, 224, 224]),
    ("5b", same(352, Max, 128), [192, 320], [192, 224, 224]),
];

/// Branches of one module: 1×1; 1×1 and 3×3; 1×1 and twice 3×3; a pool and 1×1.
fn branches(kind: Kind, c3: [usize; 2], d3: [usize; 3]) -> Vec<Branch> {
    let last = match kind {
        Kind::Keep { .. } => keep(3, 3),
        Kind::Halve => keep(3, 3).stride(2),
    };
    let mut branches = match kind {
        Kind::Keep { c1, .. } => vec![vec![conv("branch1", keep(1, 1), c1)]],
        Kind::Halve => vec![],
    };
    branches.push(vec![
        conv("branch2.0", keep(1, 1), c3[0]),
        conv("branch2.1", last, c3[1]),
    ]);
    branches.push(vec![
        conv("branch3.0", keep(1, 1), d3[0]),
        conv("branch3.1", keep(3, 3), d3[1]),
        conv("branch3.2", last, d3[2]),
    ]);
    branches.push(match kind {
        Kind::Keep { pool, proj, .. } => {
            let pool = match pool {
                Average => Layer::AvgPool(keep(3, 3), PadCount::Include),
                Max => Layer::MaxPool(keep(3, 3)),
            };
            vec![row("branch4.0", pool), conv("branch4.1", keep(1, 1), proj)]
        }
        Kind::Halve => vec![max_pool("branch4", Window::square(3).stride(2))],
    });
    branches
}

/// BN-Inception: GoogLeNet's stem and ten modules in which two 3×3 convolutions take the
/// place of the 5×5, batch normalisation throughout, no auxiliary classifier.
///
/// Keys: GoogLeNet's, with `branch3.{0,1,2}` for the double 3×3.
///
/// # Sources
/// Ioffe and Szegedy 2015, *Batch Normalization*, figure 5; channels as in TF-slim
/// `inception_v2.py`, with a full 7×7 convolution in front and `SAME` padding.
#[derive(Debug)]
pub struct BnInception {
    trunk: Chain,
    head: PooledClassifier,
}

impl BnInception {
    /// Registers the parameters.
    ///
    /// # Errors
    /// When the images are too small.
    pub fn new(b: &mut Builder<'_>, options: &Resolved) -> Result<Self, GraphError> {
        let [c, h, w] = options.input;
        let mut rows: Vec<Row> = stem(None, [h, w]);
        for (name, kind, c3, d3) in TABLE {
            rows.push(block(&format!("inception{name}"), branches(kind, c3, d3)));
        }
        pad_same(&mut rows, [h, w])?;
        let trunk = Chain::new(b, ConvStyle::BatchNorm, c, &rows);
        let head = PooledClassifier::new(b, "fc", trunk.c_out(), options);
        Ok(Self { trunk, head })
    }
}

impl Network for BnInception {
    fn forward(&self, images: Var, ctx: &mut Ctx<'_>) -> Result<Outputs, GraphError> {
        let x = self.trunk.forward(images, ctx)?; // [n, 7, 7, 1024]
        self.head.forward(x, vec![], ctx) // [n, 1, 1, classes]
    }
}
