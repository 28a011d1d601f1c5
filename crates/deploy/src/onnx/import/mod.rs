//! From an ONNX graph to a model of ours.
//!
//! Nodes are walked once. A value is either a constant, which is computed here, or a feature
//! map, for which an operator is recorded. ONNX has channels in front of rows and columns, we
//! have them behind; a [`Form`] says how a map of ours stands for an ONNX value.

mod affine;
mod constant;
mod layers;
mod nodes;
mod pad;
mod shapes;
mod windows;

use super::network::Recorded;
use constant::Constant;
use inception_autograd::{DType, Graph, GraphError, Var};
use inception_formats::{OnnxDim, OnnxModel, OnnxNode};
use inception_nn::{Aux, Builder, Init, Layout, Model, Resolved, Role, Specs, StateTensor};
use inception_tensor::Shape;
use pad::Padded;
use std::collections::{BTreeSet, HashMap, HashSet};
use thiserror::Error;

/// Most numbers of one feature map.
const MAX_MAP: usize = 1 << 27;
/// Most numbers of all constants that are computed.
const MAX_CONSTANTS: usize = 1 << 29;
/// Most images that a graph may be written for.
const MAX_BATCH: usize = 1_024;
/// Most parameters.
const MAX_PARAMS: usize = 16_384;

/// Why a graph cannot become a model.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum ImportError {
    /// Operators that this program does not have.
    #[error("expected operators of an image classifier, found {}", .0.join(", "))]
    Unsupported(Vec<String>),
    /// A node's settings or operands are malformed, or not supported.
    #[error("{node}: {message}")]
    Node {
        /// The node.
        node: String,
        /// What was expected, and found.
        message: String,
    },
    /// The graph's inputs or outputs are not those of an image classifier.
    #[error("{0}")]
    Border(String),
    /// A value is larger than allowed.
    #[error("{node}: expected at most {allowed} numbers, found {found}")]
    TooLarge {
        /// The node.
        node: String,
        /// How many are allowed.
        allowed: usize,
        /// How many there would be.
        found: usize,
    },
    /// An operator refuses its operands.
    #[error(transparent)]
    Graph(#[from] GraphError),
}

/// A model from a graph, and its numbers.
#[derive(Debug)]
pub(crate) struct Imported {
    pub(crate) model: Model,
    pub(crate) state: Vec<StateTensor<f32>>,
}

/// How a map of ours, `[n, h, w, c]`, stands for an ONNX value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `[n, c, h, w]`.
    Map,
    /// `[n, c·h·w]`, of a map `[n, h, w, c]` that was flattened; ours is in `(h, w, c)` order.
    Flat { c: usize, h: usize, w: usize },
    /// `[n, h, w]`: one channel of a map.
    Plane,
}

/// A feature map.
#[derive(Clone, Copy, Debug)]
struct Feature {
    var: Var,
    form: Form,
}

/// A value of the graph.
#[derive(Clone, Debug)]
enum Value {
    Feature(Feature),
    Constant(Constant),
}

/// Records `from` as a model. `input` is used where the graph leaves the image's size open.
///
/// # Errors
/// When the graph is not that of an image classifier, has operators that we lack, or is
/// larger than allowed.
pub(crate) fn import(from: &OnnxModel, input: Option<[usize; 3]>) -> Result<Imported, ImportError> {
    supported(from)?;
    let [c, h, w] = image(from, input)?;
    let mut graph = Graph::new();
    let images = graph.input(Shape::new(batch(from)?, h, w, c), DType::Real);
    let mut importer = Importer {
        from,
        graph,
        values: HashMap::new(),
        padded: HashMap::new(),
        at_least_zero: HashSet::new(),
        specs: Specs::default(),
        state: Vec::new(),
        params: HashMap::new(),
        constants: 0,
        logits_of: HashMap::new(),
    };
    let feature = Feature {
        var: images,
        form: Form::Map,
    };
    let input = &from.inputs[0].name;
    importer.values.insert(input, Value::Feature(feature));
    for node in &from.nodes {
        importer.node(node)?;
    }
    importer.finish(images, [c, h, w])
}

/// Refuses a graph with operators that we lack, and names them all.
fn supported(from: &OnnxModel) -> Result<(), ImportError> {
    let lacking = from.nodes.iter().filter(|node| {
        !matches!(node.domain.as_str(), "" | "ai.onnx") || !nodes::NAMES.contains(&node.op.as_str())
    });
    let name = |node: &OnnxNode| match node.domain.as_str() {
        "" | "ai.onnx" => node.op.escape_debug().to_string(),
        domain => format!("{}.{}", domain.escape_debug(), node.op.escape_debug()),
    };
    let names: BTreeSet<String> = lacking.map(name).collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(ImportError::Unsupported(names.into_iter().collect()))
}

