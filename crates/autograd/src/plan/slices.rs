//! Batches in slices: the steps whose maps are the largest, which are the first of a network, run
//! for a few images at a time, so that a step finds in a cache what the step before it has written.
//!
//! An image has the same bits in any batch, so slices change no result. They save memory too: what
//! only those steps read is as large as a slice.

use super::liveness::{Live, Schedule};
use super::placement::Places;
use super::{Location, Slot};
use crate::graph::{Graph, NodeId, Source, Var};
use inception_tensor::Shape;
use std::ops::Range;

/// The part of a cache that the maps of a slice may fill.
const PART: usize = 2;

/// Steps that run for each slice of a batch.
#[derive(Debug)]
pub(super) struct Slices {
    steps: Range<usize>,
    batch: usize,
    /// Images of a slice; the last may have fewer.
    images: usize,
    /// By value: whether it has a row for each image of the batch.
    of_images: Vec<bool>,
    /// By buffer: whether only a slice of it is ever needed.
    sliced: Vec<bool>,
}

impl Slices {
    /// The steps for which slices spare the most memory traffic, where they spare any.
    pub(super) fn choose(
        graph: &Graph,
        schedule: &Schedule,
        live: &[Option<Live>],
        places: &Places,
        cache_bytes: usize,
        element_bytes: usize,
    ) -> Option<Self> {
        let sizes = Sizes {
            graph,
            of_images: of_images(graph, schedule),
            element_bytes,
        };
        let ids = &schedule.nodes;
        let (first, batch) =
            (schedule.prelude..ids.len()).find_map(|at| Some((at, sizes.batch(ids[at], live)?)))?;
        let fits = |&id: &NodeId| sizes.batch(id, live) == Some(batch);
        let nodes = ids[first..].iter().copied().take_while(fits);
        // Bytes of an image in all maps that a step of the slice finds.
        let mut largest = 0;
        let (mut spared, mut read_again) = (0, 0);
        let mut best: Option<(usize, Range<usize>, usize)> = None;
        for (i, id) in nodes.enumerate() {
            let at = first + i;
            largest = largest.max(sizes.maps_at(at, live, places) / batch);
            let maps = sizes.operands(id, true);
            spared += if maps > cache_bytes { maps } else { 0 };
            read_again += sizes.operands(id, false);
            let images = (cache_bytes / PART / largest.max(1)).clamp(1, batch);
            let cost = (batch.div_ceil(images) - 1) * read_again;
            let gain = spared.saturating_sub(cost);
            if images < batch && gain > best.as_ref().map_or(0, |best| best.0) {
                best = Some((gain, first..at + 1, images));
            }
        }
        let (_, steps, images) = best?;
        let sliced = sliced(graph, live, places, &sizes.of_images, &steps);
        Some(Self {
            steps,
            batch,
            images,
            of_images: sizes.of_images,
            sliced,
        })
    }

    /// When a buffer is needed: one that outlives a slice, through all of them.
    pub(super) fn life(&self, root: usize, life: Live) -> Live {
        let all = Live {
            first: self.steps.start,
            last: self.steps.end - 1,
        };
        let whole = self.of_images[root] && !self.sliced[root];
        if whole && life.meets(all) {
            life.join(all)
        } else {
            life
        }
    }

    /// The shape of a buffer.
    pub(super) fn shape(&self, root: usize, shape: Shape) -> Shape {
        match self.sliced[root] {
            true => Shape {
                n: self.images,
                ..shape
            },
            false => shape,
        }
    }

    /// Which steps of the schedule run for each slice.
    pub(super) fn steps(&self) -> Range<usize> {
        self.steps.clone()
    }

    /// The images of each slice.
    pub(super) fn runs(&self) -> impl Iterator<Item = Range<usize>> {
        let firsts = (0..self.batch).step_by(self.images);
        firsts.map(|first| first..self.batch.min(first + self.images))
    }

    /// The part of an operand that belongs to some images.
    pub(super) fn part(
        &self,
        var: Var,
        root: Option<usize>,
        slot: Slot,
        of: &Range<usize>,
    ) -> Slot {
        let mut slot = slot;
        if !self.of_images[var.index()] {
            return slot;
        }
        let pixels = of.start * slot.shape.h * slot.shape.w;
        slot.shape.n = of.len();
        if let Location::Arena { offset, stride, .. } = &mut slot.location
            && root.is_some_and(|root| !self.sliced[root])
        {
            *offset += pixels * *stride;
        }
        slot
    }

