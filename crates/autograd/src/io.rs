//! What an operator reads and writes when it runs.

use crate::graph::DType;
use inception_ops::conv2d::stored::StoredMap;
use inception_tensor::{Bf16, Element, Pool, View, ViewMut};
use smallvec::SmallVec;

/// What random numbers of a run are drawn from, besides the operator's own key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunKey {
    /// The seed of the whole training run.
    pub seed: u64,
    /// The step within it.
    pub step: u64,
}

/// An operand to read.
#[derive(Debug)]
pub(crate) enum Operand<'a, T> {
    Real(View<'a, T>),
    Bf16(View<'a, Bf16>),
    Int8(View<'a, u8>),
    Bytes(&'a [u8]),
    Labels(&'a [u32]),
    /// Its memory is output 0's: the operator works in place.
    InPlace,
}

/// An operand to write.
#[derive(Debug)]
pub(crate) enum OperandMut<'a, T> {
    Real(ViewMut<'a, T>),
    Bf16(ViewMut<'a, Bf16>),
    Int8(ViewMut<'a, u8>),
    Bytes(&'a mut [u8]),
    /// Nobody reads it, so it has no memory.
    Unused,
}

/// A type that maps are stored in, and which operands are of it.
pub(crate) trait InIo: StoredMap {
    fn operand<'a, T>(operand: &Operand<'a, T>) -> Option<View<'a, Self>>;
    fn operand_mut<T>(operand: OperandMut<'_, T>) -> Option<ViewMut<'_, Self>>;
}

impl InIo for Bf16 {
    fn operand<'a, T>(operand: &Operand<'a, T>) -> Option<View<'a, Self>> {
        match operand {
            Operand::Bf16(view) => Some(*view),
            _ => None,
        }
    }

    fn operand_mut<T>(operand: OperandMut<'_, T>) -> Option<ViewMut<'_, Self>> {
        match operand {
            OperandMut::Bf16(view) => Some(view),
            _ => None,
        }
    }
}

impl InIo for u8 {
    fn operand<'a, T>(operand: &Operand<'a, T>) -> Option<View<'a, Self>> {
        match operand {
            Operand::Int8(view) => Some(*view),
            _ => None,
        }
    }

    fn operand_mut<T>(operand: OperandMut<'_, T>) -> Option<ViewMut<'_, Self>> {
        match operand {
            OperandMut::Int8(view) => Some(view),
            _ => None,
        }
    }
}

/// Operands, workspace and threads of one call of an operator.
#[derive(Debug)]
pub struct Io<'a, T> {
    /// The threads.
    pub pool: &'a Pool,
    /// Key of random numbers.
    pub key: RunKey,
    pub(crate) inputs: SmallVec<[Operand<'a, T>; 8]>,
    pub(crate) outputs: SmallVec<[OperandMut<'a, T>; 3]>,
    pub(crate) workspace: &'a mut [T],
}

impl<'a, T: Element> Io<'a, T> {
    /// How many operands there are to read.
    pub fn len(&self) -> usize {
        self.inputs.len()
    }

    /// Whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.inputs.is_empty()
    }

    /// Operand `i`, or `None` where it is to be found in output 0.
    ///
    /// # Panics
    /// When it is not of the element type.
    pub fn read_unless_in_place(&self, i: usize) -> Option<View<'a, T>> {
        match &self.inputs[i] {
            Operand::Real(view) => Some(*view),
            Operand::InPlace => None,
            other => panic!("operand {i} is no map of numbers: {other:?}"),
        }
    }

    /// Operand `i`.
    ///
    /// # Panics
    /// When it is not of the element type or shares output 0's memory.
    pub fn read(&self, i: usize) -> View<'a, T> {
        self.read_unless_in_place(i)
            .expect("only the operand named by `aliasing` is in place")
    }

    /// Operand `i`, stored as `S`, or `None` where it is to be found in output 0.
    ///
    /// # Panics
    /// When it is of another type.
    pub(crate) fn read_stored_unless_in_place<S: InIo>(&self, i: usize) -> Option<View<'a, S>> {
        let operand = &self.inputs[i];
        let view = S::operand(operand);
        let in_place = matches!(operand, Operand::InPlace);
        assert!(view.is_some() || in_place, "operand {i} is another type's");
        view
    }

    /// Operand `i`, stored as `S`.
    ///
    /// # Panics
    /// When it is of another type.
    pub(crate) fn read_stored<S: InIo>(&self, i: usize) -> View<'a, S> {
        self.read_stored_unless_in_place(i)
            .expect("stored operands are not in place")
    }

    /// Output `i`, stored as `S`; each is taken once.
    ///
    /// # Panics
    /// When it is of another type or nobody reads it.
    pub(crate) fn write_stored<S: InIo>(&mut self, i: usize) -> ViewMut<'a, S> {
        let operand = std::mem::replace(&mut self.outputs[i], OperandMut::Unused);
        S::operand_mut(operand).unwrap_or_else(|| panic!("output {i} is another type's"))
    }

    /// Whether operand `i` is kept as [`Bf16`].
    pub(crate) fn is_bf16(&self, i: usize) -> bool {
        matches!(self.inputs[i], Operand::Bf16(_))
    }

    /// The type of output `i`, of those that are maps.
    pub(crate) fn output_type(&self, i: usize) -> Option<DType> {
        match &self.outputs[i] {
            OperandMut::Real(_) => Some(DType::Real),
            OperandMut::Bf16(_) => Some(DType::Bf16),
            OperandMut::Int8(_) => Some(DType::Int8),
            OperandMut::Bytes(_) | OperandMut::Unused => None,
        }
    }

    /// Operand `i` as a vector.
    ///
    /// # Panics
    /// As [`Io::read`].
    pub fn vector(&self, i: usize) -> &'a [T] {
        self.read(i).dense()
    }

    /// Operand `i` as bytes.
    ///
    /// # Panics
    /// When it is of another type.
    pub fn bytes(&self, i: usize) -> &'a [u8] {
        match &self.inputs[i] {
            Operand::Bytes(bytes) => bytes,
            other => panic!("operand {i} is not bytes: {other:?}"),
        }
    }

    /// Operand `i` as labels.
    ///
    /// # Panics
    /// When it is of another type.
    pub fn labels(&self, i: usize) -> &'a [u32] {
        match &self.inputs[i] {
            Operand::Labels(labels) => labels,
            other => panic!("operand {i} is not labels: {other:?}"),
        }
    }

    /// Output `i`, or `None` where nobody reads it; each is taken once.
    ///
    /// # Panics
    /// When it is bytes.
    pub fn write_if_used(&mut self, i: usize) -> Option<ViewMut<'a, T>> {
        match std::mem::replace(&mut self.outputs[i], OperandMut::Unused) {
            OperandMut::Real(view) => Some(view),
            OperandMut::Unused => None,
            other => panic!("output {i} is no map of numbers: {other:?}"),
        }
    }

    /// Output `i`; each is taken once.
    ///
    /// # Panics
    /// When nobody reads it or it is bytes.
    pub fn write(&mut self, i: usize) -> ViewMut<'a, T> {
        self.write_if_used(i).expect("the output is read by a node")
    }

    /// Output `i` as bytes, or `None` where nobody reads it.
    ///
    /// # Panics
    /// When it is of another type.
    pub fn write_bytes(&mut self, i: usize) -> Option<&'a mut [u8]> {
        match std::mem::replace(&mut self.outputs[i], OperandMut::Unused) {
            OperandMut::Bytes(bytes) => Some(bytes),
            OperandMut::Unused => None,
            other => panic!("output {i} is not bytes: {other:?}"),
        }
    }

    /// The workspace that the operator asked for; taken once.
    pub fn workspace(&mut self) -> &'a mut [T] {
        std::mem::take(&mut self.workspace)
    }
}

/// The memory of a vector that an operator writes.
pub(crate) fn into_vector<T>(view: ViewMut<'_, T>) -> &mut [T] {
    assert!(view.is_dense(), "vectors are dense");
    view.into_data()
}
