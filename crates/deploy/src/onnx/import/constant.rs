//! Constants, and what is computed of them while a graph is read.

use inception_formats::OnnxTensor;
use std::sync::Arc;

/// A tensor that is known when the graph is read.
#[derive(Clone, Debug)]
pub(super) struct Constant {
    name: Arc<str>,
    shape: Vec<usize>,
    numbers: Numbers,
}

#[derive(Clone, Debug)]
enum Numbers {
    Floats(Arc<[f32]>),
    Ints(Arc<[i64]>),
    /// Of a type that no operator of ours reads.
    Other,
}

impl Constant {
    /// A tensor of the file.
    pub(super) fn new(name: &str, tensor: &OnnxTensor) -> Self {
        let numbers = match (tensor.to_f32(), tensor.to_i64()) {
            (Some(floats), _) => Numbers::Floats(floats.into()),
            (_, Some(ints)) => Numbers::Ints(ints.into()),
            _ => Numbers::Other,
        };
        Self {
            name: name.into(),
            shape: tensor.shape.clone(),
            numbers,
        }
    }

    pub(super) fn of_floats(name: &str, shape: &[usize], numbers: Vec<f32>) -> Self {
        Self {
            name: name.into(),
            shape: shape.to_vec(),
            numbers: Numbers::Floats(numbers.into()),
        }
    }

    pub(super) fn of_ints(name: &str, numbers: Vec<i64>) -> Self {
        Self {
            name: name.into(),
            shape: vec![numbers.len()],
            numbers: Numbers::Ints(numbers.into()),
        }
    }

    /// The initialiser, or the output of the node that made it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub(super) fn len(&self) -> usize {
        match &self.numbers {
            Numbers::Floats(all) => all.len(),
            Numbers::Ints(all) => all.len(),
            Numbers::Other => 0,
        }
    }

    pub(super) fn floats(&self) -> Option<Vec<f32>> {
        match &self.numbers {
            Numbers::Floats(all) => Some(all.to_vec()),
            Numbers::Ints(_) | Numbers::Other => None,
        }
    }

    pub(super) fn ints(&self) -> Option<&[i64]> {
        match &self.numbers {
            Numbers::Ints(all) => Some(all),
            Numbers::Floats(_) | Numbers::Other => None,
        }
    }

    /// The one number that it has.
    pub(super) fn scalar(&self) -> Option<f32> {
        match &self.numbers {
            Numbers::Floats(all) if all.len() == 1 => Some(all[0]),
            Numbers::Ints(all) if all.len() == 1 => Some(all[0] as f32),
            _ => None,
        }
    }

    /// The same numbers in another shape, of as many.
    pub(super) fn with_shape(&self, shape: Vec<usize>) -> Self {
        Self {
            shape,
            ..self.clone()
        }
    }

    /// As many zeros or other numbers as a shape has, like one number of `like`.
    pub(super) fn filled(name: &str, shape: &[usize], like: &Self) -> Option<Self> {
        let len = shape.iter().product();
        let numbers = match &like.numbers {
            Numbers::Floats(all) => Numbers::Floats(vec![*all.first()?; len].into()),
            Numbers::Ints(all) => Numbers::Ints(vec![*all.first()?; len].into()),
            Numbers::Other => return None,
        };
        Some(Self {
            name: name.into(),
            shape: shape.to_vec(),
            numbers,
        })
    }

    /// Numbers of a vector by place; negative places count from the end.
    pub(super) fn gather(&self, name: &str, places: &Self) -> Option<Self> {
        let ints = self.ints().filter(|_| self.shape.len() == 1)?;
        let len = i64::try_from(ints.len()).ok()?;
        let pick = |&place: &i64| {
            let place = if place < 0 {
                place.checked_add(len)?
            } else {
                place
            };
            ints.get(usize::try_from(place).ok()?).copied()
        };
        let picked: Option<Vec<i64>> = places.ints()?.iter().map(pick).collect();
        Some(Self::of_ints(name, picked?).with_shape(places.shape.clone()))
    }
}
