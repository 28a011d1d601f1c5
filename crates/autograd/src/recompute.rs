//! Recomputation: maps that the backward operators read are made again instead of kept.

use crate::graph::{DType, Graph, Node, NodeId, Source, Var};
use crate::operator::Op;
use smallvec::SmallVec;

/// Which maps of the forward pass are made again for the backward pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Recompute {
    /// None: all that the backward operators read is kept.
    #[default]
    Nothing,
    /// Those of normalisations and pools, whose operands are kept anyway, and their
    /// concatenations: next to no time.
    Cheap,
    /// All that do not leave their stage, which is the part of a node's path before its first
    /// dot: up to one more forward pass.
    Stages,
}

/// Lets the nodes from `forward` on, which [`differentiate`](crate::differentiate) appended,
/// read maps that are made again right before the first of them reads one.
///
/// Values of `keep` and of the graph's updates are made once. A copy of an operator computes
/// the same bits, for it has the same operands and the run's key. Gradients of weights sum in
/// the same order where a copy lies as densely in memory as the original, which holds for the
/// networks of the Inception family.
pub fn recompute(graph: &mut Graph, forward: NodeId, keep: &[Var], what: Recompute) {
    if what == Recompute::Nothing {
        return;
    }
    let again = made_again(graph, forward, keep, what);
    let copied = copied(graph, forward, &again);
    let backward = forward..graph.nodes.len();
    let mut copies: Vec<Option<Var>> = vec![None; graph.values.len()];
    let other = |copies: &[Option<Var>], var: Var| match again[var.index()] {
        true => copies[var.index()].unwrap_or(var),
        false => var,
    };
    for id in (0..forward).filter(|&id| copied[id]) {
        let node = graph.nodes[id].clone();
        let inputs: SmallVec<[Var; 6]> = node.inputs.iter().map(|&v| other(&copies, v)).collect();
        let outputs = graph
            .push(&node.path, node.op, &inputs)
            .expect("the same operands were accepted before");
        for (old, new) in node.outputs.iter().zip(outputs) {
            copies[old.index()] = Some(new);
        }
    }
    for id in backward {
        for var in &mut graph.nodes[id].inputs {
            *var = other(&copies, *var);
        }
    }
    graph.rebuild(|_| true);
}

/// By value: whether readers of the backward pass get a copy.
fn made_again(graph: &Graph, forward: NodeId, keep: &[Var], what: Recompute) -> Vec<bool> {
    let mut leaves = vec![false; graph.values.len()];
    let updates = graph.updates().iter().map(|update| update.value);
    for var in keep.iter().copied().chain(updates) {
        leaves[var.index()] = true;
    }
    if what == Recompute::Stages {
        for node in &graph.nodes[..forward] {
            for var in &node.inputs {
                let maker = graph.producer(*var).map(|id| stage(&graph.nodes[id]));
                leaves[var.index()] |= maker != Some(stage(node));
            }
        }
    }
    let mut again = vec![false; graph.values.len()];
    for (id, node) in graph.nodes[..forward].iter().enumerate() {
        if what == Recompute::Cheap && !cheap(node, &again) {
            continue;
        }
        for var in &node.outputs {
            let value = graph.value_of(*var);
            let is_map = value.dtype == DType::Real && value.shape.rows() > 1;
            debug_assert!(matches!(value.source, Source::Node(made, _) if made == id));
            again[var.index()] = is_map && !leaves[var.index()];
        }
    }
    again
}

/// Whether a node takes little time, and its operands are kept for its own backward operator
/// or that of their makers.
fn cheap(node: &Node, again: &[bool]) -> bool {
    match node.op {
        Op::BatchNorm(_) | Op::BatchNormEval(_) | Op::Lrn(_) => true,
        Op::MaxPool(_) | Op::AvgPool(_) => true,
        // Operands that are kept lie in the concatenation already.
        Op::Concat(_) => node.inputs.iter().all(|v| again[v.index()]),
        _ => false,
    }
}

fn stage(node: &Node) -> &str {
    node.path.split('.').next().unwrap_or_default()
}

/// By node of the forward pass: whether a copy of it is needed.
fn copied(graph: &Graph, forward: NodeId, again: &[bool]) -> Vec<bool> {
    let mut read = vec![false; graph.values.len()];
    let mut copied = vec![false; forward];
    for (id, node) in graph.nodes.iter().enumerate().rev() {
        if id < forward {
            let wanted = |v: &Var| read[v.index()] && again[v.index()];
            copied[id] = node.outputs.iter().any(wanted);
            if !copied[id] {
                continue;
            }
        }
        node.inputs.iter().for_each(|v| read[v.index()] = true);
    }
    copied
}
