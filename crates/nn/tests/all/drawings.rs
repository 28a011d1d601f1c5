//! `docs/models.md`: every network as a drawing of its graph, made here and compared with the
//! file that the repository holds.
//!
//! `INCEPTION_UPDATE_DOCS=1 cargo test -p inception-nn --test all drawings` writes the file.

use crate::common;
use inception_autograd::{Graph, Node, NodeId, Op, Source};
use inception_nn::{Mode, Model, Summary, SummaryConfig, registry};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

const HEAD: &str = "# Models

Every network of the registry, drawn from its graph. A box is a convolution (with its
normalisation and ReLU), a pool, a sum or a linear layer; what follows the comma are channels of
its output. A frame is a module under its key in the state dict; modules that repeat are drawn
once. Heads that training alone has are in the drawing. The file is written by

```sh
cargo xtask models
```

and a test compares it with the graphs.
";

/// What is drawn: operators that decide shapes. The others belong to the box before them.
fn label(graph: &Graph, node: &Node) -> Option<String> {
    let out = graph.shape(node.outputs[0]);
    let sized = |[h, w]: [usize; 2], stride: usize| match stride {
        1 => format!("{h}×{w}"),
        _ => format!("{h}×{w}/{stride}"),
    };
    let text = match &node.op {
        Op::Conv2d(op) => sized(op.window.kernel, op.window.stride[0]),
        Op::MaxPool(op) => format!("max {}", sized(op.window.kernel, op.window.stride[0])),
        Op::AvgPool(op) => format!("average {}", sized(op.window.kernel, op.window.stride[0])),
        Op::AdaptiveAvgPool(_) => format!("average to {}×{}", out.h, out.w),
        Op::Lrn(_) => "LRN".to_owned(),
        Op::Concat(_) => "side by side".to_owned(),
        Op::Sum(op) => match op.scales[0] {
            1.0 => "sum".to_owned(),
            scale => format!("sum, change × {scale}"),
        },
        Op::Linear(_) => "linear".to_owned(),
        _ => return None,
    };
    Some(format!("{text}, {}", out.c))
}

/// The module of a path that is framed: its first part, and the second where it is a number.
fn stage(path: &str) -> String {
    let mut parts = path.split('.');
    let first = parts.next().unwrap_or_default();
    match parts.next().filter(|p| p.parse::<usize>().is_ok()) {
        Some(number) => format!("{first}.{number}"),
        None => first.to_owned(),
    }
}

/// A run of boxes of one module.
struct Frame {
    /// The modules that it stands for.
    names: Vec<String>,
    nodes: Vec<NodeId>,
    /// Labels, and output sizes.
    like: Vec<(String, [usize; 2])>,
}

fn frames(graph: &Graph) -> Vec<Frame> {
    let mut frames: Vec<Frame> = Vec::new();
    for (id, node) in graph.nodes().iter().enumerate() {
        let Some(text) = label(graph, node) else {
            continue;
        };
        let (name, out) = (stage(&node.path), graph.shape(node.outputs[0]));
        match frames.last_mut() {
            Some(frame) if frame.names[0] == name => frame.nodes.push(id),
            _ => frames.push(Frame {
                names: vec![name],
                nodes: vec![id],
                like: Vec::new(),
            }),
        }
        let frame = frames.last_mut().expect("one was pushed");
        frame.like.push((text, [out.h, out.w]));
    }
    frames
}

/// A flowchart in Mermaid's language.
fn draw(graph: &Graph) -> String {
    let mut text = "```mermaid\nflowchart TD\n  images([images])\n".to_owned();
    // Which box holds the output of each node.
    let mut boxes: BTreeMap<NodeId, String> = BTreeMap::new();
    let mut merged: Vec<Frame> = Vec::new();
    for frame in frames(graph) {
        match merged.last_mut() {
            Some(last) if last.like == frame.like && frame.nodes.len() > 1 => {
                for (node, first) in frame.nodes.iter().zip(&last.nodes) {
                    boxes.insert(*node, format!("n{first}"));
                }
                last.names.extend(frame.names);
            }
            _ => {
                boxes.extend(frame.nodes.iter().map(|&id| (id, format!("n{id}"))));
                merged.push(frame);
            }
        }
    }
    for frame in &merged {
        let (_, [h, w]) = frame.like[frame.like.len() - 1];
        let title = match &frame.names[..] {
            [one] => one.clone(),
            many => format!("{} … {} ({} ×)", many[0], many[many.len() - 1], many.len()),
        };
        writeln!(text, "  subgraph \"{title} → {h}×{w}\"").unwrap();
        for (id, (label, _)) in frame.nodes.iter().zip(&frame.like) {
            writeln!(text, "    n{id}[\"{label}\"]").unwrap();
        }
        writeln!(text, "  end").unwrap();
    }
    for frame in &merged {
        for &id in &frame.nodes {
            for from in sources(graph, id, &boxes) {
                writeln!(text, "  {from} --> n{id}").unwrap();
            }
        }
    }
    text + "```\n"
}

/// The boxes that a node reads, through operators that have none.
fn sources(graph: &Graph, id: NodeId, boxes: &BTreeMap<NodeId, String>) -> Vec<String> {
    let node = &graph.nodes()[id];
    // Of operators with parameters the first operand is the map; sums and concatenations read
    // maps alone.
    let maps = match &node.op {
        Op::Concat(_) | Op::Sum(_) => node.inputs.len(),
        _ => 1,
    };
    let source = |mut var| loop {
        match graph.value_of(var).source {
            Source::Node(from, _) => match boxes.get(&from) {
                Some(name) => return name.clone(),
                None => var = graph.nodes()[from].inputs[0],
            },
            _ => return "images".to_owned(),
        }
    };
    node.inputs[..maps].iter().map(|&var| source(var)).collect()
}

fn document() -> String {
    let mut text = HEAD.to_owned();
    for info in registry() {
        let model: Model = common::model(info.name);
        let summary = Summary::of(&model, &SummaryConfig::default()).expect("it records");
        let [c, h, w] = info.input;
        let heads = match summary.params_aux {
            0 => String::new(),
            n => format!(", {n} more in auxiliary heads"),
        };
        write!(
            text,
            "\n## {}\n{}. Input {c}×{h}×{w}, {} parameters{heads}, {} multiply-adds. Source: {}.\n\n",
            info.name, info.about, summary.params, summary.macs, info.source
        )
        .unwrap();
        let mut graph = Graph::new();
        let images = model.images(&mut graph, 2);
        let mut ctx = model.context(&mut graph, Mode::Train);
        model.forward(images, &mut ctx).expect("it records");
        text += &draw(&graph);
    }
    text
}

#[test]
fn the_drawings_are_those_of_the_graphs() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/models.md");
    let expected = document();
    if std::env::var_os("INCEPTION_UPDATE_DOCS").is_some() {
        std::fs::write(&path, &expected).expect("docs can be written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "docs/models.md is old: run `cargo xtask models`"
    );
}
