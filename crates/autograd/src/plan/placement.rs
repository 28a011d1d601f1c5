//! Which values share memory: slices of a concatenation, views, operators in place.

use super::liveness::{Live, Schedule};
use crate::graph::{Graph, NodeId, Source, Var};
use crate::operator::Aliasing;
use crate::passes::Passes;
use smallvec::SmallVec;

/// Where a value lies: a buffer, its first number there, and the distance between pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Number of the buffer; buffers are numbered by the value that owns them.
    pub(super) root: usize,
    pub(super) offset: usize,
    pub(super) stride: usize,
}

/// The places of all values, and what each step finds in place.
#[derive(Debug)]
pub(super) struct Places {
    places: Vec<Option<Place>>,
    /// By step: inputs that lie where the step's output 0 lies.
    pub(super) aliased_inputs: Vec<SmallVec<[usize; 4]>>,
    /// By step: whether all outputs lie inside the input.
    pub(super) split_in_place: Vec<bool>,
}

impl Places {
    pub(super) fn of(&self, var: Var) -> Option<Place> {
        self.places[var.index()]
    }
}

/// Gives every value a place in a buffer, of its own or shared.
pub(super) fn place(
    graph: &Graph,
    schedule: &Schedule,
    live: &[Option<Live>],
    keep: &[Var],
    passes: &Passes,
) -> Places {
    let mut placer = Placer {
        graph,
        live,
        consumers: graph.consumers(),
        pinned: vec![false; graph.values.len()],
        places: graph
            .values
            .iter()
            .enumerate()
            .map(|(i, value)| match value.source {
                Source::Param(_) | Source::Gone => None,
                Source::Input | Source::Node(..) => Some(Place {
                    root: i,
                    offset: 0,
                    stride: value.shape.c,
                }),
            })
            .collect(),
        members: (0..graph.values.len()).map(|i| vec![i]).collect(),
        longest: (0..graph.values.len()).map(|i| [Some(i), None]).collect(),
    };
    for (i, value) in graph.values.iter().enumerate() {
        // Inputs are written by the caller, who does not know of shared memory; constants of
        // the prelude must survive every run.
        placer.pinned[i] = value.source == Source::Input
            || live[i].is_some_and(|l| l.first < schedule.prelude && l.last == usize::MAX);
    }
    for var in keep {
        placer.pinned[var.index()] = true;
    }
    let steps = schedule.nodes.len();
    let mut aliased_inputs = vec![SmallVec::new(); steps];
    let mut split_in_place = vec![false; steps];
    let nodes = || schedule.nodes.iter().copied().enumerate();
    let aliasing = |id: NodeId| graph.nodes[id].op.operator().aliasing();
    if passes.zero_copy_concat {
        for (at, id) in nodes().rev() {
            if aliasing(id) == Aliasing::Concat {
                aliased_inputs[at] = placer.concat(id);
            }
        }
    }
    for (at, id) in nodes() {
        match aliasing(id) {
            Aliasing::Split if passes.zero_copy_concat => {
                split_in_place[at] = placer.split(id);
            }
            Aliasing::Reshape if passes.in_place && placer.reshape(id) => {
                aliased_inputs[at].push(0);
            }
            Aliasing::InPlace(input) if passes.in_place && placer.in_place(at, id, input) => {
                aliased_inputs[at].push(input);
            }
            _ => {}
        }
    }
    Places {
        places: placer.places,
        aliased_inputs,
        split_in_place,
    }
}

struct Placer<'a> {
    graph: &'a Graph,
    live: &'a [Option<Live>],
    consumers: Vec<SmallVec<[NodeId; 4]>>,
    /// Values whose memory must not be given to another value.
    pinned: Vec<bool>,
    places: Vec<Option<Place>>,
    /// By buffer: the values that lie in it.
    members: Vec<Vec<usize>>,
    /// By buffer: the two values in it that are needed longest.
    longest: Vec<[Option<usize>; 2]>,
}

