//! Passes over a forward graph, each small, named, and switchable off.
//!
//! A pass keeps the values that the caller holds; it may only fuse away a value that nobody
//! but the next operator reads. They run before differentiation, so the backward operators
//! are those of the rewritten graph.

mod fold_batch_norm;
mod fuse_relu;
mod merge_siblings;
mod pack_weights;
mod winograd;

use crate::{Graph, Var};
use inception_ops::OpError;

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
        ..Self::TRAINING
    };
    /// Everything that keeps gradients.
    pub const TRAINING: Self = Self {
        fold_batch_norm: false,
        fuse_relu: true,
        merge_siblings: true,
        winograd: true,
        pack_weights: false,
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
        zero_copy_concat: false,
        in_place: false,
    };

    /// The names that [`Passes::only`] knows.
    pub const NAMES: [&'static str; 7] = [
        "fold-batch-norm",
        "fuse-relu",
        "merge-siblings",
        "winograd",
        "pack-weights",
        "zero-copy-concat",
        "in-place",
    ];

    /// The passes of `self` that are named in a list: `all`, `none`, or names of
    /// [`Passes::NAMES`] separated by commas.
    ///
    /// # Errors
    /// When a name is unknown.
    pub fn only(self, list: &str) -> Result<Self, OpError> {
        match list {
            "all" => return Ok(self),
            "none" => return Ok(Self::NONE),
            _ => {}
        }
        let mut passes = Self::NONE;
        for name in list.split(',') {
            let (to, from) = match name.trim() {
                "fold-batch-norm" => (&mut passes.fold_batch_norm, self.fold_batch_norm),
                "fuse-relu" => (&mut passes.fuse_relu, self.fuse_relu),
                "merge-siblings" => (&mut passes.merge_siblings, self.merge_siblings),
                "winograd" => (&mut passes.winograd, self.winograd),
                "pack-weights" => (&mut passes.pack_weights, self.pack_weights),
                "zero-copy-concat" => (&mut passes.zero_copy_concat, self.zero_copy_concat),
                "in-place" => (&mut passes.in_place, self.in_place),
                other => {
                    return Err(OpError::Setting {
                        op: "passes",
                        detail: format!(
                            "no pass {other:?}; there are all, none, {}",
                            Self::NAMES.join(", ")
                        ),
                    });
                }
            };
            *to = from;
        }
        Ok(passes)
    }
}

/// Rewrites a forward graph; the values of `keep` stay valid.
///
/// The two passes about memory (`zero_copy_concat`, `in_place`) act when the plan is made.
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
