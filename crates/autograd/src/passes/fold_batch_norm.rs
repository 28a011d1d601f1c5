//! Batch norm with fixed statistics into the convolution before it.

use super::only_consumer;
use crate::{BatchNormFold, Graph, Op, Var};
use inception_ops::Activation;
use smallvec::{SmallVec, smallvec};

/// Convolution, then batch norm: a convolution whose weight and bias are computed once from
/// the parameters.
pub(super) fn run(graph: &mut Graph, keep: &[Var]) {
    let consumers = graph.consumers();
    let mut folded = vec![false; graph.nodes.len()];
    for id in 0..graph.nodes.len() {
        let Op::Conv2d(conv) = graph.nodes[id].op.clone() else {
            continue;
        };
        if conv.banks != 1 || conv.activation != Activation::None {
            continue;
        }
        let out = graph.nodes[id].outputs[0];
        let Some(norm_id) = only_consumer(&consumers, keep, graph, out) else {
            continue;
        };
        let Op::BatchNormEval(norm) = graph.nodes[norm_id].op.clone() else {
            continue;
        };
        let inputs = graph.nodes[id].inputs.clone();
        let vectors = &graph.nodes[norm_id].inputs[1..];
        let mut operands: SmallVec<[Var; 6]> = smallvec![inputs[1]];
        operands.extend_from_slice(vectors);
        operands.extend(inputs.get(2).copied());
        let fold = BatchNormFold {
            eps: norm.eps,
            bias: conv.bias,
        };
        let path = graph.nodes[id].path.clone();
        let parts = graph
            .push(&path, fold, &operands)
            .expect("the shapes fitted the convolution and the normalisation");
        let node = &mut graph.nodes[id];
        node.inputs = smallvec![inputs[0], parts[0], parts[1]];
        node.op = crate::Conv2d {
            bias: true,
            activation: norm.activation,
            ..conv
        }
        .into();
        graph.nodes[id].outputs[0] = graph.nodes[norm_id].outputs[0];
        folded[norm_id] = true;
    }
    graph.rebuild(|id| !folded.get(id).copied().unwrap_or(false));
}
