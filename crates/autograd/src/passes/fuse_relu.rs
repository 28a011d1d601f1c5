//! ReLU into the operator before it.

use super::only_consumer;
use crate::{Graph, Op, Var};
use inception_ops::Activation;

/// Convolution, linear, batch norm or sum, then ReLU: one operator.
pub(super) fn run(graph: &mut Graph, keep: &[Var]) {
    let consumers = graph.consumers();
    let mut fused = vec![false; graph.nodes.len()];
    for id in 0..graph.nodes.len() {
        let out = graph.nodes[id].outputs[0];
        let Some(relu) = only_consumer(&consumers, keep, graph, out) else {
            continue;
        };
        if !matches!(graph.nodes[relu].op, Op::Relu(_)) {
            continue;
        }
        let activation = match &mut graph.nodes[id].op {
            Op::Conv2d(op) if op.banks == 1 => &mut op.activation,
            Op::Linear(op) => &mut op.activation,
            Op::BatchNorm(op) => &mut op.activation,
            Op::BatchNormEval(op) => &mut op.activation,
            Op::Sum(op) => &mut op.activation,
            _ => continue,
        };
        *activation = Activation::Relu;
        graph.nodes[id].outputs[0] = graph.nodes[relu].outputs[0];
        fused[relu] = true;
    }
    graph.rebuild(|id| !fused[id]);
}
