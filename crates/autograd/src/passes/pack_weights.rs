//! Weights in the order in which the kernels read them.

use crate::{Conv2d, Graph, Linear, Op, PackWeight};
use inception_ops::Window;
use inception_ops::conv2d::Algorithm;

/// Lets every convolution and fully connected layer read weights that an operator of their own
/// has packed. It depends on parameters alone, so a plan runs it once for all runs.
pub(super) fn run(graph: &mut Graph) {
    for id in 0..graph.nodes.len() {
        let mut conv = match &graph.nodes[id].op {
            Op::Conv2d(conv) => conv.clone(),
            Op::Linear(linear) => of_one_pixel(linear),
            _ => continue,
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

/// A fully connected layer as the convolution that it is, of images of one pixel.
fn of_one_pixel(linear: &Linear) -> Conv2d {
    Conv2d {
        window: Window::square(1),
        algorithm: Algorithm::Direct,
        bias: linear.bias,
        activation: linear.activation,
        banks: 1,
        packed: None,
    }
}
