//! Pointwise convolutions of one input into one operator.

use crate::{Graph, NodeId, Op, Var};
use inception_ops::Activation;
use smallvec::SmallVec;

/// An Inception module reads its input by three 1×1 convolutions: as banks of one
/// convolution they read it once, and their input gradients are summed without a copy.
pub(super) fn run(graph: &mut Graph, _keep: &[Var]) {
    let consumers = graph.consumers();
    let mut merged = vec![false; graph.nodes.len()];
    for readers in &consumers {
        let mut groups: Vec<(Kind, SmallVec<[NodeId; 4]>)> = Vec::new();
        for &id in readers {
            let Some(kind) = kind(graph, id) else {
                continue;
            };
            match groups.iter_mut().find(|(k, _)| *k == kind) {
                Some((_, ids)) => ids.push(id),
                None => groups.push((kind, SmallVec::from_slice(&[id]))),
            }
        }
        for (_, ids) in groups {
            if let [first, rest @ ..] = &ids[..] {
                rest.iter().for_each(|&id| {
                    absorb(graph, *first, id);
                    merged[id] = true;
                });
            }
        }
    }
    graph.rebuild(|id| !merged[id]);
}

/// What convolutions must share to be merged.
#[derive(PartialEq, Eq)]
struct Kind {
    input: Var,
    bias: bool,
    activation: Activation,
}

fn kind(graph: &Graph, id: NodeId) -> Option<Kind> {
    match &graph.nodes[id].op {
        Op::Conv2d(op) if op.window.is_pointwise() && op.banks == 1 && op.packed.is_none() => {
            Some(Kind {
                input: graph.nodes[id].inputs[0],
                bias: op.bias,
                activation: op.activation,
            })
        }
        _ => None,
    }
}

/// Makes the bank of node `from` a bank of node `into`.
fn absorb(graph: &mut Graph, into: NodeId, from: NodeId) {
    let source = graph.nodes[from].clone();
    let node = &mut graph.nodes[into];
    node.inputs.extend_from_slice(&source.inputs[1..]);
    node.outputs.extend_from_slice(&source.outputs);
    if let Op::Conv2d(op) = &mut node.op {
        op.banks += 1;
    }
    let shared = node
        .path
        .split('.')
        .zip(source.path.split('.'))
        .take_while(|(a, b)| a == b)
        .map(|(a, _)| a)
        .collect::<Vec<_>>()
        .join(".");
    node.path = shared.into();
}
