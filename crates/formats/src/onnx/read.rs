//! From bytes to a model.

use super::proto::{attribute, dtype, entry, graph, model, node, opset, tensor, value};
use super::{OnnxAttribute, OnnxDim, OnnxModel, OnnxNode, OnnxTensor, OnnxValue, check, external};
use crate::error::{Flaw, quoted};
use crate::wire::{Field, Message};
use inception_store::Dtype;
use std::path::Path;

/// Most nodes; most tensors; most names, attributes and numbers of settings in all.
const MAX_NODES: usize = 100_000;
const MAX_TENSORS: usize = 65_536;
const MAX_SETTINGS: usize = 1_000_000;
/// Bytes of all tensors together: as much as fits a file of this format, four times.
const MAX_BYTES: usize = 8 << 30;

/// Reads a model; `folder` is where its external data lie.
pub(crate) fn read(bytes: &[u8], folder: &Path) -> Result<OnnxModel, Flaw> {
    if bytes.is_empty() {
        return Err(Flaw::new("an ONNX model", "an empty file"));
    }
    let mut reader = Reader {
        folder,
        budget: MAX_BYTES,
        settings: 0,
        model: OnnxModel::default(),
        duplicates: Vec::new(),
    };
    reader.model(Message::new("ModelProto", bytes))?;
    let Reader {
        mut model,
        duplicates,
        ..
    } = reader;
    if let Some(name) = duplicates.first() {
        return Err(Flaw::new(
            "each initialiser once",
            format!("{} twice", quoted(name)),
        ));
    }
    check::check(&mut model)?;
    Ok(model)
}

struct Reader<'p> {
    folder: &'p Path,
    /// How many bytes of tensors are still allowed.
    budget: usize,
    /// How many names, attributes and numbers there are.
    settings: usize,
    model: OnnxModel,
    duplicates: Vec<String>,
}

