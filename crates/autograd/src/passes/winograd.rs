//! Which convolutions take their sums in the transformed domain.

use crate::{Graph, Op};
use inception_ops::conv2d::Method;

/// Asks the model of the cost for every convolution. All banks of one go the same way.
pub(super) fn run(graph: &mut Graph) {
    for id in 0..graph.nodes.len() {
        let node = &graph.nodes[id];
        let Op::Conv2d(conv) = &node.op else {
            continue;
        };
        if conv.packed.is_some() {
            continue;
        }
        let k = graph.shape(node.inputs[0]).c;
        let y = node.outputs.iter().map(|&y| graph.shape(y));
        let Some(widest) = y.max_by_key(|y| y.c) else {
            continue;
        };
        let algorithm = Method::fastest(conv.window, widest, k).algorithm;
        if let Op::Conv2d(conv) = &mut graph.nodes[id].op {
            conv.algorithm = algorithm;
        }
    }
}
