//! Offsets: buffers whose lives do not meet share bytes of the arena.

use super::liveness::{Live, Schedule};
use super::placement::Places;
use super::slices::Slices;
use crate::graph::{Graph, Var};
use inception_tensor::{Arena, Region};

/// Where every buffer and workspace lies.
#[derive(Debug)]
pub(super) struct Layout {
    /// By the value that owns the buffer.
    pub(super) buffers: Vec<Region>,
    /// By step.
    pub(super) workspaces: Vec<Region>,
    pub(super) bytes: usize,
}

const NOWHERE: Region = Region { start: 0, bytes: 0 };

struct Block {
    bytes: usize,
    live: Live,
    owner: Owner,
}

#[derive(Clone, Copy)]
enum Owner {
    Buffer(usize),
    Workspace(usize),
}

/// What buffers are for.
#[derive(Clone, Copy)]
pub(super) struct Buffers<'a> {
    pub(super) graph: &'a Graph,
    pub(super) live: &'a [Option<Live>],
    pub(super) places: &'a Places,
    pub(super) slices: Option<&'a Slices>,
}

/// Places the largest block first, each at the lowest offset that no block of a meeting life
/// occupies.
pub(super) fn layout(schedule: &Schedule, buffers: Buffers<'_>, element_bytes: usize) -> Layout {
    let graph = buffers.graph;
    let mut blocks = buffers.blocks(element_bytes);
    for (at, &id) in schedule.nodes.iter().enumerate() {
        let node = &graph.nodes[id];
        let (inputs, outputs) = (graph.shapes(&node.inputs), graph.shapes(&node.outputs));
        blocks.push(Block {
            bytes: node.op.operator().workspace(&inputs, &outputs) * element_bytes,
            live: Live {
                first: at,
                last: at,
            },
            owner: Owner::Workspace(at),
        });
    }
    blocks.retain(|b| b.bytes > 0);
    blocks.sort_by_key(|b| (std::cmp::Reverse(b.bytes), b.live.first));
    let mut layout = Layout {
        buffers: vec![NOWHERE; graph.values.len()],
        workspaces: vec![NOWHERE; schedule.nodes.len()],
        bytes: 0,
    };
    let mut placed: Vec<(Region, Live)> = Vec::new();
    for block in blocks {
        let region = lowest(&placed, &block);
        let at = placed.partition_point(|(r, _)| r.start < region.start);
        placed.insert(at, (region, block.live));
        layout.bytes = layout
            .bytes
            .max(region.end().next_multiple_of(Arena::ALIGN));
        match block.owner {
            Owner::Buffer(i) => layout.buffers[i] = region,
            Owner::Workspace(at) => layout.workspaces[at] = region,
        }
    }
    layout
}

impl Buffers<'_> {
    /// One block for each buffer that a needed value lies in.
    fn blocks(self, element_bytes: usize) -> Vec<Block> {
        let mut lives: Vec<Option<Live>> = vec![None; self.graph.values.len()];
        for (i, life) in self.live.iter().enumerate() {
            if let (Some(life), Some(place)) = (life, self.places.of(Var(i as u32))) {
                let joined = &mut lives[place.root];
                *joined = Some(joined.map_or(*life, |l| l.join(*life)));
            }
        }
        let block = |(i, life): (usize, Option<Live>)| {
            let (value, life) = (&self.graph.values[i], life?);
            let (shape, live) = match self.slices {
                Some(slices) => (slices.shape(i, value.shape), slices.life(i, life)),
                None => (value.shape, life),
            };
            Some(Block {
                bytes: shape.len() * value.dtype.bytes(element_bytes),
                live,
                owner: Owner::Buffer(i),
            })
        };
        lives.into_iter().enumerate().filter_map(block).collect()
    }
}

/// The lowest aligned offset where `block` meets nobody; `placed` is sorted by start.
fn lowest(placed: &[(Region, Live)], block: &Block) -> Region {
    let mut start = 0;
    for (region, live) in placed {
        if !live.meets(block.live) {
            continue;
        }
        if region.start >= start + block.bytes {
            break;
        }
        start = start.max(region.end().next_multiple_of(Arena::ALIGN));
    }
    Region {
        start,
        bytes: block.bytes,
    }
}
