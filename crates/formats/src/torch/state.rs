//! From a pickle's value and its storages to named arrays.

use super::pickle::Pickle;
use super::value::{Id, Tensor, Value};
use crate::error::{Flaw, quoted};
use inception_store::Dtype;
use std::borrow::Cow;
use std::collections::HashMap;

/// Names under which checkpoints keep their state dict, most telling first.
const WRAPPERS: [&str; 5] = ["state_dict", "model_state_dict", "model", "net", "weights"];
/// How deep dicts may nest.
const MAX_DEPTH: usize = 8;
/// Most tensors, and bytes of a name.
const MAX_TENSORS: usize = 65_536;
const MAX_NAME: usize = 1_024;
/// How often the numbers of a file may be shown by tensors that share a storage.
const MAX_SHARING: usize = 4;

/// The order of a number's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Little,
    Big,
}

/// The bytes of each storage.
#[derive(Debug)]
pub(crate) struct Storages<'a> {
    pub(crate) order: Order,
    pub(crate) by_key: HashMap<&'a str, &'a [u8]>,
}

/// An array, row-major and little-endian.
#[derive(Debug)]
pub(crate) struct Array<'a> {
    pub(crate) name: String,
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
    pub(crate) bytes: Cow<'a, [u8]>,
}

/// All arrays of a file.
#[derive(Debug)]
pub(crate) struct Dict<'a> {
    pub(crate) arrays: Vec<Array<'a>>,
    pub(crate) warnings: Vec<String>,
}

/// Gathers the tensors of a state dict, which may lie in a checkpoint's dict.
pub(crate) fn dict<'a>(
    pickle: &Pickle<'a>,
    storages: &Storages<'a>,
    warnings: Vec<String>,
) -> Result<Dict<'a>, Flaw> {
    let root = unwrap(pickle, pickle.root());
    let Value::Dict(_) = pickle.get(root) else {
        let found = pickle.get(root).kind();
        return Err(Flaw::new("a state dict", found));
    };
    let mut walk = Walk {
        pickle,
        storages,
        budget: storages.bytes().saturating_mul(MAX_SHARING),
        found: Dict {
            arrays: Vec::new(),
            warnings,
        },
        ignored: 0,
    };
    walk.dict(root, "", 0)?;
    let Walk {
        mut found, ignored, ..
    } = walk;
    if found.arrays.is_empty() {
        return Err(Flaw::new("a state dict", "a dict without any tensor"));
    }
    if ignored > 0 {
        found.warnings.push(format!(
            "{ignored} values that are no tensors were left out"
        ));
    }
    Ok(found)
}

/// The state dict inside a checkpoint's dict; the dict itself where there is none.
fn unwrap(pickle: &Pickle<'_>, root: Id) -> Id {
    let Value::Dict(items) = pickle.get(root) else {
        return root;
    };
    let holds_tensors = |id: Id| match pickle.get(id) {
        Value::Dict(items) => {
            let tensor = |&(_, v): &(Id, Id)| matches!(pickle.get(v), Value::Tensor(_));
            items.iter().any(tensor)
        }
        _ => false,
    };
    let inside = WRAPPERS.iter().find_map(|wrapper| {
        let named = |&&(key, _): &&(Id, Id)| {
            matches!(pickle.get(key), Value::Text(text) if text == wrapper)
        };
        let (_, value) = items.iter().find(named)?;
        holds_tensors(*value).then_some(*value)
    });
    inside.unwrap_or(root)
}

struct Walk<'p, 'a> {
    pickle: &'p Pickle<'a>,
    storages: &'p Storages<'a>,
    /// How many bytes of tensors are still allowed.
    budget: usize,
    found: Dict<'a>,
    ignored: usize,
}

impl Walk<'_, '_> {
    fn dict(&mut self, id: Id, prefix: &str, depth: usize) -> Result<(), Flaw> {
        let pickle = self.pickle;
        let Value::Dict(items) = pickle.get(id) else {
            return Ok(());
        };
        if depth >= MAX_DEPTH {
            return Err(Flaw::limit(
                "depth of dicts",
                MAX_DEPTH as u64,
                depth as u64,
            ));
        }
        for &(key, value) in items {
            let Value::Text(key) = pickle.get(key) else {
                self.ignored = self.ignored.saturating_add(1);
                continue;
            };
            let name = match prefix {
                "" => (*key).to_owned(),
                _ => format!("{prefix}.{key}"),
            };
            if name.len() > MAX_NAME {
                return Err(Flaw::limit(
                    "bytes of a name",
                    MAX_NAME as u64,
                    name.len() as u64,
                ));
            }
            match pickle.get(value) {
                Value::Tensor(tensor) => self.tensor(name, tensor)?,
                Value::Dict(_) => self.dict(value, &name, depth.saturating_add(1))?,
                _ => self.ignored = self.ignored.saturating_add(1),
            }
            if self.ignored > MAX_TENSORS {
                let found = self.ignored as u64;
                return Err(Flaw::limit("values of a dict", MAX_TENSORS as u64, found));
            }
        }
        Ok(())
    }