impl Placer<'_> {
    fn place_of(&self, var: Var) -> Option<Place> {
        self.places[var.index()]
    }

    /// Whether `var` is alone in a buffer of its own that a node writes.
    fn movable(&self, var: Var) -> bool {
        let i = var.index();
        self.live[i].is_some()
            && !self.pinned[i]
            && self.graph.values[i].dtype.is_map()
            && self.members[i] == [i]
            && self.places[i].is_some_and(|p| p.root == i)
    }

    /// Moves `var`, alone in its buffer, to `place`.
    fn move_to(&mut self, var: Var, place: Place) {
        let i = var.index();
        self.members[i].clear();
        self.members[place.root].push(i);
        let [first, second] = self.longest[place.root];
        let outlives = |other: Option<usize>| other.is_none_or(|o| self.until(o) <= self.until(i));
        if outlives(first) {
            self.longest[place.root] = [Some(i), first];
        } else if outlives(second) {
            self.longest[place.root] = [first, Some(i)];
        }
        self.places[i] = Some(place);
    }

    /// Whether some node other than `except` would write buffer `root` and touch it with
    /// another operand as well, were `var` there: its operands could not be opened side by
    /// side.
    fn clashes(&self, var: Var, root: usize, except: NodeId) -> bool {
        let inside = |&v: &Var| v != var && self.place_of(v).is_some_and(|p| p.root == root);
        let maker = self.graph.producer(var).filter(|&id| id != except);
        let makes = maker.is_some_and(|id| {
            let node = &self.graph.nodes[id];
            node.inputs.iter().chain(&node.outputs).any(inside)
        });
        let mut readers = self.consumers[var.index()]
            .iter()
            .filter(|&&id| id != except);
        makes || readers.any(|&id| self.graph.nodes[id].outputs.iter().any(inside))
    }

    /// Places the operands of a concatenation inside its output where that is possible.
    fn concat(&mut self, id: NodeId) -> SmallVec<[usize; 4]> {
        let node = &self.graph.nodes[id];
        let out = self
            .place_of(node.outputs[0])
            .expect("nodes' values have places");
        let mut inside = SmallVec::new();
        let mut offset = out.offset;
        for (i, &var) in node.inputs.iter().enumerate() {
            let made_by_view = self
                .graph
                .producer(var)
                .is_some_and(|id| self.graph.nodes[id].op.operator().aliasing() == Aliasing::Split);
            let repeated = node.inputs.iter().filter(|&&v| v == var).count() > 1;
            let place = Place { offset, ..out };
            if self.movable(var) && !repeated && !made_by_view && !self.clashes(var, out.root, id) {
                self.move_to(var, place);
                inside.push(i);
            }
            offset += self.graph.shape(var).c;
        }
        inside
    }

    /// Places all outputs of a split inside its operand.
    fn split(&mut self, id: NodeId) -> bool {
        let node = &self.graph.nodes[id];
        let Some(source) = self.place_of(node.inputs[0]) else {
            return false;
        };
        let used = |&&v: &&Var| self.live[v.index()].is_some();
        let mut parts = node.outputs.iter().filter(used);
        if !parts.all(|&v| self.movable(v) && !self.clashes(v, source.root, id)) {
            return false;
        }
        let mut offset = source.offset;
        for &var in &node.outputs {
            if self.live[var.index()].is_some() {
                self.move_to(var, Place { offset, ..source });
            }
            offset += self.graph.shape(var).c;
        }
        true
    }

    /// Lets a dense operand stay where it is under its new shape.
    fn reshape(&mut self, id: NodeId) -> bool {
        let node = &self.graph.nodes[id];
        let (from, to) = (node.inputs[0], node.outputs[0]);
        let Some(source) = self.place_of(from) else {
            return false;
        };
        let dense = source.stride == self.graph.shape(from).c;
        if !dense || !self.movable(to) || self.clashes(to, source.root, id) {
            return false;
        }
        let stride = self.graph.shape(to).c;
        self.move_to(to, Place { stride, ..source });
        true
    }

    /// Lets output 0 of step `at` overwrite operand `input` if nobody needs that any more.
    fn in_place(&mut self, at: usize, id: NodeId, input: usize) -> bool {
        let node = &self.graph.nodes[id];
        let (from, to) = (node.inputs[input], node.outputs[0]);
        let Some((source, target)) = self.place_of(from).zip(self.place_of(to)) else {
            return false;
        };
        let last = self.live[from.index()].map_or(usize::MAX, |l| l.last);
        let repeated = node.inputs.iter().filter(|&&v| v == from).count() > 1;
        if last != at || repeated || self.pinned[from.index()] {
            return false;
        }
        if self.movable(to) {
            // The output moves to where the operand lies.
            let mut others = node.inputs.iter().filter(|&&v| v != from);
            let blocked = others.any(|&v| self.place_of(v).is_some_and(|p| p.root == source.root));
            if blocked || !self.overwritable(at, from, source) || self.clashes(to, source.root, id)
            {
                return false;
            }
            self.move_to(to, source);
            return true;
        }
        // The output lies inside a concatenation: the operand is made there.
        let mut others = node.inputs.iter().filter(|&&v| v != from);
        let blocked = others.any(|&v| self.place_of(v).is_some_and(|p| p.root == target.root));
        if self.movable(from)
            && !blocked
            && !self.clashes(from, target.root, id)
            && self.free_between(from, to, target)
        {
            self.move_to(from, target);
            return true;
        }
        false
    }

    /// Whether no other value in `from`'s numbers is needed at or after step `at`.
    fn overwritable(&self, at: usize, from: Var, place: Place) -> bool {
        let other = |i: usize| i != from.index();
        let dead = |i: usize| self.until(i) < at;
        // The two that are needed longest speak for all, but for values that do not overlap.
        let mut longest = self.longest[place.root].iter().flatten();
        longest.all(|&i| !other(i) || dead(i))
            || self.members[place.root]
                .iter()
                .all(|&i| !other(i) || !self.overlap(i, from.index()) || dead(i))
    }

    /// The last step that needs a value's memory.
    fn until(&self, i: usize) -> usize {
        match self.live[i] {
            _ if self.pinned[i] => usize::MAX,
            Some(live) => live.last,
            None => 0,
        }
    }

    /// Whether, before `to` is made, nobody else uses its numbers while `from` lives.
    fn free_between(&self, from: Var, to: Var, place: Place) -> bool {
        let Some(life) = self.live[from.index()] else {
            return false;
        };
        self.members[place.root].iter().all(|&i| {
            i == to.index()
                || !self.overlap(i, to.index())
                || self.live[i].is_none_or(|l| l.first > life.last || l.last < life.first)
        })
    }

    /// Whether two values of one buffer share a number.
    fn overlap(&self, a: usize, b: usize) -> bool {
        let (Some(pa), Some(pb)) = (self.places[a], self.places[b]) else {
            return false;
        };
        let (ca, cb) = (self.graph.values[a].shape.c, self.graph.values[b].shape.c);
        pa.stride != pb.stride || (pa.offset < pb.offset + cb && pb.offset < pa.offset + ca)
    }
}
