//! Registers parameters under the paths of the fields that hold them.

use crate::{Init, Layout, ParamSpec, Role, Specs};
use inception_autograd::ParamId;
use inception_tensor::Shape;
use std::sync::Arc;

/// A place in the tree of modules, where parameters are registered.
///
/// # Examples
/// ```
/// use inception_nn::{Builder, Specs, modules::Linear};
///
/// let mut specs = Specs::default();
/// let mut root = Builder::new(&mut specs);
/// Linear::new(&mut root.at("head").at("fc"), 8, 2);
/// let names: Vec<_> = specs.iter().map(|(_, s)| s.name.as_str()).collect();
/// assert_eq!(names, ["head.fc.weight", "head.fc.bias"]);
/// ```
#[derive(Debug)]
pub struct Builder<'a> {
    specs: &'a mut Specs,
    path: String,
}

impl<'a> Builder<'a> {
    /// The root, whose path is empty.
    pub fn new(specs: &'a mut Specs) -> Self {
        Self {
            specs,
            path: String::new(),
        }
    }

    /// The child called `name`; an empty name is this place itself.
    pub fn at(&mut self, name: &str) -> Builder<'_> {
        Builder {
            path: self.join(name),
            specs: self.specs,
        }
    }

    /// The child called `name` is an auxiliary head, built or not: a state dict may have it.
    pub fn aux_head(&mut self, name: &str) {
        let path = self.join(name);
        self.specs.push_aux_head(path);
    }

    /// The path of this place.
    pub fn path(&self) -> Arc<str> {
        self.path.as_str().into()
    }

    /// Registers the parameter called `name`.
    ///
    /// # Panics
    /// When the name is taken.
    pub fn param(
        &mut self,
        name: &str,
        shape: Shape,
        layout: Layout,
        init: Init,
        role: Role,
    ) -> ParamId {
        let name = self.join(name);
        self.specs.push(ParamSpec {
            name,
            shape,
            layout,
            init,
            role,
        })
    }

    /// Registers a vector of `len` numbers.
    ///
    /// # Panics
    /// When the name is taken.
    pub fn vector(&mut self, name: &str, len: usize, init: Init, role: Role) -> ParamId {
        self.param(name, Shape::vector(len), Layout::Vector, init, role)
    }

    fn join(&self, name: &str) -> String {
        match (self.path.as_str(), name) {
            ("", name) => name.to_owned(),
            (path, "") => path.to_owned(),
            (path, name) => format!("{path}.{name}"),
        }
    }
}
