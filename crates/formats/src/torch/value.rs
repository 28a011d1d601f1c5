//! What a pickle of tensors is made of.

use crate::error::{Flaw, quoted};
use inception_store::Dtype;

/// A value's place among all values of a pickle. Values refer to each other by number, so
/// that no depth of nesting needs a deep stack, not even to be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Id(pub(crate) usize);

/// A value.
#[derive(Clone, Debug)]
pub(crate) enum Value<'a> {
    None,
    Bool(bool),
    Int(i128),
    Float,
    Text(&'a str),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Global),
    Storage(Storage<'a>),
    Tensor(Box<Tensor<'a>>),
}

impl Value<'_> {
    /// What it is, for messages.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Bool(_) => "a truth value",
            Self::Int(_) => "a whole number",
            Self::Float => "a number",
            Self::Text(_) => "a text",
            Self::Tuple(_) => "a tuple",
            Self::List(_) => "a list",
            Self::Dict(_) => "a dict",
            Self::Global(_) => "a function or class",
            Self::Storage(_) => "a storage",
            Self::Tensor(_) => "a tensor",
        }
    }
}

/// The numbers that tensors view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Storage<'a> {
    pub(crate) key: &'a str,
    pub(crate) dtype: Dtype,
    pub(crate) numel: usize,
}

/// A view of a storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tensor<'a> {
    pub(crate) storage: Storage<'a>,
    pub(crate) offset: usize,
    pub(crate) shape: Vec<usize>,
    pub(crate) strides: Vec<usize>,
}

/// The functions and classes that a pickle may name. Nothing else can be named, and none of
/// them is executed: each stands for building one kind of value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Global {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    Size,
    Storage(Dtype),
}

/// Storages by their class.
const STORAGES: [(&str, Dtype); 10] = [
    ("FloatStorage", Dtype::F32),
    ("DoubleStorage", Dtype::F64),
    ("HalfStorage", Dtype::F16),
    ("BFloat16Storage", Dtype::Bf16),
    ("LongStorage", Dtype::I64),
    ("IntStorage", Dtype::I32),
    ("ShortStorage", Dtype::I16),
    ("CharStorage", Dtype::I8),
    ("ByteStorage", Dtype::U8),
    ("BoolStorage", Dtype::Bool),
];

/// What a global names, where it may be named. `built` says whether the next operation makes
/// an instance of it, as in a pickled module.
pub(crate) fn global(module: &str, name: &str, built: bool) -> Result<Global, Flaw> {
    match (module, name) {
        ("collections", "OrderedDict") => return Ok(Global::OrderedDict),
        ("torch._utils", "_rebuild_tensor_v2") => return Ok(Global::RebuildTensor),
        ("torch._utils", "_rebuild_parameter") => return Ok(Global::RebuildParameter),
        ("torch", "Size") => return Ok(Global::Size),
        ("torch", _) => {
            if let Some((_, dtype)) = STORAGES.iter().find(|(class, _)| *class == name) {
                return Ok(Global::Storage(*dtype));
            }
        }
        _ => {}
    }
    let full = quoted(&format!("{module}.{name}"));
    let full = full.trim_matches('"');
    let unsupported = ["torch._utils", "torch.storage", "torch"].contains(&module);
    Err(
        if unsupported && (name.starts_with("_rebuild_") || name.ends_with("Storage")) {
            Flaw::new(
                "dense tensors of real numbers",
                format!("{full}, which is not supported"),
            )
        } else if built || module.starts_with("torch.nn.modules") {
            Flaw::new(
                "a state dict",
                format!("a pickled module of class {full}: save its `state_dict()` instead"),
            )
        } else {
            Flaw::new(
                "tensors alone",
                format!("a pickle that refers to {full}, which is not allowed"),
            )
        },
    )
}

impl Tensor<'_> {
    /// Checks that the view lies inside its storage and shows no number twice by a stride.
    pub(crate) fn check(&self) -> Result<(), Flaw> {
        let Self {
            storage,
            offset,
            shape,
            strides,
        } = self;
        let found = format!(
            "shape {shape:?}, offset {offset}, strides {strides:?} in a storage of {} numbers",
            storage.numel
        );
        if shape.len() != strides.len() || shape.len() > 8 {
            return Err(Flaw::new("a stride for each of at most 8 extents", found));
        }
        let numel = shape
            .iter()
            .try_fold(1_usize, |n, &d| n.checked_mul(d.max(1)));
        if numel.is_none() {
            return Err(Flaw::new("a shape whose product does not overflow", found));
        }
        if shape.contains(&0) {
            return Ok(());
        }
        let mut last = Some(*offset);
        for (&extent, &stride) in shape.iter().zip(strides).filter(|(d, _)| **d > 1) {
            if stride == 0 {
                return Err(Flaw::new("strides above zero", found));
            }
            let span = stride.checked_mul(extent.saturating_sub(1));
            last = last.zip(span).and_then(|(a, b)| a.checked_add(b));
        }
        let inside = last.is_some_and(|last| last < storage.numel);
        if inside && numel.is_some_and(|n| n <= storage.numel) {
            return Ok(());
        }
        Err(Flaw::new("a view that lies inside its storage", found))
    }
}
