//! From a graph of ours to an ONNX model.
//!
//! The graph is walked as it was recorded, so that every model that can be recorded for
//! inference can be written. A map `[n, h, w, c]` of ours is `[n, c, h, w]` there, and the
//! order of parameters is that of a state dict, under their names.

mod fold;
mod nodes;

use crate::{DeployError, Weights};
use fold::Folded;
use inception_autograd::{Graph, NodeId, Op, Passes, Source, Var};
use inception_formats::{OnnxAttribute, OnnxDim, OnnxModel, OnnxNode, OnnxTensor, OnnxValue};
use inception_nn::{EvalProgram, Layout, Parameters, WeightsMeta};
use inception_store::Dtype;
use inception_tensor::Shape;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

/// The version of the operators, which any runtime since 2022 reads, and of the file's form.
const OPSET: i64 = 17;
const IR_VERSION: i64 = 8;
/// The largest file that Protocol Buffers allow.
const MAX_BYTES: u64 = (1 << 31) - 1;

/// What the exported graph ends in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Head {
    /// What the last layer gives, as `logits`.
    #[default]
    Logits,
    /// Its softmax, as `probabilities`.
    Probabilities,
}

/// What the exported graph begins with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InputScale {
    /// Images as the network takes them: mean subtracted, divided by the deviation.
    #[default]
    Normalised,
    /// Pixels from 0 to 255; the graph subtracts and divides.
    Pixels,
}

/// How a model is exported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExportOptions {
    /// What the graph ends in.
    pub head: Head,
    /// What it begins with.
    pub input: InputScale,
    /// Whether normalisations go into the convolutions before them.
    pub fold: FoldBatchNorm,
}

/// Whether batch normalisation stays a node of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FoldBatchNorm {
    /// It does.
    #[default]
    Keep,
    /// Its numbers go into the convolution before it, where there is one.
    Fold,
}

/// Writes a model as an ONNX graph of any batch size.
///
/// # Errors
/// When an operator has no counterpart or the file would be too large.
pub fn export(weights: &Weights, options: &ExportOptions) -> Result<OnnxModel, DeployError> {
    let numbers = weights
        .model
        .specs()
        .iter()
        .map(|(_, spec)| spec.shape.len() as u64);
    let bytes = numbers.sum::<u64>() * 4;
    if bytes > MAX_BYTES {
        return Err(DeployError::TooLarge {
            path: "the ONNX file".into(),
            model: weights.model.name(),
            found: bytes / 4,
            allowed: MAX_BYTES / 4,
        });
    }
    let program = EvalProgram::record(&weights.model, 1, Passes::NONE)?;
    let folded = match options.fold {
        FoldBatchNorm::Keep => Folded::default(),
        FoldBatchNorm::Fold => Folded::find(&program.graph),
    };
    let output = match options.head {
        Head::Logits => program.logits,
        Head::Probabilities => program.probs,
    };
    let exporter = Exporter {
        graph: &program.graph,
        parameters: &weights.parameters,
        folded,
        needed: needed(&program.graph, output),
        names: HashMap::new(),
        taken: HashSet::new(),
        out: OnnxModel {
            ir_version: IR_VERSION,
            opset: OPSET,
            producer: "inception".to_owned(),
            name: weights.model.name().to_owned(),
            ..OnnxModel::default()
        },
    };
    exporter.run(weights, program.images, output, options)
}

/// By node: whether `output` depends on it.
fn needed(graph: &Graph, output: Var) -> Vec<bool> {
    let mut needed = vec![false; graph.nodes().len()];
    let mut waiting: Vec<NodeId> = graph.producer(output).into_iter().collect();
    while let Some(id) = waiting.pop() {
        if !std::mem::replace(&mut needed[id], true) {
            let makers = graph.nodes()[id]
                .inputs
                .iter()
                .filter_map(|&v| graph.producer(v));
            waiting.extend(makers);
        }
    }
    needed
}

struct Exporter<'a> {
    graph: &'a Graph,
    parameters: &'a Parameters<f32>,
    folded: Folded,
    needed: Vec<bool>,
    /// What a value is called.
    names: HashMap<Var, String>,
    taken: HashSet<String>,
    out: OnnxModel,
}

