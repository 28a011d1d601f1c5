//! The numbers of a model's parameters.

use crate::{Initializer, Model, Specs};
use inception_autograd::{ParamId, Params};
use inception_tensor::Element;
use std::sync::Arc;

/// One tensor for each parameter and running statistic of a model, in the order of its
/// [`Specs`] and the layout of memory.
///
/// # Examples
/// ```
/// use inception_nn::{Model, ModelOptions, Parameters};
///
/// let model = Model::build("inception-small", &ModelOptions::default())?;
/// let parameters = Parameters::<f32>::init(&model, 0);
/// let fc = model.specs().find("fc.bias").expect("a classifier ends in fc");
/// assert_eq!(parameters.get(fc), [0.0; 10]);
/// # Ok::<(), inception_nn::NnError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters<T> {
    pub(crate) specs: Arc<Specs>,
    pub(crate) tensors: Vec<Vec<T>>,
}

impl<T: Element> Parameters<T> {
    /// First values: each a function of `seed`, the parameter's name and the place in its
    /// state-dict order.
    pub fn init(model: &Model, seed: u64) -> Self {
        Self::drawn_by(model, Initializer::default(), seed)
    }

    /// As [`Parameters::init`], by another rule.
    pub fn drawn_by(model: &Model, initializer: Initializer, seed: u64) -> Self {
        Self::draw(Arc::clone(model.specs()), initializer, seed)
    }

    /// Zeros, for a load that sets every number: nothing is drawn.
    pub fn zeros(model: &Model) -> Self {
        let specs = Arc::clone(model.specs());
        let tensors = specs.iter().map(|(_, s)| vec![T::zero(); s.shape.len()]);
        Self {
            tensors: tensors.collect(),
            specs,
        }
    }

    /// First values of parameters that belong to no registered model.
    pub fn from_specs(specs: Arc<Specs>, seed: u64) -> Self {
        Self::draw(specs, Initializer::default(), seed)
    }

    fn draw(specs: Arc<Specs>, initializer: Initializer, seed: u64) -> Self {
        let tensors = specs
            .iter()
            .map(|(_, spec)| {
                let drawn: Vec<T> = initializer
                    .of(spec)
                    .draw(seed, &spec.name, spec.shape.len());
                let mut tensor = vec![T::zero(); drawn.len()];
                spec.layout.read(spec.shape, &drawn, &mut tensor);
                tensor
            })
            .collect();
        Self { specs, tensors }
    }

    /// Names and shapes.
    pub fn specs(&self) -> &Arc<Specs> {
        &self.specs
    }

    /// The numbers of a parameter.
    ///
    /// # Panics
    /// When there is no such parameter.
    pub fn get(&self, id: ParamId) -> &[T] {
        &self.tensors[id.index()]
    }

    /// The numbers of a parameter, to write.
    ///
    /// # Panics
    /// When there is no such parameter.
    pub fn get_mut(&mut self, id: ParamId) -> &mut [T] {
        &mut self.tensors[id.index()]
    }

    /// All parameters, to write.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (ParamId, &mut [T])> {
        let numbered = self.tensors.iter_mut().enumerate();
        numbered.map(|(i, tensor)| (ParamId(i as u32), tensor.as_mut_slice()))
    }

    /// The same numbers in another type, each rounded to the nearest.
    pub fn cast<U: Element>(&self) -> Parameters<U> {
        let convert = |tensor: &Vec<T>| tensor.iter().map(|x| U::of(x.f64())).collect();
        Parameters {
            specs: Arc::clone(&self.specs),
            tensors: self.tensors.iter().map(convert).collect(),
        }
    }
}

impl<T: Element> Params<T> for Parameters<T> {
    fn param(&self, id: ParamId) -> &[T] {
        self.get(id)
    }
}
