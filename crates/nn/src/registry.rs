//! Which models there are.

use crate::models::{
    BnInception, GoogLeNet, GoogLeNetConfig, InceptionMini, InceptionResNet, InceptionSmall,
    InceptionV3, InceptionV4, PlainConfig, PlainNet, SimpleInceptionNet, Version,
};
use crate::{Builder, Network, NnError, Resolved};
use inception_autograd::GraphError;
use inception_ops::OpError;

type Build = fn(&mut Builder<'_>, &Resolved) -> Result<Box<dyn Network>, GraphError>;

/// A model that can be built by name.
#[derive(Debug)]
pub struct ModelInfo {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    /// Where it is described.
    pub source: &'static str,
    /// Usual input `[c, h, w]`.
    pub input: [usize; 3],
    /// Usual number of classes.
    pub classes: usize,
    /// Whether it has auxiliary classifiers.
    pub has_aux: bool,
    /// Usual dropout in front of the logits.
    pub dropout: f64,
    pub(crate) build: Build,
}

static REGISTRY: [ModelInfo; 15] = [
    ModelInfo {
        name: "simple-inception",
        about: "one Inception module without activations, as it is taught",
        source: "Inception module of Szegedy et al. 2014, figure 2b",
        input: [3, 32, 32],
        classes: 10,
        has_aux: false,
        dropout: 0.0,
        build: |b, options| Ok(Box::new(SimpleInceptionNet::new(b, options))),
    },
    ModelInfo {
        name: "inception-small",
        about: "three Inception modules with batch norm, for 28 to 32 pixels",
        source: "this project",
        input: [1, 28, 28],
        classes: 10,
        has_aux: false,
        dropout: 0.2,
        build: |b, options| Ok(Box::new(InceptionSmall::new(b, options))),
    },
    ModelInfo {
        name: "inception-mini",
        about: "four modules of 1×1 beside 3×3 with batch norm, for 28 to 32 pixels",
        source: "this project; modules of Zhang et al. 2017",
        input: [1, 28, 28],
        classes: 10,
        has_aux: false,
        dropout: 0.0,
        build: |b, options| Ok(Box::new(InceptionMini::new(b, options))),
    },
    ModelInfo {
        name: "inception-midi",
        about: "inception-mini with modules of twice the width",
        source: "this project; modules of Zhang et al. 2017",
        input: [1, 28, 28],
        classes: 10,
        has_aux: false,
        dropout: 0.0,
        build: |b, options| Ok(Box::new(InceptionMini::wide(b, options))),
    },
    ModelInfo {
        name: "googlenet",
        about: "GoogLeNet as published: local response norm, 5×5 branch",
        source: "Szegedy et al. 2014, Going Deeper with Convolutions",
        input: [3, 224, 224],
        classes: 1000,
        has_aux: true,
        dropout: 0.4,
        build: |b, options| googlenet(b, &GoogLeNetConfig::PAPER, options),
    },
    ModelInfo {
        name: "googlenet-bn",
        about: "GoogLeNet as published, with batch norm",
        source: "Szegedy et al. 2014; Ioffe and Szegedy 2015",
        input: [3, 224, 224],
        classes: 1000,
        has_aux: true,
        dropout: 0.4,
        build: |b, options| googlenet(b, &GoogLeNetConfig::PAPER_BN, options),
    },
    ModelInfo {
        name: "googlenet-torchvision",
        about: "GoogLeNet as torchvision has it: batch norm, 3×3 in the third branch",
        source: "torchvision googlenet.py",
        input: [3, 224, 224],
        classes: 1000,
        has_aux: true,
        dropout: 0.2,
        build: |b, options| googlenet(b, &GoogLeNetConfig::TORCHVISION, options),
    },
    ModelInfo {
        name: "googlenet-slim",
        about: "GoogLeNet as TF-slim has it: batch norm without γ, SAME padding",
        source: "TF-slim inception_v1.py",
        input: [3, 224, 224],
        classes: 1000,
        has_aux: false,
        dropout: 0.2,
        build: |b, options| googlenet(b, &GoogLeNetConfig::SLIM, options),
    },
    ModelInfo {
        name: "bn-inception",
        about: "BN-Inception, or Inception v2: two 3×3 in place of the 5×5",
        source: "Ioffe and Szegedy 2015, Batch Normalization; TF-slim inception_v2.py",
        input: [3, 224, 224],
        classes: 1000,
        has_aux: false,
        dropout: 0.2,
        build: |b, options| Ok(Box::new(BnInception::new(b, options)?)),
    },
    ModelInfo {
        name: "inception-v3",
        about: "Inception v3: factorised convolutions, one auxiliary head",
        source: "Szegedy et al. 2015, Rethinking the Inception Architecture; torchvision \
                 inception.py",
        input: [3, 299, 299],
        classes: 1000,
        has_aux: true,
        dropout: 0.5,
        build: |b, options| Ok(Box::new(InceptionV3::new(b, options))),
    },
    ModelInfo {
        name: "inception-v4",
        about: "Inception v4: a deeper stem, uniform modules",
        source: "Szegedy et al. 2016, Inception-v4; timm inception_v4.py",
        input: [3, 299, 299],
        classes: 1000,
        has_aux: false,
        dropout: 0.2,
        build: |b, options| Ok(Box::new(InceptionV4::new(b, options))),
    },
    ModelInfo {
        name: "inception-resnet-v1",
        about: "Inception-ResNet v1: residual Inception modules at the cost of v3",
        source: "Szegedy et al. 2016, Inception-v4; facenet inception_resnet_v1.py",
        input: [3, 299, 299],
        classes: 1000,
        has_aux: false,
        dropout: 0.2,
        build: |b, options| Ok(Box::new(InceptionResNet::new(b, Version::One, options))),
    },
    ModelInfo {
        name: "inception-resnet-v2",
        about: "Inception-ResNet v2 as published: residual Inception modules",
        source: "TF-slim inception_resnet_v2.py; timm inception_resnet_v2.py",
        input: [3, 299, 299],
        classes: 1000,
        has_aux: false,
        dropout: 0.2,
        build: |b, options| Ok(Box::new(InceptionResNet::new(b, Version::Two, options))),
    },
    ModelInfo {
        name: "alexnet",
        about: "AlexNet as torchvision has it, to compare with",
        source: "Krizhevsky 2014; torchvision alexnet.py",
        input: [3, 224, 224],
        classes: 1000,
        has_aux: false,
        dropout: 0.5,
        build: |b, options| Ok(Box::new(PlainNet::new(b, &PlainConfig::ALEXNET, options))),
    },
    ModelInfo {
        name: "vgg16",
        about: "VGG-16, to compare with",
        source: "Simonyan and Zisserman 2014; torchvision vgg.py",
        input: [3, 224, 224],
        classes: 1000,
        has_aux: false,
        dropout: 0.5,
        build: |b, options| Ok(Box::new(PlainNet::new(b, &PlainConfig::VGG16, options))),
    },
];

/// What stands for a network that came with a file and is in no registry.
pub(crate) static IMPORTED: ModelInfo = ModelInfo {
    name: "imported",
    about: "a graph that came with its file",
    source: "its file",
    input: [3, 224, 224],
    classes: 1000,
    has_aux: false,
    dropout: 0.0,
    build: |b, _| {
        Err(GraphError::Operator {
            path: b.path().to_string(),
            source: OpError::Setting {
                op: "imported",
                detail: "a graph is built from its file alone".to_owned(),
            },
        })
    },
};

fn googlenet(
    b: &mut Builder<'_>,
    config: &GoogLeNetConfig,
    options: &Resolved,
) -> Result<Box<dyn Network>, GraphError> {
    Ok(Box::new(GoogLeNet::new(b, config, options)?))
}

/// Every model that can be built by name.
pub fn registry() -> &'static [ModelInfo] {
    &REGISTRY
}

/// The model called `name`.
///
/// # Errors
/// When there is none; the error lists the names and the one most like `name`.
pub fn find(name: &str) -> Result<&'static ModelInfo, NnError> {
    let known = REGISTRY.iter().find(|info| info.name == name);
    known.ok_or_else(|| NnError::UnknownModel {
        name: name.to_owned(),
        nearest: nearest(name),
        names: REGISTRY.iter().map(|info| info.name).collect(),
    })
}

/// The name that the fewest edits lead to, unless they would rewrite most of it.
fn nearest(name: &str) -> Option<&'static str> {
    let folded = name.to_lowercase().replace('_', "-");
    let distance = |info: &&ModelInfo| edits(&folded, info.name);
    let best = REGISTRY.iter().min_by_key(distance)?;
    let close = distance(&best) * 2 <= best.name.chars().count();
    close.then_some(best.name)
}

/// Insertions, deletions and replacements that turn `a` into `b` (Levenshtein).
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &y) in b.iter().enumerate() {
            let replace = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
