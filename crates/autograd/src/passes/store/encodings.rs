//! How each value is kept.

use super::{constants, name};
use crate::{DType, Encoding, Graph, Op};
use inception_ops::stored::Scale;
use std::collections::BTreeMap;

/// The least and the greatest number that was observed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// The least.
    pub low: f32,
    /// The greatest.
    pub high: f32,
}

impl Range {
    /// Both.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        Self {
            low: self.low.min(other.low),
            high: self.high.max(other.high),
        }
    }
}

/// Ranges by the path of the operator that makes the values, and `input`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ranges(pub BTreeMap<String, Range>);

impl Ranges {
    /// Takes in what was observed.
    pub fn observe(&mut self, name: &str, range: Range) {
        let known = self.0.entry(name.to_owned()).or_insert(range);
        *known = known.join(range);
    }
}

/// By value: how it is kept, `None` where nothing is known.
pub(super) type Encodings = Vec<Option<Encoding>>;

/// Everything as [`Encoding::Bf16`].
pub(super) fn bf16(graph: &Graph) -> Encodings {
    vec![Some(Encoding::Bf16); graph.values.len()]
}

/// Bytes over ranges; values that pools and concatenations join share one.
///
/// What follows a global average is few numbers that decide much: they stay `bf16`.
pub(super) fn int8(graph: &Graph, ranges: &Ranges) -> Encodings {
    let mut groups = Groups((0..graph.values.len()).collect());
    for node in &graph.nodes {
        let joined = match node.op {
            Op::Concat(_) | Op::MaxPool(_) | Op::AvgPool(_) | Op::Reshape(_) => &node.inputs[..],
            _ => &[],
        };
        for var in joined {
            groups.join(var.index(), node.outputs[0].index());
        }
    }
    let constant = constants(graph);
    let mut range: Vec<Option<Range>> = vec![None; graph.values.len()];
    for (i, value) in graph.values.iter().enumerate() {
        let known = match value.dtype == DType::Real && !constant[i] {
            true => name(graph, crate::Var(i as u32)).and_then(|name| ranges.0.get(&name)),
            false => None,
        };
        if let Some(&known) = known {
            let group = groups.of(i);
            range[group] = Some(range[group].map_or(known, |r| r.join(known)));
        }
    }
    let mut averaged = vec![false; graph.values.len()];
    for node in &graph.nodes {
        let follows = match node.op {
            Op::AdaptiveAvgPool(_) | Op::Linear(_) => true,
            Op::Concat(_) => node.inputs.iter().all(|v| averaged[v.index()]),
            Op::Reshape(_) | Op::Relu(_) | Op::Conv2d(_) | Op::MaxPool(_) | Op::AvgPool(_) => {
                averaged[node.inputs[0].index()]
            }
            _ => false,
        };
        averaged[node.outputs[0].index()] = follows;
    }
    let encoding = |i: usize| match averaged[i] {
        true => Some(Encoding::Bf16),
        false => range[groups.of(i)].map(|r| Encoding::Int8(Scale::covering(r.low, r.high))),
    };
    (0..graph.values.len()).map(encoding).collect()
}

/// Values that share a range: each points at another of its group, the first at itself.
struct Groups(Vec<usize>);

impl Groups {
    fn of(&self, mut i: usize) -> usize {
        while self.0[i] != i {
            i = self.0[i];
        }
        i
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.of(a), self.of(b));
        self.0[a.max(b)] = a.min(b);
    }
}
