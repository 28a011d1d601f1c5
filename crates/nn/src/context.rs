//! What a module sees while it records itself.

use crate::Specs;
use inception_autograd::{Graph, GraphError, ParamId, Var};
use std::fmt::Debug;

/// Whether a graph is recorded for training or for inference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Batch statistics, dropout, auxiliary heads.
    Train,
    /// Running statistics, no dropout, no auxiliary heads.
    Eval,
}

/// The graph that modules record into, and what they need to know besides.
#[derive(Debug)]
pub struct Ctx<'a> {
    /// The graph.
    pub graph: &'a mut Graph,
    /// What it is for.
    pub mode: Mode,
    /// The parameters.
    pub specs: &'a Specs,
    /// By parameter: whether it keeps its value whatever happens. Empty: none does.
    pub frozen: &'a [bool],
}

impl Ctx<'_> {
    /// The value of a parameter.
    pub fn param(&mut self, id: ParamId) -> Var {
        self.graph.param(id, self.specs.get(id).shape)
    }

    /// Whether a parameter keeps its value.
    pub fn is_frozen(&self, id: ParamId) -> bool {
        self.frozen.get(id.index()).copied().unwrap_or(false)
    }
}

/// A layer or a composition of layers.
pub trait Module: Debug + Send + Sync {
    /// Records the module on `x`. Nothing is computed.
    ///
    /// # Errors
    /// When an operator refuses its operands; the error names the module's path, the
    /// operator and the shapes.
    fn forward(&self, x: Var, ctx: &mut Ctx<'_>) -> Result<Var, GraphError>;
}

/// Logits of an auxiliary head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuxOutput {
    /// The head: `"aux1"`.
    pub name: &'static str,
    /// `[n, 1, 1, classes]`.
    pub logits: Var,
}

/// What a classifier's forward pass ends in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outputs {
    /// What the last linear layer reads, before dropout: `[n, 1, 1, c]`.
    pub features: Var,
    /// `[n, 1, 1, classes]`.
    pub logits: Var,
    /// Auxiliary heads, in training alone.
    pub aux: Vec<AuxOutput>,
}

/// A whole classifier.
pub trait Network: Debug + Send + Sync {
    /// Records the classifier on `images` `[n, h, w, c]`. Nothing is computed.
    ///
    /// # Errors
    /// As [`Module::forward`].
    fn forward(&self, images: Var, ctx: &mut Ctx<'_>) -> Result<Outputs, GraphError>;
}