    fn tensor(&mut self, name: String, tensor: &Tensor<'_>) -> Result<(), Flaw> {
        let about = format!("tensor {}", quoted(&name));
        if self.found.arrays.len() >= MAX_TENSORS {
            let found = self.found.arrays.len().saturating_add(1) as u64;
            return Err(Flaw::limit("tensors", MAX_TENSORS as u64, found));
        }
        let bytes = self.storages.gather(tensor).map_err(|e| e.of(&about))?;
        let Some(left) = self.budget.checked_sub(bytes.len()) else {
            let allowed = self.storages.bytes().saturating_mul(MAX_SHARING) as u64;
            let found = allowed.saturating_add(1);
            return Err(Flaw::limit(
                "bytes of tensors that share storages",
                allowed,
                found,
            ));
        };
        self.budget = left;
        self.found.arrays.push(Array {
            name,
            dtype: tensor.storage.dtype,
            shape: tensor.shape.clone(),
            bytes,
        });
        Ok(())
    }
}

impl<'a> Storages<'a> {
    /// Bytes of all storages.
    fn bytes(&self) -> usize {
        self.by_key
            .values()
            .fold(0, |n, b| n.saturating_add(b.len()))
    }

    /// The numbers of a view, one after another.
    fn gather(&self, tensor: &Tensor<'_>) -> Result<Cow<'a, [u8]>, Flaw> {
        let storage = &tensor.storage;
        let Some(&bytes) = self.by_key.get(storage.key) else {
            let found = format!("no record of storage {}", quoted(storage.key));
            return Err(Flaw::new("the tensor's numbers", found));
        };
        let size = storage.dtype.size();
        if storage.numel.checked_mul(size) != Some(bytes.len()) {
            let expected = format!("{} numbers of {size} bytes", storage.numel);
            return Err(Flaw::new(
                expected,
                format!("a record of {} bytes", bytes.len()),
            ));
        }
        let start = tensor.offset.saturating_mul(size);
        let numel: usize = tensor.shape.iter().copied().fold(1, usize::saturating_mul);
        let len = numel.saturating_mul(size);
        let dense = bytes.get(start..start.saturating_add(len));
        let is_dense = numel == 0 || dense_strides(tensor);
        match (self.order, dense) {
            (Order::Little, _) if numel == 0 => Ok(Cow::Borrowed(&[])),
            (Order::Little, Some(dense)) if is_dense => Ok(Cow::Borrowed(dense)),
            _ => Ok(Cow::Owned(strided(bytes, tensor, self.order)?)),
        }
    }
}

/// Whether the view's numbers lie one after another.
fn dense_strides(tensor: &Tensor<'_>) -> bool {
    let mut expected = 1_usize;
    let axes = tensor.shape.iter().zip(&tensor.strides).rev();
    axes.filter(|(d, _)| **d != 1).all(|(&extent, &stride)| {
        let fits = stride == expected;
        expected = expected.saturating_mul(extent);
        fits
    })
}

/// The numbers of a view that was checked, in row-major order.
fn strided(bytes: &[u8], tensor: &Tensor<'_>, order: Order) -> Result<Vec<u8>, Flaw> {
    let size = tensor.storage.dtype.size();
    let numel: usize = tensor.shape.iter().copied().fold(1, usize::saturating_mul);
    let mut out = Vec::new();
    let len = numel.saturating_mul(size);
    if out.try_reserve_exact(len).is_err() {
        return Err(Flaw::limit("memory of this machine", 0, len as u64));
    }
    let mut index = vec![0_usize; tensor.shape.len()];
    let mut place = tensor.offset;
    for _ in 0..numel {
        let at = place.saturating_mul(size);
        let number = bytes.get(at..at.saturating_add(size)).unwrap_or_default();
        match order {
            Order::Little => out.extend_from_slice(number),
            Order::Big => out.extend(number.iter().rev()),
        }
        // The next index, like an odometer.
        for ((i, &extent), &stride) in index
            .iter_mut()
            .zip(&tensor.shape)
            .zip(&tensor.strides)
            .rev()
        {
            *i = i.saturating_add(1);
            place = place.saturating_add(stride);
            if *i < extent {
                break;
            }
            place = place.saturating_sub(stride.saturating_mul(extent));
            *i = 0;
        }
    }
    Ok(out)
}
