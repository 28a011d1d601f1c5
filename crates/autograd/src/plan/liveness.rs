//! Which nodes run, in which order, and how long each value is needed.

use crate::graph::{Graph, NodeId, Source, Var};

/// The nodes that run, in order; the first `prelude` depend on parameters alone.
#[derive(Debug)]
pub(super) struct Schedule {
    pub(super) nodes: Vec<NodeId>,
    pub(super) prelude: usize,
}

/// The steps between which a value is needed, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Live {
    /// The step that makes it; 0 for an input.
    pub(super) first: usize,
    /// The last step that reads it; `usize::MAX` where it outlives the run.
    pub(super) last: usize,
}

impl Live {
    /// Whether there is a step at which both are needed.
    pub(super) fn meets(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// From the first step of either to the last of either.
    pub(super) fn join(self, other: Self) -> Self {
        Self {
            first: self.first.min(other.first),
            last: self.last.max(other.last),
        }
    }
}

/// The nodes that `keep` depends on: first those that depend on parameters alone.
pub(super) fn schedule(graph: &Graph, keep: &[Var]) -> Schedule {
    let mut wanted = vec![false; graph.values.len()];
    for var in keep {
        assert_ne!(
            graph.value_of(*var).source,
            Source::Gone,
            "a kept value was fused away"
        );
        wanted[var.index()] = true;
    }
    let mut runs = vec![false; graph.nodes.len()];
    for (id, node) in graph.nodes.iter().enumerate().rev() {
        runs[id] = node.outputs.iter().any(|v| wanted[v.index()]);
        if runs[id] {
            node.inputs.iter().for_each(|v| wanted[v.index()] = true);
        }
    }
    let mut constant = vec![false; graph.values.len()];
    for (i, value) in graph.values.iter().enumerate() {
        constant[i] = matches!(value.source, Source::Param(_));
    }
    let (mut prelude, mut rest) = (Vec::new(), Vec::new());
    for (id, node) in graph.nodes.iter().enumerate().filter(|&(id, _)| runs[id]) {
        let reads_constants = node.inputs.iter().all(|v| constant[v.index()]);
        if reads_constants && !node.op.operator().random() {
            node.outputs.iter().for_each(|v| constant[v.index()] = true);
            prelude.push(id);
        } else {
            rest.push(id);
        }
    }
    let count = prelude.len();
    prelude.append(&mut rest);
    Schedule {
        nodes: prelude,
        prelude: count,
    }
}

/// By value: when it is needed, or `None` where it is left out because no step reads it and
/// nobody keeps it.
///
/// What the prelude makes is needed for ever, since it is made once for many runs.
pub(super) fn lives(graph: &Graph, schedule: &Schedule, keep: &[Var]) -> Vec<Option<Live>> {
    let mut first = vec![0; graph.values.len()];
    let mut last: Vec<Option<usize>> = vec![None; graph.values.len()];
    for (at, &id) in schedule.nodes.iter().enumerate() {
        let node = &graph.nodes[id];
        for (i, var) in node.outputs.iter().enumerate() {
            first[var.index()] = at;
            if !node.op.operator().optional(i) {
                last[var.index()] = Some(at);
            }
        }
        for var in &node.inputs {
            last[var.index()] = Some(at);
        }
    }
    for var in keep {
        last[var.index()] = Some(usize::MAX);
    }
    let live = |i: usize| {
        let last = last[i]?;
        let constant =
            matches!(graph.values[i].source, Source::Node(..)) && first[i] < schedule.prelude;
        Some(Live {
            first: if constant { 0 } else { first[i] },
            last: if constant { usize::MAX } else { last },
        })
    };
    (0..graph.values.len()).map(live).collect()
}
