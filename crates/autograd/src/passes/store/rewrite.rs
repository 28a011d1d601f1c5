//! The graph with operators on stored maps.

use super::encodings::Encodings;
use crate::operators::*;
use crate::{DType, Graph, GraphError, Node, NodeId, Op, Source, Var};
use inception_ops::conv2d::Algorithm;
use inception_ops::conv2d::stored::{Taps, pairs_pay};
use inception_ops::{OpError, Rounding, Window};
use inception_tensor::{Kernel, Shape};
use smallvec::{SmallVec, smallvec};

/// Channels of an image, of which a row of a window becomes one piece.
const FEW_CHANNELS: usize = 4;

/// Rewrites the first `forward` nodes; those behind them differentiate, and read what they
/// are given.
pub(super) fn run(
    graph: &mut Graph,
    keep: &[Var],
    encodings: &Encodings,
    forward: usize,
) -> Result<(), GraphError> {
    let nodes = graph.nodes.len();
    let mut rewrite = Rewrite {
        twins: vec![None; graph.values.len()],
        real: vec![true; graph.values.len()],
        dropped: vec![false; nodes],
        graph,
        encodings,
        forward,
    };
    for id in 0..forward {
        rewrite.node(id, keep)?;
    }
    for id in forward..nodes {
        rewrite.backward(id)?;
    }
    for &var in keep {
        rewrite.real(var)?;
    }
    let dropped = rewrite.dropped;
    graph.rebuild(|id| !dropped.get(id).copied().unwrap_or(false));
    Ok(())
}

/// How maps are kept that have no range.
const BF16: Option<Encoding> = Some(Encoding::Bf16);

/// Whether each bank of a convolution has a bias.
fn has_bias(op: &Op) -> bool {
    matches!(op, Op::Conv2d(conv) if conv.bias)
}

struct Rewrite<'a> {
    graph: &'a mut Graph,
    encodings: &'a Encodings,
    /// How many nodes are rewritten.
    forward: usize,
    /// By value: the same map, stored.
    twins: Vec<Option<Var>>,
    /// By value: whether some node makes it as it was recorded.
    real: Vec<bool>,
    /// By node: whether another took its place.
    dropped: Vec<bool>,
}