/// `[c, h, w]` of the graph's one input.
fn image(from: &OnnxModel, given: Option<[usize; 3]>) -> Result<[usize; 3], ImportError> {
    let refuse = |found: String| {
        let message = format!("expected one input of images [n, c, h, w], found {found}");
        Err(ImportError::Border(message))
    };
    let [input] = from.inputs.as_slice() else {
        return refuse(format!("{} inputs", from.inputs.len()));
    };
    let [_, axes @ ..] = input.shape.as_slice() else {
        return refuse("one without a shape".to_owned());
    };
    if axes.len() != 3 {
        return refuse(format!("one of {} extents", input.shape.len()));
    }
    let mut found = [0; 3];
    for (i, axis) in axes.iter().enumerate() {
        found[i] = match (axis, given) {
            (OnnxDim::Fixed(extent), _) => *extent,
            (OnnxDim::Any(_), Some(given)) => given[i],
            (OnnxDim::Any(_), None) => {
                let message = "the file leaves the size of images open: give it with --input C,H,W";
                return Err(ImportError::Border(message.to_owned()));
            }
        };
    }
    if found.contains(&0) || found.iter().any(|&d| d > 1 << 16) {
        return refuse(format!("images of {found:?}"));
    }
    Ok(found)
}

/// How many images the graph was written for: 1 where it leaves that open. Shapes inside of
/// the graph may be of that number alone.
fn batch(from: &OnnxModel) -> Result<usize, ImportError> {
    match from.inputs[0].shape[0] {
        OnnxDim::Fixed(n @ 1..=MAX_BATCH) => Ok(n),
        OnnxDim::Fixed(n) => {
            let message = format!("expected images in batches of 1 to {MAX_BATCH}, found {n}");
            Err(ImportError::Border(message))
        }
        OnnxDim::Any(_) => Ok(1),
    }
}

struct Importer<'m> {
    from: &'m OnnxModel,
    graph: Graph,
    values: HashMap<&'m str, Value>,
    /// Maps whose padding waits for a window.
    padded: HashMap<&'m str, Padded>,
    /// Maps without a number below zero.
    at_least_zero: HashSet<Var>,
    specs: Specs,
    state: Vec<StateTensor<f32>>,
    /// The parameter that a constant became, by name and use.
    params: HashMap<(String, Layout), Var>,
    /// How many numbers of constants were computed.
    constants: usize,
    /// What each softmax reads.
    logits_of: HashMap<Var, Feature>,
}

impl<'m> Importer<'m> {
    fn fault(&self, node: &OnnxNode, message: impl Into<String>) -> ImportError {
        ImportError::Node {
            node: node.shown(),
            message: message.into(),
        }
    }

    /// The value of input `i` of a node, where it has one.
    fn optional(&self, node: &'m OnnxNode, i: usize) -> Result<Option<Value>, ImportError> {
        let name = match node.inputs.get(i).map(String::as_str) {
            None | Some("") => return Ok(None),
            Some(name) => name,
        };
        if let Some(value) = self.values.get(name) {
            return Ok(Some(value.clone()));
        }
        if self.padded.contains_key(name) {
            let message =
                format!("input {i} has zeros around, which convolutions and pools alone read");
            return Err(self.fault(node, message));
        }
        match self.from.initializers.get(name) {
            Some(tensor) => Ok(Some(Value::Constant(Constant::new(name, tensor)))),
            None => Err(self.fault(node, format!("input {i} is what an unused output gives"))),
        }
    }

    fn value(&self, node: &'m OnnxNode, i: usize) -> Result<Value, ImportError> {
        let missing = || self.fault(node, format!("expected an input {i}, found none"));
        self.optional(node, i)?.ok_or_else(missing)
    }

    fn feature(&self, node: &'m OnnxNode, i: usize) -> Result<Feature, ImportError> {
        match self.value(node, i)? {
            Value::Feature(feature) => Ok(feature),
            Value::Constant(_) => Err(self.fault(
                node,
                format!("expected a feature map as input {i}, found a constant"),
            )),
        }
    }

    /// Input `i`, which has to be a map of channels, rows and columns.
    fn map(&self, node: &'m OnnxNode, i: usize) -> Result<Var, ImportError> {
        match self.feature(node, i)? {
            Feature {
                var,
                form: Form::Map,
            } => Ok(var),
            other => {
                let form = other.form;
                Err(self.fault(
                    node,
                    format!("expected [n, c, h, w] as input {i}, found {form:?}"),
                ))
            }
        }
    }