    /// The share of a step's work that some images are.
    pub(super) fn share(&self, work: u64, of: &Range<usize>) -> u64 {
        work / self.batch as u64 * of.len() as u64
    }
}

/// By value: whether it depends on an input of the graph.
fn of_images(graph: &Graph, schedule: &Schedule) -> Vec<bool> {
    let values = graph.values.iter();
    let mut found: Vec<bool> = values.map(|value| value.source == Source::Input).collect();
    for &id in &schedule.nodes[schedule.prelude..] {
        let node = &graph.nodes[id];
        if node.inputs.iter().any(|v| found[v.index()]) {
            node.outputs.iter().for_each(|v| found[v.index()] = true);
        }
    }
    found
}

/// By buffer: whether all that lies in it is made and read inside of `steps`, image by image.
fn sliced(
    graph: &Graph,
    live: &[Option<Live>],
    places: &Places,
    of_images: &[bool],
    steps: &Range<usize>,
) -> Vec<bool> {
    let mut sliced = vec![false; graph.values.len()];
    let mut whole = vec![false; graph.values.len()];
    for (i, value) in graph.values.iter().enumerate() {
        let (Some(life), Some(place)) = (live[i], places.of(Var(i as u32))) else {
            continue;
        };
        let inside = steps.contains(&life.first) && steps.contains(&life.last);
        let made = matches!(value.source, Source::Node(..));
        match made && of_images[i] && inside {
            true => sliced[place.root] = true,
            false => whole[place.root] = true,
        }
    }
    sliced
        .iter()
        .zip(&whole)
        .map(|(&sliced, &whole)| sliced && !whole)
        .collect()
}

/// Bytes of operands.
struct Sizes<'a> {
    graph: &'a Graph,
    of_images: Vec<bool>,
    element_bytes: usize,
}

impl Sizes<'_> {
    /// The images of a node's maps, if it computes each from that image alone.
    fn batch(&self, id: NodeId, live: &[Option<Live>]) -> Option<usize> {
        let node = &self.graph.nodes[id];
        let batch = self.graph.shape(*node.inputs.first()?).n;
        let of_batch = |v: Var| {
            let value = self.graph.value_of(v);
            self.of_images[v.index()] && value.dtype.is_map() && value.shape.n == batch
        };
        let mut inputs = node.inputs.iter().enumerate();
        let needed = |v: &&Var| live[v.index()].is_some();
        let mut outputs = node.outputs.iter().filter(needed);
        let fits = node.op.by_image(0)
            && outputs.all(|&v| of_batch(v))
            && inputs.all(|(i, &v)| match node.op.by_image(i) {
                true => of_batch(v),
                false => !self.of_images[v.index()],
            });
        fits.then_some(batch)
    }

    /// Of a node's operands that have rows for images, or of the others.
    fn operands(&self, id: NodeId, of_images: bool) -> usize {
        let node = &self.graph.nodes[id];
        let operands = node.inputs.iter().chain(&node.outputs);
        operands
            .filter(|v| self.of_images[v.index()] == of_images)
            .map(|v| self.bytes(v.index()))
            .sum()
    }

    /// Of the buffers of maps that are needed at step `at`.
    fn maps_at(&self, at: usize, live: &[Option<Live>], places: &Places) -> usize {
        let here = Live {
            first: at,
            last: at,
        };
        let needed = |&i: &usize| self.of_images[i] && live[i].is_some_and(|l| l.meets(here));
        let root = |i: usize| places.of(Var(i as u32)).map(|place| place.root);
        let mut roots: Vec<usize> = (0..live.len()).filter(needed).filter_map(root).collect();
        roots.sort_unstable();
        roots.dedup();
        roots.into_iter().map(|root| self.bytes(root)).sum()
    }

    fn bytes(&self, i: usize) -> usize {
        let value = &self.graph.values[i];
        value.shape.len() * value.dtype.bytes(self.element_bytes)
    }
}
