//! GoogLeNet, in four lineages.

use crate::modules::chain::{Layer, Row, block, conv, keep, max_pool, output, pad_same, row};
use crate::modules::{
    AuxPool, Chain, ConvStyle, InceptionAux, InceptionAuxConfig, InceptionConfig, PooledClassifier,
};
use crate::{Aux, AuxOutput, Builder, Ctx, Mode, Module, Network, Outputs, Resolved};
use inception_autograd::{GraphError, Var};
use inception_ops::{
    Window,
    lrn::{AlphaScale, Lrn},
};

/// An Inception module of Table 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InceptionRow {
    /// The paper's name: `"3a"`.
    pub name: &'static str,
    /// Its channels.
    pub config: InceptionConfig,
}

const fn inception(name: &'static str, columns: [usize; 6]) -> InceptionRow {
    let config = InceptionConfig::new(columns);
    InceptionRow { name, config }
}

/// The Inception modules of the paper's Table 1: `#1×1`, `#3×3 reduce`, `#3×3`,
/// `#5×5 reduce`, `#5×5`, `pool proj`. All lineages share them.
pub const TABLE1: [InceptionRow; 9] = [
    inception("3a", [64, 96, 128, 16, 32, 32]),
    inception("3b", [128, 128, 192, 32, 96, 64]),
    inception("4a", [192, 96, 208, 16, 48, 64]),
    inception("4b", [160, 112, 224, 24, 64, 64]),
    inception("4c", [128, 128, 256, 24, 64, 64]),
    inception("4d", [112, 144, 288, 32, 64, 64]),
    inception("4e", [256, 160, 320, 32, 128, 128]),
    inception("5a", [256, 160, 320, 32, 128, 128]),
    inception("5b", [384, 192, 384, 48, 128, 128]),
];

/// How the windows of stride 2 are padded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// Caffe's and PyTorch's: convolutions evenly, pools not at all but that they use up
    /// their input.
    Even,
    /// TensorFlow's `SAME`, by the size of the input.
    Same,
}

/// What tells the lineages of GoogLeNet apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GoogLeNetConfig {
    /// Bias or normalisation in every convolution.
    pub style: ConvStyle,
    /// Side of the third branch's filters.
    pub third_kernel: usize,
    /// Local response normalisation after the first pool and before the second.
    pub lrn: Option<Lrn>,
    /// How windows of stride 2 are padded.
    pub padding: Padding,
    /// The pool between 4e and 5a.
    pub maxpool4: Window,
    /// The pool of the auxiliary classifiers.
    pub aux_pool: AuxPool,
}

/// The pool of 3×3 every 2 that uses up its input.
const POOL: Window = Window::square(3).stride(2).ceil();

/// Caffe's constants, which the paper's network was published with.
const CAFFE_LRN: Lrn = Lrn {
    size: 5,
    alpha: 1e-4,
    beta: 0.75,
    k: 1.0,
    alpha_scale: AlphaScale::BySize,
};

impl GoogLeNetConfig {
    /// As published: biased convolutions, local response normalisation, 5×5 filters.
    pub const PAPER: Self = Self {
        style: ConvStyle::Biased,
        third_kernel: 5,
        lrn: Some(CAFFE_LRN),
        padding: Padding::Even,
        maxpool4: POOL,
        aux_pool: AuxPool::Strided,
    };
    /// The paper's channels and filters with batch normalisation in every convolution.
    pub const PAPER_BN: Self = Self {
        style: ConvStyle::BatchNorm,
        lrn: None,
        ..Self::PAPER
    };
    /// torchvision's, whose weights are published: 3×3 filters in the third branch, and a
    /// last pool of 2×2.
    pub const TORCHVISION: Self = Self {
        third_kernel: 3,
        maxpool4: Window::square(2).stride(2).ceil(),
        aux_pool: AuxPool::Adaptive,
        ..Self::PAPER_BN
    };
    /// TF-slim's: as torchvision's, which was made after it, but with `SAME` padding, and
    /// normalisation without γ.
    pub const SLIM: Self = Self {
        style: ConvStyle::BatchNormShift,
        padding: Padding::Same,
        maxpool4: Window::square(2).stride(2),
        ..Self::TORCHVISION
    };
}

/// Images whose shorter side is below this many pixels get the small stem.
const SMALL: usize = 48;

/// The layers in front of the first Inception module, for images of `image` = rows and
/// columns: 7×7 every 2, 1×1, 3×3 and two pools leave an eighth of the pixels a side.
///
/// Images of fewer than 48 pixels a side would vanish: they get one 3×3 convolution to the
/// same 192 channels, under the key `conv1`, and keep their size, as in the networks for
/// CIFAR that are called GoogLeNet.
///
/// # Sources
/// Szegedy et al. 2014, Table 1; kuangliu/pytorch-cifar `googlenet.py`.
pub(super) fn stem(lrn: Option<Lrn>, image: [usize; 2]) -> Vec<Row> {
    let lrn = |key| lrn.map(|lrn| row(key, Layer::Lrn(lrn)));
    if image[0].min(image[1]) < SMALL {
        let conv1 = Some(conv("conv1", keep(3, 3), 192));
        return [conv1, lrn("lrn2")].into_iter().flatten().collect();
    }
    let rows = [
        Some(conv("conv1", Window::square(7).stride(2).padding(3), 64)),
        Some(max_pool("maxpool1", POOL)),
        lrn("lrn1"),
        Some(conv("conv2", keep(1, 1), 64)),
        Some(conv("conv3", keep(3, 3), 192)),
        lrn("lrn2"),
        Some(max_pool("maxpool2", POOL)),
    ];
    rows.into_iter().flatten().collect()
}

