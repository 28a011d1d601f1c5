//! ONNX files as plain data: a list of nodes, and tensors by name.
//!
//! [`read`](crate::read) checks what can be checked without knowing an operator: names are
//! written once and before they are read, sizes agree, data lie in the model's folder. What
//! the nodes mean is somebody else's business.

mod check;
mod external;
mod proto;
mod read;
mod write;

pub(crate) use read::read;

use inception_store::Dtype;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OnnxModel {
    /// The version of the file's own format: 10.
    pub ir_version: i64,
    /// The version of the operators: 17.
    pub opset: i64,
    /// The program that wrote it.
    pub producer: String,
    /// Text by key.
    pub metadata: BTreeMap<String, String>,
    /// The graph's name.
    pub name: String,
    /// Values that the caller gives, without those that an initialiser gives.
    pub inputs: Vec<OnnxValue>,
    /// Values that the caller gets.
    pub outputs: Vec<OnnxValue>,
    /// Operators, each behind those whose results it reads.
    pub nodes: Vec<OnnxNode>,
    /// Parameters and other constants, by name.
    pub initializers: BTreeMap<String, OnnxTensor>,
    /// What deserves a word, although the file was read.
    pub warnings: Vec<String>,
}

/// A value at the border of a graph.
#[derive(Clone, Debug, PartialEq)]
pub struct OnnxValue {
    /// Its name.
    pub name: String,
    /// Type of its elements, where it is one of ours.
    pub dtype: Option<Dtype>,
    /// Its extents, where the file gives a shape.
    pub shape: Vec<OnnxDim>,
}

/// An extent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OnnxDim {
    /// A number.
    Fixed(usize),
    /// A name, or nothing: any number.
    Any(String),
}

/// An operator applied to values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OnnxNode {
    /// The operator: `Conv`.
    pub op: String,
    /// Where the operator is described; empty for ONNX itself.
    pub domain: String,
    /// The node's name; may be empty.
    pub name: String,
    /// Values that it reads; an empty name stands for none.
    pub inputs: Vec<String>,
    /// Values that it writes; an empty name stands for none.
    pub outputs: Vec<String>,
    /// Settings by name.
    pub attributes: BTreeMap<String, OnnxAttribute>,
}

impl OnnxNode {
    /// What messages call it: operator, name or first output, and place among the nodes.
    pub fn shown(&self) -> String {
        let name = match self.name.as_str() {
            "" => self.outputs.first().map_or("", String::as_str),
            name => name,
        };
        format!(
            "node {} ({})",
            crate::error::quoted(name),
            self.op.escape_debug()
        )
    }
}

/// A setting of a node.
#[derive(Clone, Debug, PartialEq)]
pub enum OnnxAttribute {
    /// A number.
    Float(f32),
    /// A whole number.
    Int(i64),
    /// A text.
    Text(String),
    /// A tensor.
    Tensor(OnnxTensor),
    /// Numbers.
    Floats(Vec<f32>),
    /// Whole numbers.
    Ints(Vec<i64>),
    /// A graph or another thing that no operator of ours has.
    Other,
}

/// A tensor, row-major and little-endian.
#[derive(Clone, Debug, PartialEq)]
pub struct OnnxTensor {
    /// Type of its elements.
    pub dtype: Dtype,
    /// Its extents; none for a scalar.
    pub shape: Vec<usize>,
    /// Its elements.
    pub bytes: Vec<u8>,
}

impl OnnxTensor {
    /// A tensor of single precision.
    pub fn from_f32(shape: &[usize], numbers: &[f32]) -> Self {
        Self {
            dtype: Dtype::F32,
            shape: shape.to_vec(),
            bytes: numbers.iter().flat_map(|x| x.to_le_bytes()).collect(),
        }
    }

    /// Whole numbers.
    pub fn from_i64(shape: &[usize], numbers: &[i64]) -> Self {
        Self {
            dtype: Dtype::I64,
            shape: shape.to_vec(),
            bytes: numbers.iter().flat_map(|x| x.to_le_bytes()).collect(),
        }
    }

    /// How many elements it has.
    pub fn len(&self) -> usize {
        self.bytes.len().checked_div(self.dtype.size()).unwrap_or(0)
    }

    /// Whether it has none.
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Its elements where they are of F32 or F64, the latter rounded; else `None`.
    pub fn to_f32(&self) -> Option<Vec<f32>> {
        let narrow = |&b: &[u8; 8]| f64::from_le_bytes(b) as f32;
        match self.dtype {
            Dtype::F32 => Some(self.numbers(f32::from_le_bytes)),
            Dtype::F64 => Some(self.bytes.as_chunks().0.iter().map(narrow).collect()),
            _ => None,
        }
    }

    /// Its elements where they are of I64 or I32; else `None`.
    pub fn to_i64(&self) -> Option<Vec<i64>> {
        match self.dtype {
            Dtype::I64 => Some(self.numbers(i64::from_le_bytes)),
            Dtype::I32 => Some(self.numbers(|b| i32::from_le_bytes(b).into())),
            _ => None,
        }
    }

    fn numbers<const N: usize, T>(&self, convert: impl Fn([u8; N]) -> T) -> Vec<T> {
        self.bytes
            .as_chunks()
            .0
            .iter()
            .map(|&b| convert(b))
            .collect()
    }
}

impl OnnxModel {
    /// The file.
    pub fn to_bytes(&self) -> Vec<u8> {
        write::write(self)
    }

    /// The initialisers as tensors of an archive: name, type, extents, bytes.
    pub(crate) fn tensors(&self) -> impl Iterator<Item = (&str, Dtype, &[usize], Cow<'_, [u8]>)> {
        self.initializers.iter().map(|(name, tensor)| {
            let bytes = Cow::Borrowed(tensor.bytes.as_slice());
            (name.as_str(), tensor.dtype, tensor.shape.as_slice(), bytes)
        })
    }
}
