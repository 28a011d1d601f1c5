//! A recorded graph as a network.

use inception_autograd::{Graph, GraphError, Op, Var};
use inception_nn::{Ctx, Network, Outputs};
use inception_tensor::Shape;
use std::collections::HashMap;

/// A graph that was recorded for some images and is recorded again for any number.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) graph: Graph,
    pub(super) images: Var,
    pub(super) logits: Var,
}

impl Network for Recorded {
    fn forward(&self, images: Var, ctx: &mut Ctx<'_>) -> Result<Outputs, GraphError> {
        let batch = ctx.graph.shape(images).n;
        let recorded = self.graph.shape(self.images).n;
        let mut new = HashMap::from([(self.images, images)]);
        for (id, old) in self.graph.params() {
            new.insert(old, ctx.param(id));
        }
        for node in self.graph.nodes() {
            let inputs: Vec<Var> = node.inputs.iter().map(|old| new[old]).collect();
            let outputs =
                ctx.graph
                    .push(&node.path, for_batch(&node.op, recorded, batch), &inputs)?;
            new.extend(node.outputs.iter().copied().zip(outputs));
        }
        let last = self
            .graph
            .nodes()
            .iter()
            .find(|node| node.outputs.contains(&self.logits));
        let features = last.map_or(self.logits, |node| node.inputs[0]);
        Ok(Outputs {
            features: new[&features],
            logits: new[&self.logits],
            aux: Vec::new(),
        })
    }
}

/// An operator of a graph for `recorded` images as that of a batch.
fn for_batch(op: &Op, recorded: usize, batch: usize) -> Op {
    match op {
        Op::Reshape(reshape) => {
            let Shape { n, h, w, c } = reshape.shape;
            let mut reshape = reshape.clone();
            reshape.shape = Shape::new(n / recorded * batch, h, w, c);
            reshape.into()
        }
        other => other.clone(),
    }
}