/// GoogLeNet: a stem, nine Inception modules, global average pool, and in training two
/// auxiliary classifiers on the outputs of 4a and 4d. Keys are torchvision's.
///
/// # Sources
/// Szegedy et al. 2014, *Going Deeper with Convolutions*, Table 1; torchvision
/// `googlenet.py`; Caffe `bvlc_googlenet`; TF-slim `inception_v1.py`.
#[derive(Debug)]
pub struct GoogLeNet {
    to_4a: Chain,
    to_4d: Chain,
    to_5b: Chain,
    aux1: Option<InceptionAux>,
    aux2: Option<InceptionAux>,
    head: PooledClassifier,
}

/// Rows before aux1, between the two heads, and behind aux2.
fn rows(config: &GoogLeNetConfig, image: [usize; 2]) -> Result<[Vec<Row>; 3], GraphError> {
    let modules = |names: &[usize]| -> Vec<Row> {
        let modules = names.iter().map(|&i| {
            let InceptionRow { name, config: c } = &TABLE1[i];
            block(&format!("inception{name}"), c.branches(config.third_kernel))
        });
        modules.collect()
    };
    let mut parts = [stem(config.lrn, image), modules(&[3, 4, 5]), modules(&[6])];
    parts[0].extend(modules(&[0, 1]));
    parts[0].push(max_pool("maxpool3", POOL));
    parts[0].extend(modules(&[2]));
    parts[2].push(max_pool("maxpool4", config.maxpool4));
    parts[2].extend(modules(&[7, 8]));
    if config.padding == Padding::Same {
        let mut extent = image;
        for part in &mut parts {
            extent = pad_same(part, extent)?;
        }
    }
    Ok(parts)
}

impl GoogLeNet {
    /// Registers the parameters.
    ///
    /// # Errors
    /// When the images are too small.
    pub fn new(
        b: &mut Builder<'_>,
        config: &GoogLeNetConfig,
        options: &Resolved,
    ) -> Result<Self, GraphError> {
        let [c, h, w] = options.input;
        let style = config.style;
        let [to_4a, to_4d, to_5b] = rows(config, [h, w])?;
        let [h, w] = output(&to_4a, [h, w])?;
        let to_4a = Chain::new(b, style, c, &to_4a);
        let to_4d = Chain::new(b, style, to_4a.c_out(), &to_4d);
        let to_5b = Chain::new(b, style, to_4d.c_out(), &to_5b);
        let mut aux = |name: &str, c: usize| {
            b.aux_head(name);
            let head = InceptionAuxConfig {
                style,
                pool: config.aux_pool,
                input: [h, w, c],
                classes: options.classes,
                dropout: options.aux_dropout,
            };
            match options.aux {
                Aux::Keep => InceptionAux::new(&mut b.at(name), &head).map(Some),
                Aux::Drop => Ok(None),
            }
        };
        Ok(Self {
            aux1: aux("aux1", to_4a.c_out())?,
            aux2: aux("aux2", to_4d.c_out())?,
            head: PooledClassifier::new(b, "fc", to_5b.c_out(), options),
            to_4a,
            to_4d,
            to_5b,
        })
    }
}

/// Records an auxiliary head where there is one, in training.
pub(super) fn aux_head(
    name: &'static str,
    module: &Option<impl Module>,
    x: Var,
    ctx: &mut Ctx<'_>,
) -> Result<Option<AuxOutput>, GraphError> {
    let (Some(module), Mode::Train) = (module, ctx.mode) else {
        return Ok(None);
    };
    let logits = module.forward(x, ctx)?;
    Ok(Some(AuxOutput { name, logits }))
}

impl Network for GoogLeNet {
    fn forward(&self, images: Var, ctx: &mut Ctx<'_>) -> Result<Outputs, GraphError> {
        let x = self.to_4a.forward(images, ctx)?; // [n, 14, 14, 512]
        let aux1 = aux_head("aux1", &self.aux1, x, ctx)?; // [n, 1, 1, classes]
        let x = self.to_4d.forward(x, ctx)?; // [n, 14, 14, 528]
        let aux2 = aux_head("aux2", &self.aux2, x, ctx)?; // [n, 1, 1, classes]
        let x = self.to_5b.forward(x, ctx)?; // [n, 7, 7, 1024]
        let aux = [aux1, aux2].into_iter().flatten().collect();
        self.head.forward(x, aux, ctx) // [n, 1, 1, classes]
    }
}