impl Exporter<'_> {
    fn run(
        mut self,
        weights: &Weights,
        images: Var,
        output: Var,
        options: &ExportOptions,
    ) -> Result<OnnxModel, DeployError> {
        let [c, h, w] = weights.model.options().input;
        let input = match options.input {
            InputScale::Normalised => "images",
            InputScale::Pixels => "pixels",
        };
        self.taken.insert(input.to_owned());
        self.names.insert(images, input.to_owned());
        self.out.inputs.push(border(input, &[c, h, w]));
        if options.input == InputScale::Pixels {
            self.normalise(weights, images);
        }
        let name = match options.head {
            Head::Logits => "logits",
            Head::Probabilities => "probabilities",
        };
        self.taken.insert(name.to_owned());
        let is_row = self.row(output).is_some();
        if is_row {
            self.names.insert(output, name.to_owned());
        }
        for id in 0..self.graph.nodes().len() {
            if self.needed[id] {
                self.node(id)?;
            }
        }
        if !is_row {
            let map = self.name(output);
            self.emit("Flatten", &[&map], name, [("axis", OnnxAttribute::Int(1))]);
        }
        let classes = weights.model.options().classes;
        self.out.outputs.push(border(name, &[classes]));
        self.out.metadata = metadata(weights, options);
        Ok(self.out)
    }

    /// `(pixels/255 − mean)/std` as a product and a sum.
    fn normalise(&mut self, weights: &Weights, images: Var) {
        let preprocess = &weights.preprocess;
        let pairs = || preprocess.mean.iter().zip(&preprocess.std);
        let factor: Vec<f32> = pairs()
            .map(|(_, std)| (1.0 / (255.0 * f64::from(*std))) as f32)
            .collect();
        let shift: Vec<f32> = pairs()
            .map(|(mean, std)| (-f64::from(*mean) / f64::from(*std)) as f32)
            .collect();
        let shape = [1, factor.len(), 1, 1];
        self.tensor("preprocess.factor", OnnxTensor::from_f32(&shape, &factor));
        self.tensor("preprocess.shift", OnnxTensor::from_f32(&shape, &shift));
        self.emit("Mul", &["pixels", "preprocess.factor"], "scaled", []);
        self.emit("Add", &["scaled", "preprocess.shift"], "images", []);
        self.taken
            .extend(["scaled".to_owned(), "images".to_owned()]);
        self.names.insert(images, "images".to_owned());
    }

    /// Adds a node of one output.
    fn emit<const N: usize>(
        &mut self,
        op: &str,
        inputs: &[&str],
        output: &str,
        attributes: [(&str, OnnxAttribute); N],
    ) {
        let attributes = attributes.into_iter().map(|(k, v)| (k.to_owned(), v));
        self.out.nodes.push(OnnxNode {
            op: op.to_owned(),
            domain: String::new(),
            name: output.to_owned(),
            inputs: inputs.iter().map(|&name| name.to_owned()).collect(),
            outputs: vec![output.to_owned()],
            attributes: attributes.collect(),
        });
    }

    fn tensor(&mut self, name: &str, tensor: OnnxTensor) {
        self.out.initializers.insert(name.to_owned(), tensor);
    }

    /// The name of a value: that of its node's path, made different where it is taken.
    fn name(&mut self, var: Var) -> String {
        if let Some(name) = self.names.get(&var) {
            return name.clone();
        }
        let path = match self.graph.producer(var) {
            Some(id) => {
                let node = &self.graph.nodes()[id];
                format!("{}/{}", node.path, node.op.operator().name())
            }
            None => "value".to_owned(),
        };
        let name = self.free(&path);
        self.names.insert(var, name.clone());
        name
    }

    /// `wanted`, or with a number behind where that is taken.
    fn free(&mut self, wanted: &str) -> String {
        let mut name = wanted.to_owned();
        let mut copies = 1;
        while !self.taken.insert(name.clone()) {
            copies += 1;
            name = format!("{wanted}_{copies}");
        }
        name
    }

    /// Where a value is a row of features to ONNX as well: the map that it was flattened from.
    fn row(&self, var: Var) -> Option<Shape> {
        let node = &self.graph.nodes()[self.graph.producer(var)?];
        match &node.op {
            Op::Reshape(_) => Some(self.graph.shape(node.inputs[0])),
            Op::Linear(_) => Some(self.graph.shape(var)),
            Op::Relu(_) | Op::Softmax(_) | Op::BatchNormEval(_) | Op::Sum(_) => {
                self.row(node.inputs[0])
            }
            _ => None,
        }
    }

    /// The numbers of a parameter, in the order of memory.
    fn numbers(&self, var: Var) -> Cow<'_, [f32]> {
        let node = match self.graph.value_of(var).source {
            Source::Param(id) => return Cow::Borrowed(self.parameters.get(id)),
            Source::Node(node, _) => &self.graph.nodes()[node],
            _ => return Cow::Borrowed(&[]),
        };
        match &node.op {
            Op::Fill(fill) => vec![fill.value as f32; self.graph.shape(var).len()].into(),
            _ => Cow::Borrowed(&[]),
        }
    }

    /// Writes a parameter in the order of a state dict; returns its name.
    fn param(&mut self, var: Var, layout: Layout) -> Result<String, DeployError> {
        let id = match self.graph.value_of(var).source {
            Source::Param(id) => id,
            source => return self.constant(var, source, layout),
        };
        let spec = self.parameters.specs().get(id);
        let mut data = vec![0.0; spec.shape.len()];
        layout.write(spec.shape, self.parameters.get(id), &mut data);
        let name = spec.name.clone();
        let shape = layout.torch_shape(spec.shape);
        self.tensor(&name, OnnxTensor::from_f32(&shape, &data));
        Ok(name)
    }

    /// Writes weights that have the same number everywhere; returns their name.
    fn constant(
        &mut self,
        var: Var,
        source: Source,
        layout: Layout,
    ) -> Result<String, DeployError> {
        let Source::Node(node, _) = source else {
            return Err(computed());
        };
        let node = &self.graph.nodes()[node];
        let Op::Fill(fill) = &node.op else {
            return Err(computed());
        };
        let name = self.free(&format!("{}/constant", node.path));
        let shape = self.graph.shape(var);
        let data = vec![fill.value as f32; shape.len()];
        self.tensor(
            &name,
            OnnxTensor::from_f32(&layout.torch_shape(shape), &data),
        );
        Ok(name)
    }

    fn node(&mut self, id: NodeId) -> Result<(), DeployError> {
        let node = &self.graph.nodes()[id];
        if self.folded.is_gone(id) {
            // Its convolution already writes the value.
            return Ok(());
        }
        match &node.op {
            // Written where it is read.
            Op::Fill(_) => Ok(()),
            Op::Conv2d(op) => self.conv2d(id, op),
            Op::BatchNormEval(op) => self.batch_norm(id, op),
            Op::Linear(op) => self.linear(id, op),
            Op::MaxPool(op) => self.max_pool(id, op),
            Op::AvgPool(op) => self.avg_pool(id, op),
            Op::AdaptiveAvgPool(op) => self.adaptive_avg_pool(id, op),
            Op::Lrn(op) => self.lrn(id, op),
            Op::Concat(_) => self.concat(id),
            Op::Split(op) => self.split(id, op),
            Op::Relu(_) => self.simple(id, "Relu"),
            Op::Softmax(_) => self.softmax(id),
            Op::Sum(op) => self.sum(id, op),
            Op::Reshape(op) => self.reshape(id, op),
            other => Err(self.lacking(id, other.operator().name())),
        }
    }

    fn lacking(&self, id: NodeId, what: &str) -> DeployError {
        let path = &self.graph.nodes()[id].path;
        DeployError::Usage(format!("{path}: {what} cannot be written as ONNX"))
    }
}

fn computed() -> DeployError {
    DeployError::Usage(
        "an operator whose weights are computed cannot be written as ONNX".to_owned(),
    )
}

/// An input or output of any batch size.
fn border(name: &str, axes: &[usize]) -> OnnxValue {
    let axes = axes.iter().map(|&d| OnnxDim::Fixed(d));
    OnnxValue {
        name: name.to_owned(),
        dtype: Some(Dtype::F32),
        shape: std::iter::once(OnnxDim::Any("batch".to_owned()))
            .chain(axes)
            .collect(),
    }
}

/// What a file of our own says about itself. The preprocessing is what is left to do.
fn metadata(weights: &Weights, options: &ExportOptions) -> BTreeMap<String, String> {
    let mut preprocess = weights.preprocess.clone();
    if options.input == InputScale::Pixels {
        preprocess.mean.fill(0.0);
        preprocess.std.fill(1.0 / 255.0);
    }
    WeightsMeta {
        preprocess: preprocess.to_map(),
        ..weights.meta.clone()
    }
    .to_map()
}
