//! GoogLeNet, in three lineages.

use crate::modules::{
    AdaptiveAvgPool2d, AuxPool, BasicConv2d, ConvStyle, Dropout, Inception, InceptionAux,
    InceptionAuxConfig, InceptionConfig, Linear, LocalResponseNorm, MaxPool2d,
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

const fn row(name: &'static str, columns: [usize; 6]) -> InceptionRow {
    let config = InceptionConfig::new(columns);
    InceptionRow { name, config }
}

/// The Inception modules of the paper's Table 1: `#1×1`, `#3×3 reduce`, `#3×3`,
/// `#5×5 reduce`, `#5×5`, `pool proj`. All lineages share them.
pub const TABLE1: [InceptionRow; 9] = [
    row("3a", [64, 96, 128, 16, 32, 32]),
    row("3b", [128, 128, 192, 32, 96, 64]),
    row("4a", [192, 96, 208, 16, 48, 64]),
    row("4b", [160, 112, 224, 24, 64, 64]),
    row("4c", [128, 128, 256, 24, 64, 64]),
    row("4d", [112, 144, 288, 32, 64, 64]),
    row("4e", [256, 160, 320, 32, 128, 128]),
    row("5a", [256, 160, 320, 32, 128, 128]),
    row("5b", [384, 192, 384, 48, 128, 128]),
];

/// What tells the lineages of GoogLeNet apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GoogLeNetConfig {
    /// Bias or normalisation in every convolution.
    pub style: ConvStyle,
    /// Side of the third branch's filters.
    pub third_kernel: usize,
    /// Local response normalisation after the first pool and before the second.
    pub lrn: Option<Lrn>,
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
}

/// GoogLeNet: a stem, nine Inception modules, global average pool, and in training two
/// auxiliary classifiers on the outputs of 4a and 4d. Keys are torchvision's.
///
/// # Sources
/// Szegedy et al. 2014, *Going Deeper with Convolutions*, Table 1; torchvision
/// `googlenet.py`; Caffe `bvlc_googlenet`.
#[derive(Debug)]
pub struct GoogLeNet {
    conv1: BasicConv2d,
    maxpool1: MaxPool2d,
    lrn1: Option<LocalResponseNorm>,
    conv2: BasicConv2d,
    conv3: BasicConv2d,
    lrn2: Option<LocalResponseNorm>,
    maxpool2: MaxPool2d,
    inception3a: Inception,
    inception3b: Inception,
    maxpool3: MaxPool2d,
    inception4a: Inception,
    inception4b: Inception,
    inception4c: Inception,
    inception4d: Inception,
    inception4e: Inception,
    maxpool4: MaxPool2d,
    inception5a: Inception,
    inception5b: Inception,
    aux1: Option<InceptionAux>,
    aux2: Option<InceptionAux>,
    avgpool: AdaptiveAvgPool2d,
    dropout: Dropout,
    fc: Linear,
}

/// The stem's convolutions.
const CONV1: Window = Window::square(7).stride(2).padding(3);
const CONV2: Window = Window::square(1);
const CONV3: Window = Window::square(3).padding(1);

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
        let [h, w] = extent_at_4a([h, w]).map_err(|source| GraphError::Operator {
            path: b.at("maxpool3").path().to_string(),
            source,
        })?;
        let conv1 = BasicConv2d::new(&mut b.at("conv1"), style, CONV1, c, 64);
        let conv2 = BasicConv2d::new(&mut b.at("conv2"), style, CONV2, 64, 64);
        let conv3 = BasicConv2d::new(&mut b.at("conv3"), style, CONV3, 64, 192);
        let mut channels = 192;
        let mut inputs = [0; TABLE1.len()];
        for (input, row) in inputs.iter_mut().zip(&TABLE1) {
            *input = channels;
            channels = row.config.c_out();
        }
        let mut module = |i: usize| {
            let mut at = b.at(&format!("inception{}", TABLE1[i].name));
            let row = &TABLE1[i].config;
            Inception::new(&mut at, style, config.third_kernel, inputs[i], row)
        };
        let [inception3a, inception3b] = [module(0), module(1)];
        let [inception4a, inception4b, inception4c] = [module(2), module(3), module(4)];
        let [inception4d, inception4e] = [module(5), module(6)];
        let [inception5a, inception5b] = [module(7), module(8)];
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
        let aux1 = aux("aux1", TABLE1[2].config.c_out())?;
        let aux2 = aux("aux2", TABLE1[5].config.c_out())?;
        let mut lrn = |name: &str| {
            let at = b.at(name);
            config.lrn.map(|lrn| LocalResponseNorm::new(&at, lrn))
        };
        let (lrn1, lrn2) = (lrn("lrn1"), lrn("lrn2"));
        Ok(Self {
            conv1,
            maxpool1: MaxPool2d::new(&b.at("maxpool1"), POOL),
            lrn1,
            conv2,
            conv3,
            lrn2,
            maxpool2: MaxPool2d::new(&b.at("maxpool2"), POOL),
            inception3a,
            inception3b,
            maxpool3: MaxPool2d::new(&b.at("maxpool3"), POOL),
            inception4a,
            inception4b,
            inception4c,
            inception4d,
            inception4e,
            maxpool4: MaxPool2d::new(&b.at("maxpool4"), config.maxpool4),
            inception5a,
            inception5b,
            aux1,
            aux2,
            avgpool: AdaptiveAvgPool2d::global(&b.at("avgpool")),
            dropout: Dropout::new(&b.at("dropout"), options.dropout),
            fc: Linear::new(&mut b.at("fc"), channels, options.classes),
        })
    }
}

