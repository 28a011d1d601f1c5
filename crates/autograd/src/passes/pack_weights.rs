//! Weights in the order in which the kernels read them.

use crate::{Graph, Op, PackWeight};

/// Lets every convolution read weights that an operator of their own has packed. It depends
/// on parameters alone, so a plan runs it once for all runs.
pub(super) fn run(graph: &mut Graph) {
    for id in 0..graph.nodes.len() {
        let Op::Conv2d(mut conv) = graph.nodes[id].op.clone() else {
            continue;
        };
        if conv.packed.is_some() {
            continue;
        }
        let path = graph.nodes[id].path.clone();
        let places: Vec<usize> = (0..conv.banks).map(|bank| conv.weight(bank)).collect();
        let weights = places.iter().map(|&i| graph.nodes[id].inputs[i]);
        conv.packed = Some(weights.map(|w| graph.shape(w)).collect());
        let pack = PackWeight {
            method: conv.method(),
        };
        for place in places {
            let weight = graph.nodes[id].inputs[place];
            let packed = graph
                .push_one(&path, pack, &[weight])
                .expect("any weight can be packed");
            graph.nodes[id].inputs[place] = packed;
        }
        graph.nodes[id].op = conv.into();
    }
    graph.rebuild(|_| true);
}
