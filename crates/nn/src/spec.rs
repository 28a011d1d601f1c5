//! What is known of a parameter apart from its numbers.

use crate::{Init, Layout};
use inception_autograd::ParamId;
use inception_tensor::Shape;

/// What a parameter does in its layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Multiplies inputs.
    Weight,
    /// Is added to the output.
    Bias,
    /// γ of a normalisation.
    NormScale,
    /// β of a normalisation.
    NormShift,
    /// Running mean of a normalisation.
    RunningMean,
    /// Running variance of a normalisation.
    RunningVar,
}

impl Role {
    /// Whether gradients move it; running statistics follow the batches instead.
    pub fn is_trainable(self) -> bool {
        !matches!(self, Self::RunningMean | Self::RunningVar)
    }

    /// Whether weight decay pulls at it: only at weights.
    pub fn decays(self) -> bool {
        self == Self::Weight
    }
}

/// Name, shape, layout and beginning of a parameter or running statistic.
#[derive(Clone, Debug, PartialEq)]
pub struct ParamSpec {
    /// Its key in a state dict, the path of the field that holds it.
    pub name: String,
    /// Its shape in memory.
    pub shape: Shape,
    /// How memory and state dict relate.
    pub layout: Layout,
    /// How it begins.
    pub init: Init,
    /// What it does.
    pub role: Role,
}

impl ParamSpec {
    /// Its shape in a state dict.
    pub fn torch_shape(&self) -> Vec<usize> {
        self.layout.torch_shape(self.shape)
    }
}

/// Every parameter of a model, by [`ParamId`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Specs {
    list: Vec<ParamSpec>,
    aux_heads: Vec<String>,
}

impl Specs {
    /// Appends a parameter.
    ///
    /// # Panics
    /// When its name is taken: two fields never share a path.
    pub(crate) fn push(&mut self, spec: ParamSpec) -> ParamId {
        assert!(
            self.list.iter().all(|s| s.name != spec.name),
            "two parameters are called {}",
            spec.name
        );
        self.list.push(spec);
        ParamId(self.list.len() as u32 - 1)
    }

    /// Says that the module at `path` is an auxiliary head, whether or not it is built.
    pub(crate) fn push_aux_head(&mut self, path: String) {
        self.aux_heads.push(path);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The parameter with a given number.
    ///
    /// # Panics
    /// When there is none.
    pub fn get(&self, id: ParamId) -> &ParamSpec {
        &self.list[id.index()]
    }

    /// The number of the parameter called `name`.
    pub fn find(&self, name: &str) -> Option<ParamId> {
        let place = self.list.iter().position(|s| s.name == name)?;
        Some(ParamId(place as u32))
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = (ParamId, &ParamSpec)> {
        let numbered = self.list.iter().enumerate();
        numbered.map(|(i, spec)| (ParamId(i as u32), spec))
    }

    /// Whether `name` lies in an auxiliary head, which inference leaves away.
    pub fn is_aux(&self, name: &str) -> bool {
        self.aux_heads.iter().any(|head| {
            let rest = name.strip_prefix(head.as_str());
            rest.is_some_and(|rest| rest.starts_with('.'))
        })
    }

    /// By parameter: how many stages lie between it and the classifier, which has 0, as have
    /// auxiliary heads.
    ///
    /// A stage is a child of the model (`inception3a`), or an item of a list of such
    /// (`features.7`, `repeat.0`).
    pub fn depths(&self) -> Vec<usize> {
        let mut stages: Vec<&str> = Vec::new();
        let places: Vec<Option<usize>> = self
            .list
            .iter()
            .map(|spec| {
                if self.is_aux(&spec.name) {
                    return None;
                }
                let stage = stage(&spec.name);
                let known = stages.iter().position(|s| *s == stage);
                Some(known.unwrap_or_else(|| {
                    stages.push(stage);
                    stages.len() - 1
                }))
            })
            .collect();
        let depth = |place: Option<usize>| place.map_or(0, |place| stages.len() - 1 - place);
        places.into_iter().map(depth).collect()
    }

    /// How many numbers are trained, without auxiliary heads.
    pub fn trainable(&self) -> u64 {
        self.count(|s| s.role.is_trainable() && !self.is_aux(&s.name))
    }

    /// How many numbers of auxiliary heads are trained.
    pub fn trainable_aux(&self) -> u64 {
        self.count(|s| s.role.is_trainable() && self.is_aux(&s.name))
    }

    fn count(&self, which: impl Fn(&ParamSpec) -> bool) -> u64 {
        let counted = self.list.iter().filter(|s| which(s));
        counted.map(|s| s.shape.len() as u64).sum()
    }
}

/// The stage of a parameter: the first part of its name, and the second where it is a number.
fn stage(name: &str) -> &str {
    let mut dots = name.match_indices('.').map(|(at, _)| at);
    let (Some(first), second) = (dots.next(), dots.next()) else {
        return name;
    };
    let end = second.unwrap_or(name.len());
    match name[first + 1..end].parse::<usize>() {
        Ok(_) => &name[..end],
        Err(_) => &name[..first],
    }
}
