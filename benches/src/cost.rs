//! Parameters and multiply-adds of a part of a graph.

use inception_autograd::{Graph, Source};
use inception_nn::{Role, Specs};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::iter::Sum;

/// What a part of a network costs for one image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// How many numbers are trained.
    pub params: u64,
    /// How many of them are weights: all but biases, scales and shifts.
    pub weights: u64,
    /// Multiply-adds of convolutions and linear layers.
    pub macs: u64,
    /// Floating-point operations: a multiply-add is two.
    pub flops: u64,
}

impl Cost {
    /// Sums over the nodes of `graph`, recorded for one image, whose path `belongs`; a
    /// parameter counts once.
    pub fn of(graph: &Graph, specs: &Specs, belongs: impl Fn(&str) -> bool) -> Self {
        let mut cost = Self::default();
        let mut counted = HashSet::new();
        for (id, node) in graph.nodes().iter().enumerate() {
            if !belongs(&node.path) {
                continue;
            }
            cost.macs += graph.macs(id);
            for &var in &node.inputs {
                let value = graph.value_of(var);
                let Source::Param(param) = value.source else {
                    continue;
                };
                let role = specs.get(param).role;
                if role.is_trainable() && counted.insert(param) {
                    let numbers = value.shape.len() as u64;
                    cost.params += numbers;
                    cost.weights += if role == Role::Weight { numbers } else { 0 };
                }
            }
        }
        cost.flops = 2 * cost.macs;
        cost
    }
}

impl Sum for Cost {
    fn sum<I: Iterator<Item = Self>>(costs: I) -> Self {
        costs.fold(Self::default(), |a, b| Self {
            params: a.params + b.params,
            weights: a.weights + b.weights,
            macs: a.macs + b.macs,
            flops: a.flops + b.flops,
        })
    }
}

/// Whether `path` is the module called `module` or lies in it.
pub fn lies_in(path: &str, module: &str) -> bool {
    let rest = path.strip_prefix(module);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
