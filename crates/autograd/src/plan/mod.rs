//! The plan: which nodes run, and where every value lies.

mod liveness;
mod offsets;
mod placement;
mod slices;

use crate::graph::{DType, Graph, NodeId, ParamId, Source, Var};
use crate::operator::Op;
use crate::passes::Passes;
use inception_tensor::{Kernel, Pool, Region, Shape};
use placement::Place;
use slices::Slices;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use liveness::Live;

/// How a plan is made.
#[derive(Clone, Copy, Debug)]
pub struct PlanOptions {
    /// `slices`, `zero_copy_concat` and `in_place` count here.
    pub passes: Passes,
    /// Bytes of a number: 4 for `f32`, 8 for `f64`.
    pub element_bytes: usize,
    /// Bytes of the cache that `slices` aims at.
    pub cache_bytes: usize,
}

/// Bytes of the last cache for each core, or less.
const CACHE_OF_A_CORE: usize = 8 << 20;

impl Default for PlanOptions {
    fn default() -> Self {
        Self {
            passes: Passes::INFERENCE,
            element_bytes: 4,
            cache_bytes: CACHE_OF_A_CORE * Pool::available(),
        }
    }
}

/// Where a step finds an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    /// The table of parameters.
    Param(ParamId),
    /// The arena: the region of the whole buffer, and the place in it counted in elements.
    Arena {
        region: Region,
        offset: usize,
        stride: usize,
    },
    /// Output 0 of the same step holds it.
    InPlace,
    /// Nobody reads it.
    Unused,
}

/// One operand of a step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) location: Location,
    pub(crate) shape: Shape,
    pub(crate) dtype: DType,
}

/// One node, with its operands' places.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) op: Op,
    pub(crate) path: Arc<str>,
    pub(crate) macs: u64,
    pub(crate) inputs: SmallVec<[Slot; 8]>,
    pub(crate) outputs: SmallVec<[Slot; 3]>,
    pub(crate) workspace: Region,
}

impl Step {
    /// Bytes of the operands, each counted once, where numbers have `element_bytes`.
    pub(crate) fn bytes(&self, element_bytes: usize) -> u64 {
        let moved = |slot: &&Slot| !matches!(slot.location, Location::InPlace | Location::Unused);
        let bytes = |slot: &Slot| slot.shape.len() * slot.dtype.bytes(element_bytes);
        let operands = self.inputs.iter().chain(&self.outputs);
        operands.filter(moved).map(|slot| bytes(slot) as u64).sum()
    }

    /// The way that a run takes with `kernel`.
    pub(crate) fn algorithm(&self, kernel: Kernel) -> Option<Cow<'static, str>> {
        let shapes = |slots: &[Slot]| -> SmallVec<[Shape; 8]> {
            slots.iter().map(|slot| slot.shape).collect()
        };
        let (inputs, outputs) = (shapes(&self.inputs), shapes(&self.outputs));
        self.op.operator().algorithm(kernel, &inputs, &outputs)
    }
}

/// A graph made ready to run: steps in order, and one arena for all values.
#[derive(Debug)]
pub struct Plan {
    /// What depends on parameters alone: run once for each set of parameters.
    pub(crate) prelude: Vec<Step>,
    pub(crate) steps: Vec<Step>,
    pub(crate) arena_bytes: usize,
    pub(crate) element_bytes: usize,
    kept: Vec<(Var, Slot)>,
}

impl Plan {
    /// Plans the nodes that the values of `keep` and the graph's updates depend on.
    ///
    /// Inputs and values of `keep` have memory of their own while they are needed: an input
    /// until its last reader has run, so it is written before every run; a kept value from
    /// the step that makes it until the next run.
    ///
    /// # Panics
    /// When a value of `keep` was fused away by a pass that did not know it.
    pub fn compile(graph: &Graph, keep: &[Var], options: &PlanOptions) -> Self {
        let keep: Vec<Var> = keep
            .iter()
            .copied()
            .chain(graph.updates().iter().map(|u| u.value))
            .collect();
        let schedule = liveness::schedule(graph, &keep);
        let live = liveness::lives(graph, &schedule, &keep);
        let places = placement::place(graph, &schedule, &live, &keep, &options.passes);
        let (cache_bytes, element_bytes) = (options.cache_bytes, options.element_bytes);
        let slices = options
            .passes
            .slices
            .then(|| Slices::choose(graph, &schedule, &live, &places, cache_bytes, element_bytes));
        let slices = slices.flatten();
        let buffers = offsets::Buffers {
            graph,
            live: &live,
            places: &places,
            slices: slices.as_ref(),
        };
        let layout = offsets::layout(&schedule, buffers, element_bytes);
        let slots = Slots {
            graph,
            live: &live,
            places: &places,
            regions: &layout.buffers,
        };
        let step = |(at, id): (usize, NodeId)| slots.step(at, id, layout.workspaces[at]);
        let in_slices = |steps: Vec<(usize, NodeId)>| match &slices {
            Some(slices) => slots.in_slices(slices, steps, step),
            None => steps.into_iter().map(step).collect(),
        };
        let (prelude, steps): (Vec<_>, Vec<_>) = schedule
            .nodes
            .iter()
            .copied()
            .enumerate()
            .partition(|&(at, _)| at < schedule.prelude);
        let kept_inputs = (0..graph.values.len())
            .map(|i| Var(i as u32))
            .filter(|v| graph.value_of(*v).source == Source::Input && live[v.index()].is_some());
        Self {
            prelude: prelude.into_iter().map(step).filter(needed).collect(),
            steps: in_slices(steps).into_iter().filter(needed).collect(),
            arena_bytes: layout.bytes,
            element_bytes: options.element_bytes,
            kept: kept_inputs
                .chain(keep.iter().copied())
                .map(|var| (var, slots.slot(var)))
                .collect(),
        }
    }

