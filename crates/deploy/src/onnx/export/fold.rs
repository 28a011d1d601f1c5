//! Which normalisations go into the convolution before them.

use inception_autograd::{Graph, NodeId, Op, Var};
use std::collections::HashMap;

/// Pairs of a convolution and the normalisation behind it.
#[derive(Debug, Default)]
pub(super) struct Folded {
    /// The normalisation that a convolution takes in.
    by_convolution: HashMap<NodeId, NodeId>,
    gone: Vec<NodeId>,
}

impl Folded {
    /// Finds convolutions whose output one normalisation alone reads.
    pub(super) fn find(graph: &Graph) -> Self {
        let mut readers: HashMap<Var, Vec<NodeId>> = HashMap::new();
        for (id, node) in graph.nodes().iter().enumerate() {
            for &var in &node.inputs {
                readers.entry(var).or_default().push(id);
            }
        }
        let mut folded = Self::default();
        for (id, node) in graph.nodes().iter().enumerate() {
            let (Op::Conv2d(_), [output]) = (&node.op, node.outputs.as_slice()) else {
                continue;
            };
            if let Some([reader]) = readers.get(output).map(Vec::as_slice)
                && matches!(graph.nodes()[*reader].op, Op::BatchNormEval(_))
            {
                folded.by_convolution.insert(id, *reader);
                folded.gone.push(*reader);
            }
        }
        folded
    }

    /// The normalisation that convolution `id` takes in.
    pub(super) fn normalisation(&self, id: NodeId) -> Option<NodeId> {
        self.by_convolution.get(&id).copied()
    }

    /// Whether node `id` has gone into a convolution.
    pub(super) fn is_gone(&self, id: NodeId) -> bool {
        self.gone.contains(&id)
    }
}
