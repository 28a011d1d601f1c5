//! Parameters under PyTorch's names, shapes and order.

use crate::{Mismatch, NnError, ParamSpec, Parameters, StateDictDifference};
use inception_autograd::ParamId;
use inception_tensor::Element;
use std::collections::HashSet;

/// A tensor of a state dict.
#[derive(Clone, Debug, PartialEq)]
pub struct StateTensor<T> {
    /// Its key.
    pub name: String,
    /// Its shape, as PyTorch writes it.
    pub shape: Vec<usize>,
    /// Its numbers, in PyTorch's order.
    pub data: Vec<T>,
}

/// A tensor of a state dict that is brought into PyTorch's order when it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct StateEntry<'a, T> {
    spec: &'a ParamSpec,
    memory: &'a [T],
}

impl<T: Element> StateEntry<'_, T> {
    /// Its key.
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// Its shape, as PyTorch writes it.
    pub fn shape(&self) -> Vec<usize> {
        self.spec.torch_shape()
    }

    /// How many numbers it has.
    pub fn len(&self) -> usize {
        self.memory.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.memory.is_empty()
    }

    /// Writes its numbers in PyTorch's order.
    ///
    /// # Panics
    /// When `out` has not [`StateEntry::len`] numbers.
    pub fn write(&self, out: &mut [T]) {
        self.spec.layout.write(self.spec.shape, self.memory, out);
    }
}

/// What a state dict must have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoadMode {
    /// Every key of the model and no other.
    #[default]
    Strict,
    /// Whatever fits is taken, the rest is reported: for fine-tuning.
    Partial,
}

/// What was taken from a state dict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// How many tensors were taken.
    pub loaded: usize,
    /// Keys that are known to mean nothing to this model: auxiliary heads where the model was
    /// built without, and counters of batches.
    pub ignored: Vec<String>,
    /// Under [`LoadMode::Partial`]: what did not fit.
    pub difference: StateDictDifference,
}

/// The key of a counter in PyTorch's batch normalisation that nothing here reads.
const COUNTER: &str = ".num_batches_tracked";

impl<T: Element> Parameters<T> {
    /// Every parameter and running statistic under its PyTorch key, in the model's order.
    ///
    /// `num_batches_tracked` is left out: PyTorch reads it only where a normalisation has no
    /// momentum, and a strict load accepts its absence.
    pub fn state_dict(&self) -> impl Iterator<Item = StateTensor<T>> + '_ {
        self.state_entries().map(|entry| {
            let mut data = vec![T::zero(); entry.len()];
            entry.write(&mut data);
            StateTensor {
                name: entry.name().to_owned(),
                shape: entry.shape(),
                data,
            }
        })
    }

    /// The tensors of [`state_dict`](Self::state_dict), each still in memory's layout.
    pub fn state_entries(&self) -> impl Iterator<Item = StateEntry<'_, T>> + '_ {
        self.specs.iter().map(|(id, spec)| StateEntry {
            spec,
            memory: self.get(id),
        })
    }

    /// Takes the numbers of a state dict. Nothing is changed on error.
    ///
    /// # Errors
    /// When a key is there twice or a tensor's numbers are not as many as its shape says;
    /// under [`LoadMode::Strict`] also when keys are missing, unexpected or of another shape.
    pub fn load_state_dict(
        &mut self,
        tensors: impl IntoIterator<Item = StateTensor<T>>,
        mode: LoadMode,
    ) -> Result<LoadReport, NnError> {
        let mut report = LoadReport::default();
        let mut seen = HashSet::new();
        let mut fitting: Vec<(ParamId, Vec<T>)> = Vec::new();
        for tensor in tensors {
            check_length(&tensor)?;
            if !seen.insert(tensor.name.clone()) {
                return Err(NnError::DuplicateKey { name: tensor.name });
            }
            self.sort_in(tensor, &mut fitting, &mut report);
        }
        let missing = self.specs.iter().filter(|(_, s)| !seen.contains(&s.name));
        report.difference.missing = missing.map(|(_, s)| s.name.clone()).collect();
        if mode == LoadMode::Strict && !report.difference.is_empty() {
            return Err(NnError::StateDict(Box::new(report.difference)));
        }
        report.loaded = fitting.len();
        for (id, data) in fitting {
            let spec = self.specs.get(id);
            let memory = &mut self.tensors[id.index()];
            spec.layout.read(spec.shape, &data, memory);
        }
        Ok(report)
    }

    /// Puts a tensor where it belongs: among those that fit, or into the report.
    fn sort_in(
        &self,
        tensor: StateTensor<T>,
        fitting: &mut Vec<(ParamId, Vec<T>)>,
        report: &mut LoadReport,
    ) {
        let StateTensor { name, shape, data } = tensor;
        let Some(id) = self.specs.find(&name) else {
            let known = name.ends_with(COUNTER) || self.specs.is_aux(&name);
            let list = match known {
                true => &mut report.ignored,
                false => &mut report.difference.unexpected,
            };
            list.push(name);
            return;
        };
        let expected = self.specs.get(id).torch_shape();
        if expected == shape {
            fitting.push((id, data));
        } else {
            report.difference.mismatched.push(Mismatch {
                name,
                expected,
                found: shape,
            });
        }
    }
}

fn check_length<T>(tensor: &StateTensor<T>) -> Result<(), NnError> {
    let mut numbers = Some(1usize);
    for &extent in &tensor.shape {
        numbers = numbers.and_then(|n| n.checked_mul(extent));
    }
    if numbers == Some(tensor.data.len()) {
        return Ok(());
    }
    Err(NnError::TensorLength {
        name: tensor.name.clone(),
        shape: tensor.shape.clone(),
        found: tensor.data.len(),
    })
}
