//! What can go wrong between a model's name and its program.

use inception_autograd::GraphError;
use std::fmt;
use thiserror::Error;

/// Why a model cannot be built, recorded or loaded.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum NnError {
    /// No model has this name.
    #[error("no model is called `{name}`{}; models: {}", suggestion(.nearest), .names.join(", "))]
    UnknownModel {
        /// What was asked for.
        name: String,
        /// The name most like it.
        nearest: Option<&'static str>,
        /// All names.
        names: Vec<&'static str>,
    },
    /// The images are too small for the network's strides.
    #[error("{model}: input {}×{}×{} is too small; it needs at least {minimum}×{minimum} pixels", .input[0], .input[1], .input[2])]
    InputTooSmall {
        /// The model.
        model: &'static str,
        /// `[c, h, w]`.
        input: [usize; 3],
        /// Rows and columns of the smallest image.
        minimum: usize,
    },
    /// An option of a model is out of range.
    #[error("{model}: {detail}")]
    Option {
        /// The model.
        model: &'static str,
        /// The option, its value and its range.
        detail: String,
    },
    /// A setting of a program is out of range.
    #[error("{0}")]
    Setting(String),
    /// A pattern of names fits no parameter.
    #[error("`{pattern}` fits no parameter of {model}; parameters are called {}, …", .examples.join(", "))]
    Pattern {
        /// The pattern.
        pattern: String,
        /// The model.
        model: &'static str,
        /// Some names.
        examples: Vec<String>,
    },
    /// A state dict does not fit the model.
    #[error("the state dict does not fit the model: {0}")]
    StateDict(Box<StateDictDifference>),
    /// A state dict has a key twice.
    #[error("the state dict has `{name}` twice")]
    DuplicateKey {
        /// The key.
        name: String,
    },
    /// The numbers of a tensor are not as many as its shape says.
    #[error("`{name}` of shape {shape:?} has {found} numbers")]
    TensorLength {
        /// The key.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
        /// How many numbers were given.
        found: usize,
    },
    /// A module does not fit its input.
    #[error(transparent)]
    Graph(#[from] GraphError),
}

fn suggestion(nearest: &Option<&'static str>) -> String {
    match nearest {
        Some(name) => format!(", perhaps `{name}`"),
        None => String::new(),
    }
}

/// A key whose shape is not the model's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The key.
    pub name: String,
    /// The model's shape, as PyTorch writes it.
    pub expected: Vec<usize>,
    /// The state dict's shape.
    pub found: Vec<usize>,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            expected,
            found,
        } = self;
        write!(f, "{name}: expected {expected:?}, found {found:?}")
    }
}

/// How a state dict differs from the model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateDictDifference {
    /// Keys of the model that the state dict lacks.
    pub missing: Vec<String>,
    /// Keys of the state dict that the model lacks.
    pub unexpected: Vec<String>,
    /// Keys of both, of different shapes.
    pub mismatched: Vec<Mismatch>,
}

/// How many keys of each kind a message lists.
const LISTED: usize = 20;

impl StateDictDifference {
    /// Whether there is no difference.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.mismatched.is_empty()
    }
}

impl fmt::Display for StateDictDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} missing, {} unexpected, {} of another shape",
            self.missing.len(),
            self.unexpected.len(),
            self.mismatched.len()
        )?;
        list(f, "missing", &self.missing)?;
        list(f, "unexpected", &self.unexpected)?;
        list(f, "of another shape", &self.mismatched)
    }
}

fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, what: &str, items: &[T]) -> fmt::Result {
    if items.is_empty() {
        return Ok(());
    }
    write!(f, "\n  {what}:")?;
    for item in items.iter().take(LISTED) {
        write!(f, "\n    {item}")?;
    }
    match items.len().saturating_sub(LISTED) {
        0 => Ok(()),
        more => write!(f, "\n    … and {more} more"),
    }
}
