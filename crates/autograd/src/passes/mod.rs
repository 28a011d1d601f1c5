//! Passes over a forward graph, each small, named, and switchable off.
//!
//! A pass keeps the values that the caller holds; it may only fuse away a value that nobody
//! but the next operator reads. They run before differentiation, so the backward operators
//! are those of the rewritten graph.

mod fold_batch_norm;
mod fuse_relu;
mod merge_siblings;
mod pack_weights;
mod store;
mod winograd;

use crate::{Graph, Var};
use inception_ops::OpError;

pub use store::{Range, Ranges, Storage, observed, store, store_forward};

/// Which passes run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passes {
    /// Batch norm with fixed statistics goes into the convolution before it. For inference
    /// only: folded weights are not differentiable.
    pub fold_batch_norm: bool,
    /// ReLU goes into the operator before it.
    pub fuse_relu: bool,
    /// 1×1 convolutions of one input become one.
    pub merge_siblings: bool,
    /// Convolutions take their sums by Winograd's filtering where that is faster. It rounds
    /// more than the direct sums do.
    pub winograd: bool,
    /// Weights are packed once for all runs. For inference only: it changes no result, but
    /// keeps a second copy of the weights.
    pub pack_weights: bool,
    /// The first operators run for a few images of a batch at a time, where that keeps their maps
    /// in a cache. For inference only: it changes no result.
    pub slices: bool,
    /// Operands of a concatenation are written where they belong, and its gradient is read
    /// from there.
    pub zero_copy_concat: bool,
    /// Operators that can overwrite an operand that nobody needs any more.
    pub in_place: bool,
}

impl Passes {
    /// Everything, for inference.
    pub const INFERENCE: Self = Self {
        fold_batch_norm: true,
        pack_weights: true,
        slices: true,
        ..Self::TRAINING
    };
    /// Everything that keeps gradients.
    pub const TRAINING: Self = Self {
        fold_batch_norm: false,
        fuse_relu: true,
        merge_siblings: true,
        winograd: true,
        pack_weights: false,
        slices: false,
        zero_copy_concat: true,
        in_place: true,
    };
    /// Nothing: the graph as it was recorded, every value in memory of its own.
    pub const NONE: Self = Self {
        fold_batch_norm: false,
        fuse_relu: false,
        merge_siblings: false,
        winograd: false,
        pack_weights: false,
        slices: false,
        zero_copy_concat: false,
        in_place: false,
    };

    /// The names that [`Passes::only`] knows.
    pub const NAMES: [&'static str; 8] = [
        "fold-batch-norm",
        "fuse-relu",
        "merge-siblings",
        "winograd",
        "pack-weights",
        "slices",
        "zero-copy-concat",
        "in-place",
    ];

    /// The same with direct sums, which round less than Winograd's filtering.
    pub fn precise(self) -> Self {
        Self {
            winograd: false,
            ..self
        }
    }

    /// The passes of `self` that are named in a list, separated by commas: `all`, `none`,
    /// names of [`Passes::NAMES`], or `-name` for all but that one.
    ///
    /// # Errors
    /// When a name is unknown.
    ///
    /// # Examples
    /// ```
    /// use inception_autograd::Passes;
    ///
    /// let passes = Passes::INFERENCE.only("-winograd").unwrap();
    /// assert_eq!(passes, Passes::INFERENCE.precise());
    /// assert!(!Passes::TRAINING.only("in-place").unwrap().fuse_relu);
    /// ```
    pub fn only(self, list: &str) -> Result<Self, OpError> {
        let mut passes = match list.trim_start().starts_with('-') {
            true => self,
            false => Self::NONE,
        };
        for name in list.split(',').map(str::trim) {
            match (name, name.strip_prefix('-')) {
                ("all", _) => passes = self,
                ("none", _) => passes = Self::NONE,
                (_, Some(name)) => *passes.named(name)? = false,
                (name, None) => *passes.named(name)? = *{ self }.named(name)?,
            }
        }
        Ok(passes)
    }

    /// The switch of a name.
    fn named(&mut self, name: &str) -> Result<&mut bool, OpError> {
        match name {
            "fold-batch-norm" => Ok(&mut self.fold_batch_norm),
            "fuse-relu" => Ok(&mut self.fuse_relu),
            "merge-siblings" => Ok(&mut self.merge_siblings),
            "winograd" => Ok(&mut self.winograd),
            "pack-weights" => Ok(&mut self.pack_weights),
            "slices" => Ok(&mut self.slices),
            "zero-copy-concat" => Ok(&mut self.zero_copy_concat),
            "in-place" => Ok(&mut self.in_place),
            other => Err(OpError::Setting {
                op: "passes",
                detail: format!(
                    "no pass {other:?}; there are all, none, {}",
                    Self::NAMES.join(", ")
                ),
            }),
        }
    }
}

/// Rewrites a forward graph; the values of `keep` stay valid.
///
/// The passes about memory (`slices`, `zero_copy_concat`, `in_place`) act when the plan is made.
pub fn optimise(graph: &mut Graph, keep: &[Var], passes: &Passes) {
    if passes.fold_batch_norm {
        fold_batch_norm::run(graph, keep);
    }
    if passes.fuse_relu {
        fuse_relu::run(graph, keep);
    }
    if passes.merge_siblings {
        merge_siblings::run(graph, keep);
    }
    if passes.winograd {
        winograd::run(graph);
    }
    if passes.pack_weights {
        pack_weights::run(graph);
    }
}

/// The one node that reads `var`, if there is just one and the caller does not hold `var`.
fn only_consumer(
    consumers: &[smallvec::SmallVec<[usize; 4]>],
    keep: &[Var],
    graph: &Graph,
    var: Var,
) -> Option<usize> {
    let held = keep.contains(&var) || graph.updates().iter().any(|u| u.value == var);
    match consumers[var.index()][..] {
        [only] if !held => Some(only),
        _ => None,
    }
}