    /// Bytes of the arena: all values and workspaces, without parameters.
    pub fn arena_bytes(&self) -> usize {
        self.arena_bytes
    }

    /// How many steps a run has.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether a run does nothing.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Operator, path and multiply-adds of each step of a run.
    pub fn steps(&self) -> impl Iterator<Item = (&'static str, &str, u64)> {
        self.steps
            .iter()
            .map(|s| (s.op.operator().name(), &*s.path, s.macs))
    }

    /// Where a kept value or an input lies.
    pub(crate) fn kept(&self, var: Var) -> Slot {
        let found = self.kept.iter().find(|(v, _)| *v == var);
        found.expect("only inputs and kept values outlive a run").1
    }
}

/// Whether anything is left to do: a concatenation or split whose parts all lie where they
/// belong, or a reshape in place, is nothing.
fn needed(step: &Step) -> bool {
    let aliased = |slot: &Slot| matches!(slot.location, Location::InPlace | Location::Unused);
    match step.op {
        Op::Concat(_) | Op::Reshape(_) => !step.inputs.iter().all(aliased),
        Op::Split(_) => !step.outputs.iter().all(aliased),
        _ => true,
    }
}

/// Everything that turns a value into a slot.
struct Slots<'a> {
    graph: &'a Graph,
    live: &'a [Option<Live>],
    places: &'a placement::Places,
    regions: &'a [Region],
}

impl Slots<'_> {
    fn slot(&self, var: Var) -> Slot {
        let value = self.graph.value_of(var);
        let location = match (value.source, self.places.of(var)) {
            (Source::Param(id), _) => Location::Param(id),
            (
                _,
                Some(Place {
                    root,
                    offset,
                    stride,
                }),
            ) if self.live[var.index()].is_some() => Location::Arena {
                region: self.regions[root],
                offset,
                stride,
            },
            _ => Location::Unused,
        };
        Slot {
            location,
            shape: value.shape,
            dtype: value.dtype,
        }
    }

    fn step(&self, at: usize, id: NodeId, workspace: Region) -> Step {
        let node = &self.graph.nodes[id];
        let mut inputs: SmallVec<[Slot; 8]> = node.inputs.iter().map(|&v| self.slot(v)).collect();
        let mut outputs: SmallVec<[Slot; 3]> = node.outputs.iter().map(|&v| self.slot(v)).collect();
        for &i in &self.places.aliased_inputs[at] {
            inputs[i].location = Location::InPlace;
        }
        if self.places.split_in_place[at] {
            outputs
                .iter_mut()
                .for_each(|o| o.location = Location::InPlace);
        }
        Step {
            op: node.op.clone(),
            path: node.path.clone(),
            macs: self.graph.macs(id),
            inputs,
            outputs,
            workspace,
        }
    }

    /// The steps of a run, of which those of `slices` run for one slice after the other.
    fn in_slices(
        &self,
        slices: &Slices,
        steps: Vec<(usize, NodeId)>,
        step: impl Fn((usize, NodeId)) -> Step,
    ) -> Vec<Step> {
        let Range { start, end } = slices.steps();
        let place = |step| steps.partition_point(|&(at, _)| at < step);
        let (before, rest) = steps.split_at(place(start));
        let (inside, after) = rest.split_at(place(end) - before.len());
        let step = |&place: &(usize, NodeId)| step(place);
        let whole = |steps: &[(usize, NodeId)]| steps.iter().map(step).collect::<Vec<_>>();
        let mut all = whole(before);
        for images in slices.runs() {
            let part = |place| self.part(slices, &images, place, step(place));
            all.extend(inside.iter().map(part));
        }
        all.extend(whole(after));
        all
    }

    /// A step for some images.
    fn part(
        &self,
        slices: &Slices,
        images: &Range<usize>,
        &(_, id): &(usize, NodeId),
        mut step: Step,
    ) -> Step {
        let node = &self.graph.nodes[id];
        let root = |var: Var| self.places.of(var).map(|place| place.root);
        let operands = node.inputs.iter().zip(&mut step.inputs);
        for (&var, slot) in operands.chain(node.outputs.iter().zip(&mut step.outputs)) {
            *slot = slices.part(var, root(var), *slot, images);
        }
        step.macs = slices.share(step.macs, images);
        step
    }
}