impl Rewrite<'_> {
    fn node(&mut self, id: NodeId, keep: &[Var]) -> Result<(), GraphError> {
        if self.dropped[id] {
            return Ok(());
        }
        let node = self.graph.nodes[id].clone();
        let (path, x) = (node.path.clone(), node.inputs.first().copied());
        match (&node.op, x) {
            (Op::Conv2d(conv), Some(_)) if conv.packed.is_none() => self.conv2d(id, conv),
            (Op::Linear(linear), Some(x)) => self.linear(id, linear, x),
            (Op::MaxPool(pool), Some(x)) => {
                let encoding = self.encoding(x, &path)?;
                let op = StoredMaxPool {
                    encoding,
                    window: pool.window,
                };
                self.replace(id, op.into(), &[x])?;
                self.give(1, node.outputs[1]);
                Ok(())
            }
            (Op::BatchNorm(norm), Some(x)) if self.encodings[x.index()] == BF16 => {
                self.batch_norm(id, norm, x)
            }
            (Op::AvgPool(pool), Some(x)) => {
                let op = StoredAvgPool {
                    encoding: self.encoding(x, &path)?,
                    window: pool.window,
                    count: pool.count,
                };
                self.replace(id, op.into(), &[x])
            }
            (Op::AdaptiveAvgPool(pool), Some(x)) => {
                let op = StoredAdaptiveAvgPool {
                    x: self.encoding(x, &path)?,
                    output: pool.output,
                };
                self.replace(id, op.into(), &[x])
            }
            (Op::Concat(_) | Op::Reshape(_), Some(_)) if self.passes_on(&node, keep) => {
                self.replace(id, node.op.clone(), &node.inputs)
            }
            _ => node.inputs.iter().try_for_each(|&var| self.real(var)),
        }
    }

    /// Whether operands and output of a node are kept alike.
    fn passes_on(&self, node: &Node, keep: &[Var]) -> bool {
        let output = self.encodings[node.outputs[0].index()];
        let alike = |var: &Var| self.encodings[var.index()] == output;
        output.is_some() && node.inputs.iter().all(alike) && !keep.contains(&node.outputs[0])
    }

    /// Lets output `i` of the last node be `var`, whose maker goes.
    fn give(&mut self, i: usize, var: Var) {
        let last = self.graph.nodes.last_mut().expect("a node was pushed");
        last.outputs[i] = var;
    }

    /// A node that differentiates: it reads the numbers that the forward pass computed with.
    fn backward(&mut self, id: NodeId) -> Result<(), GraphError> {
        self.by_pairs(id);
        let node = &self.graph.nodes[id];
        let x = node.inputs.first().copied();
        let stored = x.filter(|x| !self.real.get(x.index()).copied().unwrap_or(true));
        if let (Op::BatchNormBackward(_), Some(x)) = (&node.op, stored)
            && let Some(twin) = self.twins[x.index()]
        {
            self.graph.nodes[id].inputs[0] = twin;
        }
        let inputs = self.graph.nodes[id].inputs.clone();
        inputs.iter().try_for_each(|&var| self.real(var))
    }

    /// Takes the gradient of a convolution by products of pairs, where that is faster. The node
    /// keeps its place: one that makes the gradient of a weight, for which no other waits, must
    /// not come last.
    fn by_pairs(&mut self, id: NodeId) {
        let pays = |window, y, k| pairs_pay(Kernel::active(), window, y, k);
        let inputs = self.graph.nodes[id].inputs.iter();
        let shapes: SmallVec<[Shape; 6]> = inputs.map(|&var| self.graph.shape(var)).collect();
        let Node { op, inputs, .. } = &mut self.graph.nodes[id];
        match op {
            Op::Conv2dBackwardWeight(conv) => {
                if let Some(&Some(twin)) = self.twins.get(inputs[0].index()) {
                    conv.by_pairs = pays(&conv.method.window, shapes[1], conv.weight.w);
                    if conv.by_pairs {
                        inputs[0] = twin;
                    }
                }
            }
            Op::Conv2dBackwardInput(conv) => {
                let channels = shapes[..conv.banks].iter().map(|dy| dy.c).sum();
                let one_sum = conv.banks == 1 || conv.method.window.is_pointwise();
                conv.by_pairs = one_sum && pays(&conv.method.window, conv.input, channels);
            }
            _ => {}
        }
    }

    /// A normalisation by the batch's statistics, which are not rounded.
    fn batch_norm(&mut self, id: NodeId, norm: &BatchNorm, x: Var) -> Result<(), GraphError> {
        let node = self.graph.nodes[id].clone();
        let operands = [self.stored(x, &node.path)?, node.inputs[1], node.inputs[2]];
        let twin = self.graph.push(&node.path, norm.clone(), &operands)?[0];
        self.graph.values[twin.index()].dtype = DType::Bf16;
        self.give(1, node.outputs[1]);
        self.give(2, node.outputs[2]);
        self.made(id, node.outputs[0], twin);
        Ok(())
    }

    fn encoding(&self, var: Var, path: &str) -> Result<Encoding, GraphError> {
        self.encodings[var.index()].ok_or_else(|| GraphError::Operator {
            path: path.to_owned(),
            source: OpError::Setting {
                op: "store",
                detail: format!(
                    "no range was observed for operand {}",
                    self.graph.shape(var)
                ),
            },
        })
    }

    /// Records `op` on the stored `inputs` in the place of node `id`, whose first output it
    /// makes.
    fn replace(&mut self, id: NodeId, op: Op, inputs: &[Var]) -> Result<(), GraphError> {
        let (path, output) = (
            self.graph.nodes[id].path.clone(),
            self.graph.nodes[id].outputs[0],
        );
        let stored: SmallVec<[Var; 6]> = inputs
            .iter()
            .map(|&var| self.stored(var, &path))
            .collect::<Result<_, _>>()?;
        let twin = self.graph.push(&path, op, &stored)?[0];
        // Concatenations and reshapes pass on the type that they are given.
        if matches!(
            self.graph.nodes.last().map(|n| &n.op),
            Some(Op::Concat(_) | Op::Reshape(_))
        ) {
            self.graph.values[twin.index()].dtype = self.graph.value_of(stored[0]).dtype;
        }
        self.made(id, output, twin);
        Ok(())
    }

    /// Says that `twin` holds `output`, which node `id` made.
    fn made(&mut self, id: NodeId, output: Var, twin: Var) {
        self.twins[output.index()] = Some(twin);
        self.real[output.index()] = false;
        self.dropped[id] = true;
    }

    /// The stored form of a value.
    fn stored(&mut self, var: Var, path: &str) -> Result<Var, GraphError> {
        if let Some(twin) = self.twins[var.index()] {
            return Ok(twin);
        }
        let op = Store {
            encoding: self.encoding(var, path)?,
            border: [[0; 2]; 2],
        };
        let twin = self.graph.push_one(path, op, &[var])?;
        self.twins[var.index()] = Some(twin);
        Ok(twin)
    }

    /// Makes sure that some node makes a value as it was recorded.
    fn real(&mut self, var: Var) -> Result<(), GraphError> {
        let i = var.index();
        let (Some(&false), Some(twin)) = (self.real.get(i), self.twins.get(i).copied().flatten())
        else {
            return Ok(());
        };
        let path = match self.graph.producer(var) {
            Some(id) => self.graph.nodes[id].path.clone(),
            None => "".into(),
        };
        let encoding = self.encoding(var, &path)?;
        self.graph.push_one(&path, Load { encoding }, &[twin])?;
        self.give(0, var);
        self.real[i] = true;
        Ok(())
    }

    /// A convolution, with its siblings where they are pointwise.
    fn conv2d(&mut self, id: NodeId, conv: &Conv2d) -> Result<(), GraphError> {
        let node = self.graph.nodes[id].clone();
        let x = node.inputs[0];
        let mut ids: SmallVec<[NodeId; 4]> = smallvec![id];
        if conv.window.is_pointwise() {
            let siblings = (id + 1..self.forward).filter(|&other| {
                let found = &self.graph.nodes[other];
                found.inputs.first() == Some(&x)
                    && matches!(&found.op, Op::Conv2d(c) if c.packed.is_none()
                        && c.window.is_pointwise()
                        && c.activation == conv.activation)
            });
            ids.extend(siblings);
        }
        let encoding = self.encoding(x, &node.path)?;
        let filtered = encoding == Encoding::Bf16 && conv.algorithm == Algorithm::Winograd;
        let (y, k) = (self.graph.shape(node.outputs[0]), self.graph.shape(x).c);
        let tiles = || Taps::tiles(Kernel::active(), &conv.window, y, k);
        let (window, taps, operand) = match filtered.then(tiles).flatten() {
            Some(tiles) => (conv.window, tiles, self.stored(x, &node.path)?),
            None => self.input(&node.path, conv.window, x, encoding)?,
        };
        let mut operands: SmallVec<[Var; 6]> = smallvec![operand];
        let (mut banks, mut made) = (SmallVec::new(), Vec::new());
        for &id in &ids {
            let node = self.graph.nodes[id].clone();
            let of_banks = node.inputs[1..].chunks(1 + usize::from(has_bias(&node.op)));
            for (own, &output) in of_banks.zip(&node.outputs) {
                let y = self.output(encoding, output, &node.path)?;
                operands.extend(self.pack(&node.path, encoding, y, taps, own)?);
                banks.push(StoredBank {
                    weight: self.graph.shape(own[0]),
                    y: Some(y),
                });
                made.push((id, output));
            }
        }
        let op = StoredConv2d {
            x: encoding,
            window,
            taps,
            activation: conv.activation,
            banks,
        };
        let twins = self.graph.push(&node.path, op, &operands)?;
        for ((id, output), twin) in made.into_iter().zip(twins) {
            self.made(id, output, twin);
        }
        Ok(())
    }

    /// How a convolution writes `y`: in the type of its input.
    fn output(&self, x: Encoding, y: Var, path: &str) -> Result<Encoding, GraphError> {
        match x {
            Encoding::Bf16 => Ok(Encoding::Bf16),
            Encoding::Int8(_) => self.encoding(y, path),
        }
    }

    /// The map that a convolution reads: an image with its border, in lines, where the window
    /// is wide.
    fn input(
        &mut self,
        path: &str,
        window: Window,
        x: Var,
        encoding: Encoding,
    ) -> Result<(Window, Taps, Var), GraphError> {
        let is_image =
            self.graph.value_of(x).source == Source::Input && self.graph.shape(x).c <= FEW_CHANNELS;
        let fits =
            window.kernel[1] > 1 && window.dilation == [1, 1] && window.rounding == Rounding::Floor;
        if !(is_image && fits) {
            return Ok((window, Taps::Pixels, self.stored(x, path)?));
        }
        let border = window.padding;
        let twin = self
            .graph
            .push_one(path, Store { encoding, border }, &[x])?;
        let window = Window {
            padding: [[0; 2]; 2],
            ..window
        };
        Ok((window, Taps::Lines, twin))
    }

    fn pack(
        &mut self,
        path: &str,
        x: Encoding,
        y: Encoding,
        taps: Taps,
        operands: &[Var],
    ) -> Result<SmallVec<[Var; 3]>, GraphError> {
        let op = PackStored {
            x,
            y: y.scale(),
            taps,
            bias: operands.len() > 1,
        };
        self.graph.push(path, op, operands)
    }

    /// A fully connected layer: a pointwise convolution whose results are not rounded.
    fn linear(&mut self, id: NodeId, linear: &Linear, x: Var) -> Result<(), GraphError> {
        let node = self.graph.nodes[id].clone();
        let encoding = self.encoding(x, &node.path)?;
        let mut operands: SmallVec<[Var; 6]> = smallvec![self.stored(x, &node.path)?];
        let op = PackStored {
            x: encoding,
            y: inception_ops::stored::Scale::ONE,
            taps: Taps::Pixels,
            bias: linear.bias,
        };
        operands.extend(self.graph.push(&node.path, op, &node.inputs[1..])?);
        let weight: Shape = self.graph.shape(node.inputs[1]);
        let op = StoredConv2d {
            x: encoding,
            window: Window::square(1),
            taps: Taps::Pixels,
            activation: linear.activation,
            banks: smallvec![StoredBank { weight, y: None }],
        };
        self.graph.push_one(&node.path, op, &operands)?;
        self.give(0, node.outputs[0]);
        self.dropped[id] = true;
        Ok(())
    }
}
