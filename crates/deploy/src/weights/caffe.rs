//! Weights of Caffe's `bvlc_googlenet` as those of `googlenet`.
//!
//! # Sources
//! `models/bvlc_googlenet/train_val.prototxt` of <https://github.com/BVLC/caffe>.

use super::{Found, LoadOptions, Naming};
use crate::DeployError;
use inception_data::{Preprocess, escape_path};
use inception_nn::{Aux, Model, StateTensor, WeightsMeta};
use inception_store::Archive;
use std::path::Path;

/// The one network of Caffe that is known.
const MODEL: &str = "googlenet";
/// Means of ImageNet in Caffe, of blue, green and red, where white is 255.
const MEAN_BGR: [f32; 3] = [104.0, 117.0, 123.0];
/// The layer whose filters see pixels.
const FIRST: &str = "conv1.conv.weight";
/// Layers outside of modules, and what they are called here.
const LAYERS: [(&str, &str); 10] = [
    ("conv1/7x7_s2", "conv1.conv"),
    ("conv2/3x3_reduce", "conv2.conv"),
    ("conv2/3x3", "conv3.conv"),
    ("loss1/conv", "aux1.conv.conv"),
    ("loss1/fc", "aux1.fc1"),
    ("loss1/classifier", "aux1.fc2"),
    ("loss2/conv", "aux2.conv.conv"),
    ("loss2/fc", "aux2.fc1"),
    ("loss2/classifier", "aux2.fc2"),
    ("loss3/classifier", "fc"),
];
/// Layers of a module.
const BRANCHES: [(&str, &str); 6] = [
    ("1x1", "branch1.conv"),
    ("3x3_reduce", "branch2.0.conv"),
    ("3x3", "branch2.1.conv"),
    ("5x5_reduce", "branch3.0.conv"),
    ("5x5", "branch3.1.conv"),
    ("pool_proj", "branch4.1.conv"),
];

/// Takes `archive` for weights of `googlenet`.
///
/// Their network saw blue first. The first layer's filters are turned round instead, so that
/// the model sees red first like any other; means are those of Caffe.
pub(super) fn conclude(
    path: &Path,
    archive: &Archive,
    options: &LoadOptions,
) -> Result<Found, DeployError> {
    let name = options.model.as_deref().unwrap_or(MODEL);
    if name != MODEL || !archive.names().any(|n| n.starts_with("inception_3a/")) {
        return Err(DeployError::Usage(format!(
            "{}: of Caffe's networks, weights of {MODEL} alone can be read",
            escape_path(path)
        )));
    }
    let model = Model::build(MODEL, &options.model_options)?;
    let [_, height, width] = model.options().input;
    let preprocess = Preprocess {
        mean: MEAN_BGR.iter().rev().map(|mean| mean / 255.0).collect(),
        std: vec![1.0 / 255.0; 3],
        ..Preprocess::photograph(height, width)
    };
    let meta = WeightsMeta {
        aux: Aux::Drop,
        ..WeightsMeta::of(&model)
    };
    Ok(Found {
        model,
        meta,
        preprocess,
        naming: Naming::Caffe,
    })
}

/// The key of a blob; its own name where it is none of the network's.
pub(super) fn key(blob: &str) -> String {
    let known = || {
        let (layer, kind) = blob.rsplit_once('.')?;
        if let Some((_, key)) = LAYERS.iter().find(|(name, _)| *name == layer) {
            return Some(format!("{key}.{kind}"));
        }
        let (module, branch) = layer.strip_prefix("inception_")?.split_once('/')?;
        let (_, key) = BRANCHES.iter().find(|(name, _)| *name == branch)?;
        Some(format!("inception{module}.{key}.{kind}"))
    };
    known().unwrap_or_else(|| blob.to_owned())
}

/// Leaves away the leading ones of old shapes, and turns round the channels of filters that
/// see pixels.
pub(super) fn adapt(tensor: &mut StateTensor<f32>, expected: &[usize]) {
    while tensor.shape.len() > expected.len() && tensor.shape.first() == Some(&1) {
        tensor.shape.remove(0);
    }
    if let (FIRST, &[_, 3, h, w]) = (tensor.name.as_str(), tensor.shape.as_slice()) {
        for filter in tensor.data.chunks_exact_mut(3 * h * w) {
            let (blue, rest) = filter.split_at_mut(h * w);
            blue.swap_with_slice(&mut rest[h * w..]);
        }
    }
}