    fn constant(&self, node: &'m OnnxNode, i: usize) -> Result<Constant, ImportError> {
        match self.value(node, i)? {
            Value::Constant(constant) => Ok(constant),
            Value::Feature(_) => Err(self.fault(
                node,
                format!("expected a constant as input {i}, found a feature map"),
            )),
        }
    }

    /// Says what a node's first output is.
    fn give(&mut self, node: &'m OnnxNode, value: Value) -> Result<(), ImportError> {
        match &value {
            Value::Feature(feature) => {
                let found = self
                    .graph
                    .shape(feature.var)
                    .checked_len()
                    .unwrap_or(usize::MAX);
                self.budget(node, found, MAX_MAP)?;
            }
            Value::Constant(constant) => {
                self.constants = self.constants.saturating_add(constant.len());
                self.budget(node, self.constants, MAX_CONSTANTS)?;
            }
        }
        if let Some(name) = node.outputs.first() {
            self.values.insert(name, value);
        }
        Ok(())
    }

    fn give_map(&mut self, node: &'m OnnxNode, var: Var) -> Result<(), ImportError> {
        let form = Form::Map;
        self.give(node, Value::Feature(Feature { var, form }))
    }

    fn budget(&self, node: &OnnxNode, found: usize, allowed: usize) -> Result<(), ImportError> {
        if found <= allowed {
            return Ok(());
        }
        Err(ImportError::TooLarge {
            node: node.shown(),
            allowed,
            found,
        })
    }

    /// What the operators that stand for a node are called.
    fn path(node: &OnnxNode) -> &str {
        match node.name.as_str() {
            "" => node.outputs.first().map_or("", String::as_str),
            name => name,
        }
    }

    /// The parameter that holds `data`, which are in the order of a state dict.
    ///
    /// A constant that is used twice in one way is one parameter.
    fn param(
        &mut self,
        node: &OnnxNode,
        name: &str,
        layout: Layout,
        shape: Shape,
        data: Vec<f32>,
        role: Role,
    ) -> Result<Var, ImportError> {
        let key = (name.to_owned(), layout);
        if let Some(&var) = self.params.get(&key) {
            return Ok(var);
        }
        if self.specs.len() >= MAX_PARAMS {
            return Err(ImportError::TooLarge {
                node: node.shown(),
                allowed: MAX_PARAMS,
                found: self.specs.len() + 1,
            });
        }
        let mut free = name.to_owned();
        let mut copies = 0;
        while self.specs.find(&free).is_some() {
            copies += 1;
            free = format!("{name}#{copies}");
        }
        let init = Init::Constant(0.0);
        let id = Builder::new(&mut self.specs).param(&free, shape, layout, init, role);
        self.state.push(StateTensor {
            name: free,
            shape: layout.torch_shape(shape),
            data,
        });
        let var = self.graph.param(id, shape);
        self.params.insert(key, var);
        Ok(var)
    }

    /// A constant of one number a channel as a parameter.
    fn vector(
        &mut self,
        node: &OnnxNode,
        constant: &Constant,
        channels: usize,
        role: Role,
    ) -> Result<Var, ImportError> {
        let data = constant.floats().filter(|data| data.len() == channels);
        let Some(data) = data else {
            let shape = constant.shape();
            let message =
                format!("expected {channels} numbers, found a constant of shape {shape:?}");
            return Err(self.fault(node, message));
        };
        let name = constant.name();
        self.param(
            node,
            name,
            Layout::Vector,
            Shape::vector(channels),
            data,
            role,
        )
    }

    /// The model that ends in the graph's first output.
    fn finish(self, images: Var, input: [usize; 3]) -> Result<Imported, ImportError> {
        let output = &self.from.outputs[0].name;
        let found = match self.values.get(output.as_str()) {
            Some(Value::Feature(feature)) => *feature,
            _ => {
                let message =
                    format!("expected logits or probabilities as output, found {output:?}");
                return Err(ImportError::Border(message));
            }
        };
        let logits = self.logits_of.get(&found.var).copied().unwrap_or(found);
        let Shape { n, h, w, c } = self.graph.shape(logits.var);
        if [n, h, w] != [self.graph.shape(images).n, 1, 1] || logits.var == images {
            let message =
                format!("expected one number a class as output, found [{n}, {c}, {h}, {w}]");
            return Err(ImportError::Border(message));
        }
        let options = Resolved {
            input,
            classes: c,
            aux: Aux::Drop,
            dropout: 0.0,
            aux_dropout: 0.0,
        };
        let network = Recorded {
            graph: self.graph,
            images,
            logits: logits.var,
        };
        Ok(Imported {
            model: Model::from_network(Box::new(network), self.specs, options)?,
            state: self.state,
        })
    }
}
