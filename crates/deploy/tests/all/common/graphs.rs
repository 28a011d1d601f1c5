//! ONNX graphs by hand.

use inception_deploy::{DeployError, LoadOptions, Weights};
use inception_formats::{OnnxAttribute, OnnxDim, OnnxModel, OnnxNode, OnnxTensor, OnnxValue};
use inception_store::Dtype;

pub(crate) fn load(bytes: &[u8]) -> Result<Weights, DeployError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.onnx");
    std::fs::write(&path, bytes).unwrap();
    Weights::load(&path, &LoadOptions::default())
}

/// `[n, 3, 8, 8]` through the nodes that `change` makes.
pub(crate) fn graph(nodes: Vec<OnnxNode>, tensors: &[(&str, OnnxTensor)]) -> OnnxModel {
    let value = |name: &str, axes: &[usize]| OnnxValue {
        name: name.into(),
        dtype: Some(Dtype::F32),
        shape: std::iter::once(OnnxDim::Any("n".into()))
            .chain(axes.iter().map(|&d| OnnxDim::Fixed(d)))
            .collect(),
    };
    OnnxModel {
        ir_version: 8,
        opset: 17,
        inputs: vec![value("x", &[3, 8, 8])],
        outputs: vec![value("y", &[2])],
        nodes,
        initializers: tensors
            .iter()
            .map(|(k, v)| ((*k).to_owned(), v.clone()))
            .collect(),
        ..OnnxModel::default()
    }
}

pub(crate) fn node(
    op: &str,
    inputs: &[&str],
    output: &str,
    settings: &[(&str, OnnxAttribute)],
) -> OnnxNode {
    OnnxNode {
        op: op.into(),
        inputs: inputs.iter().map(|&s| s.into()).collect(),
        outputs: vec![output.into()],
        attributes: settings
            .iter()
            .map(|(k, v)| ((*k).to_owned(), v.clone()))
            .collect(),
        ..OnnxNode::default()
    }
}

pub(crate) fn ints(all: &[i64]) -> OnnxAttribute {
    OnnxAttribute::Ints(all.to_vec())
}

/// The status and message with which a graph is refused.
#[track_caller]
pub(crate) fn refused(nodes: Vec<OnnxNode>, tensors: &[(&str, OnnxTensor)]) -> (u8, String) {
    let error = load(&graph(nodes, tensors).to_bytes()).expect_err("a graph to refuse");
    (error.exit_code(), error.to_string())
}