impl Reader<'_> {
    fn count(&mut self, n: usize) -> Result<(), Flaw> {
        self.settings = self.settings.saturating_add(n);
        if self.settings <= MAX_SETTINGS {
            return Ok(());
        }
        let found = self.settings as u64;
        Err(Flaw::limit("settings of nodes", MAX_SETTINGS as u64, found))
    }

    fn model(&mut self, mut message: Message<'_>) -> Result<(), Flaw> {
        let mut graphs = 0_u32;
        while let Some(field) = message.next()? {
            match field.number {
                model::IR_VERSION => self.model.ir_version = field.int()?,
                model::PRODUCER => self.model.producer = field.text()?.to_owned(),
                model::OPSET => self.opset(field.message("OperatorSetIdProto")?)?,
                model::METADATA => self.metadata(field.message("StringStringEntryProto")?)?,
                model::GRAPH => {
                    graphs = graphs.saturating_add(1);
                    self.graph(field.message("GraphProto")?)?;
                }
                _ => {}
            }
        }
        if graphs != 1 {
            return Err(Flaw::new(
                "an ONNX model of one graph",
                format!("{graphs} graphs"),
            ));
        }
        Ok(())
    }

    fn opset(&mut self, mut message: Message<'_>) -> Result<(), Flaw> {
        let (mut domain, mut version) = ("", 0);
        while let Some(field) = message.next()? {
            match field.number {
                opset::DOMAIN => domain = field.text()?,
                opset::VERSION => version = field.int()?,
                _ => {}
            }
        }
        if domain.is_empty() || domain == "ai.onnx" {
            self.model.opset = version;
        }
        Ok(())
    }

    fn metadata(&mut self, mut message: Message<'_>) -> Result<(), Flaw> {
        let (mut key, mut text) = ("", "");
        while let Some(field) = message.next()? {
            match field.number {
                entry::KEY => key = field.text()?,
                entry::VALUE => text = field.text()?,
                _ => {}
            }
        }
        self.count(1)?;
        self.model.metadata.insert(key.to_owned(), text.to_owned());
        Ok(())
    }

    fn graph(&mut self, mut message: Message<'_>) -> Result<(), Flaw> {
        while let Some(field) = message.next()? {
            match field.number {
                graph::NAME => self.model.name = field.text()?.to_owned(),
                graph::NODE => {
                    let node = self.node(field.message("NodeProto")?)?;
                    self.model.nodes.push(node);
                    if self.model.nodes.len() > MAX_NODES {
                        let found = self.model.nodes.len() as u64;
                        return Err(Flaw::limit("nodes", MAX_NODES as u64, found));
                    }
                }
                graph::INITIALIZER => self.initializer(&field)?,
                graph::INPUT => {
                    let value = self.value(field.message("ValueInfoProto")?)?;
                    self.model.inputs.push(value);
                }
                graph::OUTPUT => {
                    let value = self.value(field.message("ValueInfoProto")?)?;
                    self.model.outputs.push(value);
                }
                graph::SPARSE_INITIALIZER => {
                    let flaw = Flaw::new("dense initialisers", "a sparse one");
                    return Err(flaw.at(field.at));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn initializer(&mut self, field: &Field<'_>) -> Result<(), Flaw> {
        let (name, tensor) = self.tensor(field.message("TensorProto")?)?;
        if name.is_empty() {
            return Err(Flaw::new("an initialiser's name", "none").at(field.at));
        }
        if self.model.initializers.len() >= MAX_TENSORS {
            let found = self.model.initializers.len().saturating_add(1) as u64;
            return Err(Flaw::limit("initialisers", MAX_TENSORS as u64, found));
        }
        if self
            .model
            .initializers
            .insert(name.clone(), tensor)
            .is_some()
        {
            self.duplicates.push(name);
        }
        Ok(())
    }

    fn node(&mut self, mut message: Message<'_>) -> Result<OnnxNode, Flaw> {
        let mut node = OnnxNode::default();
        while let Some(field) = message.next()? {
            self.count(1)?;
            match field.number {
                node::INPUT => node.inputs.push(field.text()?.to_owned()),
                node::OUTPUT => node.outputs.push(field.text()?.to_owned()),
                node::NAME => node.name = field.text()?.to_owned(),
                node::OP_TYPE => node.op = field.text()?.to_owned(),
                node::DOMAIN => node.domain = field.text()?.to_owned(),
                node::ATTRIBUTE => {
                    let (name, setting) = self.attribute(field.message("AttributeProto")?)?;
                    if node.attributes.insert(name.clone(), setting).is_some() {
                        let found = format!("{} twice", quoted(&name));
                        return Err(Flaw::new("each attribute once", found).at(field.at));
                    }
                }
                _ => {}
            }
        }
        Ok(node)
    }

    fn attribute(&mut self, mut message: Message<'_>) -> Result<(String, OnnxAttribute), Flaw> {
        let mut name = String::new();
        let mut kind = None;
        let (mut floats, mut ints) = (Vec::new(), Vec::new());
        let mut one = OnnxAttribute::Other;
        while let Some(field) = message.next()? {
            match field.number {
                attribute::NAME => name = field.text()?.to_owned(),
                attribute::TYPE => kind = Some(field.int()?),
                attribute::FLOAT => one = OnnxAttribute::Float(field.float()?),
                attribute::INT => one = OnnxAttribute::Int(field.int()?),
                attribute::TEXT => {
                    let text = String::from_utf8_lossy(field.bytes()?).into_owned();
                    one = OnnxAttribute::Text(text);
                }
                attribute::TENSOR => {
                    let (_, tensor) = self.tensor(field.message("TensorProto")?)?;
                    one = OnnxAttribute::Tensor(tensor);
                }
                attribute::FLOATS => field.fixed::<4>(&mut floats)?,
                attribute::INTS => field.ints(&mut ints)?,
                _ => {}
            }
        }
        self.count(ints.len().saturating_add(floats.len()))?;
        let single = |b: &[u8; 4]| f32::from_le_bytes(*b);
        // Writers leave out what is zero, and old ones leave out the type.
        let value = match (kind, one) {
            (Some(attribute::TYPE_INTS), _) => OnnxAttribute::Ints(ints),
            (Some(attribute::TYPE_FLOATS), _) => {
                OnnxAttribute::Floats(floats.as_chunks().0.iter().map(single).collect())
            }
            (Some(attribute::TYPE_FLOAT), OnnxAttribute::Other) => OnnxAttribute::Float(0.0),
            (Some(attribute::TYPE_INT), OnnxAttribute::Other) => OnnxAttribute::Int(0),
            (Some(attribute::TYPE_TEXT), OnnxAttribute::Other) => {
                OnnxAttribute::Text(String::new())
            }
            (None | Some(0), OnnxAttribute::Other) if !ints.is_empty() => OnnxAttribute::Ints(ints),
            (None | Some(0), OnnxAttribute::Other) if !floats.is_empty() => {
                OnnxAttribute::Floats(floats.as_chunks().0.iter().map(single).collect())
            }
            (_, one) => one,
        };
        Ok((name, value))
    }

    fn value(&mut self, mut message: Message<'_>) -> Result<OnnxValue, Flaw> {
        self.count(1)?;
        let mut found = OnnxValue {
            name: String::new(),
            dtype: None,
            shape: Vec::new(),
        };
        while let Some(field) = message.next()? {
            match field.number {
                value::NAME => found.name = field.text()?.to_owned(),
                value::TYPE => {
                    let mut kind = field.message("TypeProto")?;
                    while let Some(field) = kind.next()? {
                        if field.number == value::TENSOR_TYPE {
                            self.tensor_type(field.message("TypeProto.Tensor")?, &mut found)?;
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(found)
    }

    fn tensor_type(&mut self, mut message: Message<'_>, found: &mut OnnxValue) -> Result<(), Flaw> {
        while let Some(field) = message.next()? {
            match field.number {
                value::ELEM_TYPE => found.dtype = dtype(field.int()?),
                value::SHAPE => {
                    let mut shape = field.message("TensorShapeProto")?;
                    while let Some(field) = shape.next()? {
                        if field.number == value::DIM {
                            self.count(1)?;
                            found.shape.push(dim(field.message("Dimension")?)?);
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn tensor(&mut self, mut message: Message<'_>) -> Result<(String, OnnxTensor), Flaw> {
        let mut parts = Parts::default();
        while let Some(field) = message.next()? {
            self.tensor_field(&field, &mut parts)?;
        }
        self.count(parts.dims.len())?;
        let name = parts.name.to_owned();
        let tensor = self.assemble(parts);
        let tensor = tensor.map_err(|e| e.of(format!("tensor {}", quoted(&name))))?;
        Ok((name, tensor))
    }

    fn tensor_field<'a>(&mut self, field: &Field<'a>, parts: &mut Parts<'a>) -> Result<(), Flaw> {
        match field.number {
            tensor::DIMS => field.ints(&mut parts.dims)?,
            tensor::DATA_TYPE => parts.kind = field.int()?,
            tensor::NAME => parts.name = field.text()?,
            tensor::RAW_DATA if parts.raw.is_some() => {
                return Err(Flaw::new("raw data once", "twice").at(field.at));
            }
            tensor::RAW_DATA => parts.raw = Some(field.bytes()?),
            tensor::FLOAT_DATA => field.fixed::<4>(&mut parts.floats)?,
            tensor::DOUBLE_DATA => field.fixed::<8>(&mut parts.doubles)?,
            tensor::INT32_DATA => field.ints(&mut parts.ints32)?,
            tensor::INT64_DATA => field.ints(&mut parts.ints64)?,
            tensor::DATA_LOCATION => parts.is_external = field.int()? == 1,
            tensor::SEGMENT => {
                return Err(Flaw::new("whole tensors", "a segment of one").at(field.at));
            }
            tensor::EXTERNAL_DATA => {
                let mut message = field.message("StringStringEntryProto")?;
                let (mut key, mut text) = ("", "");
                while let Some(field) = message.next()? {
                    match field.number {
                        entry::KEY => key = field.text()?,
                        entry::VALUE => text = field.text()?,
                        _ => {}
                    }
                }
                self.count(1)?;
                parts.external.push((key, text));
            }
            _ => {}
        }
        Ok(())
    }

    /// A tensor whose bytes are as many as its type and extents say.
    fn assemble(&mut self, parts: Parts<'_>) -> Result<OnnxTensor, Flaw> {
        let Some(dtype) = dtype(parts.kind) else {
            let found = format!("data type {}", parts.kind);
            return Err(Flaw::new("real or whole numbers", found));
        };
        let extents = parts.dims.iter().map(|&d| usize::try_from(d).ok());
        let shape: Option<Vec<usize>> = extents.collect();
        let fits = shape
            .as_ref()
            .filter(|shape| shape.len() <= 8)
            .and_then(|shape| {
                let product = |n: usize, &d: &usize| n.checked_mul(d.max(1));
                shape.iter().try_fold(dtype.size(), product)
            });
        let (Some(shape), Some(_)) = (shape, fits) else {
            let found = format!("{} extents, {:?} …", parts.dims.len(), parts.dims.first());
            return Err(Flaw::new("at most 8 extents whose product fits", found));
        };
        let len = shape.iter().fold(dtype.size(), |n, &d| n.saturating_mul(d));
        if len > self.budget {
            return Err(Flaw::limit(
                "bytes of all tensors",
                MAX_BYTES as u64,
                len as u64,
            ));
        }
        let bytes = parts.bytes(dtype, len, self.folder)?;
        if bytes.len() != len {
            let expected = format!("{len} bytes for shape {shape:?} of {dtype}");
            return Err(Flaw::new(expected, bytes.len().to_string()));
        }
        self.budget = self.budget.saturating_sub(len);
        Ok(OnnxTensor {
            dtype,
            shape,
            bytes,
        })
    }
}

/// What a `TensorProto` has.
#[derive(Default)]
struct Parts<'a> {
    name: &'a str,
    kind: i64,
    dims: Vec<i64>,
    raw: Option<&'a [u8]>,
    floats: Vec<u8>,
    doubles: Vec<u8>,
    ints32: Vec<i64>,
    ints64: Vec<i64>,
    is_external: bool,
    external: Vec<(&'a str, &'a str)>,
}

impl Parts<'_> {
    /// The elements' bytes; they may lie in one of six places.
    fn bytes(self, dtype: Dtype, len: usize, folder: &Path) -> Result<Vec<u8>, Flaw> {
        let inline = [
            self.raw.is_some(),
            !self.floats.is_empty(),
            !self.doubles.is_empty(),
            !self.ints32.is_empty(),
            !self.ints64.is_empty(),
        ];
        let places = inline.iter().filter(|&&there| there).count();
        if self.is_external || !self.external.is_empty() {
            if places > 0 || !self.is_external {
                return Err(Flaw::new("data in one place", "data inside and outside"));
            }
            return external::read(&self.external, len, folder);
        }
        if places > 1 {
            return Err(Flaw::new("data in one place", "data in several fields"));
        }
        let misplaced = || Flaw::new(format!("data of {dtype} where they belong"), "others");
        if let Some(raw) = self.raw {
            return Ok(raw.to_vec());
        }
        let width = dtype.size();
        match dtype {
            Dtype::F32 if places == 0 || !self.floats.is_empty() => Ok(self.floats),
            Dtype::F64 if places == 0 || !self.doubles.is_empty() => Ok(self.doubles),
            Dtype::I64 if places == 0 || !self.ints64.is_empty() => {
                Ok(self.ints64.iter().flat_map(|n| n.to_le_bytes()).collect())
            }
            Dtype::U32 | Dtype::U64 => Err(misplaced()),
            _ if places == 0 || !self.ints32.is_empty() => {
                let bytes = self
                    .ints32
                    .iter()
                    .flat_map(|n| n.to_le_bytes().into_iter().take(width));
                Ok(bytes.collect())
            }
            _ => Err(misplaced()),
        }
    }
}

fn dim(mut message: Message<'_>) -> Result<OnnxDim, Flaw> {
    let mut found = OnnxDim::Any(String::new());
    while let Some(field) = message.next()? {
        match field.number {
            value::DIM_VALUE => {
                let extent = usize::try_from(field.int()?);
                found = extent.map_or(OnnxDim::Any(String::new()), OnnxDim::Fixed);
            }
            value::DIM_PARAM => found = OnnxDim::Any(field.text()?.to_owned()),
            _ => {}
        }
    }
    Ok(found)
}