/// Rows and columns of the maps that the auxiliary classifiers read.
fn extent_at_4a(image: [usize; 2]) -> Result<[usize; 2], inception_ops::OpError> {
    let extent = CONV1.output("conv2d", image)?;
    let extent = POOL.output("max_pool", extent)?;
    let extent = POOL.output("max_pool", extent)?;
    POOL.output("max_pool", extent)
}

/// Records a module where there is one.
fn optional(module: &Option<impl Module>, x: Var, ctx: &mut Ctx<'_>) -> Result<Var, GraphError> {
    match module {
        Some(module) => module.forward(x, ctx),
        None => Ok(x),
    }
}

impl Network for GoogLeNet {
    fn forward(&self, images: Var, ctx: &mut Ctx<'_>) -> Result<Outputs, GraphError> {
        let mut aux = Vec::new();
        let mut head = |name, module: &Option<InceptionAux>, x, ctx: &mut Ctx<'_>| {
            if let (Some(module), Mode::Train) = (module, ctx.mode) {
                let logits = module.forward(x, ctx)?;
                aux.push(AuxOutput { name, logits });
            }
            Ok(())
        };
        let x = self.conv1.forward(images, ctx)?; // [n, 112, 112, 64]
        let x = self.maxpool1.forward(x, ctx)?; // [n, 56, 56, 64]
        let x = optional(&self.lrn1, x, ctx)?; // [n, 56, 56, 64]
        let x = self.conv2.forward(x, ctx)?; // [n, 56, 56, 64]
        let x = self.conv3.forward(x, ctx)?; // [n, 56, 56, 192]
        let x = optional(&self.lrn2, x, ctx)?; // [n, 56, 56, 192]
        let x = self.maxpool2.forward(x, ctx)?; // [n, 28, 28, 192]
        let x = self.inception3a.forward(x, ctx)?; // [n, 28, 28, 256]
        let x = self.inception3b.forward(x, ctx)?; // [n, 28, 28, 480]
        let x = self.maxpool3.forward(x, ctx)?; // [n, 14, 14, 480]
        let x = self.inception4a.forward(x, ctx)?; // [n, 14, 14, 512]
        head("aux1", &self.aux1, x, ctx)?; // [n, 1, 1, classes]
        let x = self.inception4b.forward(x, ctx)?; // [n, 14, 14, 512]
        let x = self.inception4c.forward(x, ctx)?; // [n, 14, 14, 512]
        let x = self.inception4d.forward(x, ctx)?; // [n, 14, 14, 528]
        head("aux2", &self.aux2, x, ctx)?; // [n, 1, 1, classes]
        let x = self.inception4e.forward(x, ctx)?; // [n, 14, 14, 832]
        let x = self.maxpool4.forward(x, ctx)?; // [n, 7, 7, 832]
        let x = self.inception5a.forward(x, ctx)?; // [n, 7, 7, 832]
        let x = self.inception5b.forward(x, ctx)?; // [n, 7, 7, 1024]
        let x = self.avgpool.forward(x, ctx)?; // [n, 1, 1, 1024]
        let x = self.dropout.forward(x, ctx)?; // [n, 1, 1, 1024]
        let logits = self.fc.forward(x, ctx)?; // [n, 1, 1, classes]
        Ok(Outputs { logits, aux })
    }
}
