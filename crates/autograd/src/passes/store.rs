//! Maps kept in fewer bits than they are computed in.

mod encodings;
mod rewrite;

pub use encodings::{Range, Ranges};

use crate::{DType, Graph, GraphError, Op, Source, Var};
use std::sync::Arc;

/// How a plan keeps the maps between its operators.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Storage {
    /// In the plan's element type.
    #[default]
    Real,
    /// As [`Bf16`](inception_tensor::Bf16), with weights rounded to it as well.
    Bf16,
    /// As bytes over the ranges that were observed, with weights of 8 bits.
    Int8(Arc<Ranges>),
}

/// Rewrites a graph for inference so that maps are kept as `storage` says; the values of `keep`
/// stay what they are. Operators that have no way of their own read and write numbers of the
/// plan's element type.
///
/// It takes the place of the passes `merge-siblings` and `pack-weights`, which must not have
/// run: it merges and packs by itself.
///
/// # Errors
/// When a range is missing.
pub fn store(graph: &mut Graph, keep: &[Var], storage: &Storage) -> Result<(), GraphError> {
    match storage {
        Storage::Real => Ok(()),
        Storage::Bf16 => {
            let encodings = encodings::bf16(graph);
            rewrite::run(graph, keep, &encodings, graph.nodes.len())
        }
        Storage::Int8(ranges) => {
            let encodings = encodings::int8(graph, ranges);
            rewrite::run(graph, keep, &encodings, graph.nodes.len())
        }
    }
}

/// Keeps the maps that the first `forward` nodes of a differentiated graph make as
/// [`Bf16`](inception_tensor::Bf16), which is half of what waits for the backward pass.
///
/// Weights are rounded for products, sums and statistics are those of the plan's element type,
/// and so are all gradients: the nodes behind the first `forward` stay, and read the numbers
/// that the forward pass computed with. Rounding counts as having the derivative 1.
///
/// # Errors
/// When an operator refuses its operands.
pub fn store_forward(graph: &mut Graph, keep: &[Var], forward: usize) -> Result<(), GraphError> {
    let encodings = encodings::bf16(graph);
    rewrite::run(graph, keep, &encodings, forward)
}

/// The name of an input's range.
const INPUT: &str = "input";

/// The values whose ranges [`Storage::Int8`] needs, with their names.
pub fn observed(graph: &Graph) -> Vec<(String, Var)> {
    let constant = constants(graph);
    let values = graph.values.iter().enumerate();
    let named = values.filter_map(|(i, value)| {
        if value.dtype != DType::Real || constant[i] {
            return None;
        }
        Some((name(graph, Var(i as u32))?, Var(i as u32)))
    });
    named.collect()
}

/// The name of the range of a value that has one of its own.
fn name(graph: &Graph, var: Var) -> Option<String> {
    match graph.value_of(var).source {
        Source::Input => Some(INPUT.to_owned()),
        Source::Node(id, 0) => match graph.nodes[id].op {
            Op::Concat(_)
            | Op::MaxPool(_)
            | Op::AvgPool(_)
            | Op::AdaptiveAvgPool(_)
            | Op::Reshape(_)
            | Op::Linear(_)
            | Op::Softmax(_) => None,
            _ => Some(graph.nodes[id].path.to_string()),
        },
        _ => None,
    }
}

/// By value: whether it depends on parameters alone.
fn constants(graph: &Graph) -> Vec<bool> {
    let mut constant: Vec<bool> = graph
        .values
        .iter()
        .map(|value| matches!(value.source, Source::Param(_) | Source::Gone))
        .collect();
    for node in &graph.nodes {
        if node.inputs.iter().all(|v| constant[v.index()]) && !node.op.operator().random() {
            node.outputs.iter().for_each(|v| constant[v.index()] = true);
        }
    }
    constant
}
