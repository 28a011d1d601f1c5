//! The graph: values, the nodes that make them, and where each was recorded.

use crate::error::GraphError;
use crate::operator::Op;
use inception_tensor::Shape;
use smallvec::SmallVec;
use std::sync::Arc;

/// A value of a [`Graph`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Var(pub(crate) u32);

impl Var {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A node of a [`Graph`]: its place in [`Graph::nodes`].
pub type NodeId = usize;

/// A parameter's place in the table of whoever owns the parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ParamId(pub u32);

impl ParamId {
    /// The place as an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a value's numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DType {
    /// The plan's element type, `f32` or `f64`.
    Real,
    /// [`Bf16`](inception_tensor::Bf16), whatever the plan's element type.
    Bf16,
    /// Bytes that count the steps of a [`Scale`](inception_ops::stored::Scale).
    Int8,
    /// Bytes: places in a pooling window, packed weights.
    U8,
    /// Class labels.
    U32,
}

impl DType {
    /// Whether values of the type are maps, with pixels at a distance.
    pub(crate) fn is_map(self) -> bool {
        matches!(self, Self::Real | Self::Bf16 | Self::Int8)
    }

    /// Bytes of a number, where a number of the plan's element type has `element`.
    pub fn bytes(self, element: usize) -> usize {
        match self {
            Self::Real => element,
            Self::Bf16 => 2,
            Self::Int8 | Self::U8 => 1,
            Self::U32 => 4,
        }
    }
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The caller writes it before each run.
    Input,
    /// A parameter.
    Param(ParamId),
    /// Output `.1` of node `.0`.
    Node(NodeId, usize),
    /// Nothing any more: a pass has fused it away.
    Gone,
}

/// Shape, type and origin of a value.
#[derive(Clone, Debug)]
pub struct Value {
    /// Extent.
    pub shape: Shape,
    /// Type of its numbers.
    pub dtype: DType,
    /// Origin.
    pub source: Source,
}

/// An operator applied to values.
#[derive(Clone, Debug)]
pub struct Node {
    /// What is computed.
    pub op: Op,
    /// Operands, in the operator's order.
    pub inputs: SmallVec<[Var; 6]>,
    /// Results, in the operator's order.
    pub outputs: SmallVec<[Var; 3]>,
    /// Path of the module that recorded it, as in a state dict: `inception3a.branch2.1`.
    pub path: Arc<str>,
}

/// A parameter's next value, which the caller stores after a run: running statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Update {
    /// The parameter.
    pub param: ParamId,
    /// What it becomes.
    pub value: Var,
}

/// Operators recorded in an order in which they can run.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    pub(crate) values: Vec<Value>,
    pub(crate) nodes: Vec<Node>,
    updates: Vec<Update>,
    params: Vec<Option<Var>>,
}

impl Graph {
    /// An empty graph.
    pub fn new() -> Self {
        Self::default()
    }

    /// A value that the caller writes before each run: images as [`DType::Real`], labels
    /// `[n, 1, 1, 1]` as [`DType::U32`].
    pub fn input(&mut self, shape: Shape, dtype: DType) -> Var {
        self.value(shape, dtype, Source::Input)
    }

    /// A parameter; the same `id` gives the same value.
    ///
    /// # Panics
    /// When `id` was recorded with another shape.
    pub fn param(&mut self, id: ParamId, shape: Shape) -> Var {
        if self.params.len() <= id.index() {
            self.params.resize(id.index() + 1, None);
        }
        if let Some(var) = self.params[id.index()] {
            assert_eq!(self.shape(var), shape, "{id:?} has one shape");
            return var;
        }
        let var = self.value(shape, DType::Real, Source::Param(id));
        self.params[id.index()] = Some(var);
        var
    }

    /// The value of a parameter, where it was recorded.
    pub fn find_param(&self, id: ParamId) -> Option<Var> {
        self.params.get(id.index()).copied().flatten()
    }

    /// Records `op` on `inputs` and returns its outputs.
    ///
    /// # Errors
    /// When the operator refuses the operands; the error names `path`, the operator and the
    /// shapes.
    pub fn push(
        &mut self,
        path: &str,
        op: impl Into<Op>,
        inputs: &[Var],
    ) -> Result<SmallVec<[Var; 3]>, GraphError> {
        let op = op.into();
        let shapes: SmallVec<[Shape; 8]> = inputs.iter().map(|&v| self.shape(v)).collect();
        let outputs = op
            .operator()
            .infer(&shapes)
            .map_err(|source| GraphError::Operator {
                path: path.to_owned(),
                source,
            })?;
        let node = self.nodes.len();
        let outputs: SmallVec<[Var; 3]> = outputs
            .into_iter()
            .enumerate()
            .map(|(i, out)| self.value(out.shape, out.dtype, Source::Node(node, i)))
            .collect();
        self.nodes.push(Node {
            op,
            inputs: inputs.into(),
            outputs: outputs.clone(),
            path: path.into(),
        });
        Ok(outputs)
    }

    /// Records an operator that has one output.
    ///
    /// # Errors
    /// As [`Graph::push`].
    pub fn push_one(
        &mut self,
        path: &str,
        op: impl Into<Op>,
        inputs: &[Var],
    ) -> Result<Var, GraphError> {
        Ok(self.push(path, op, inputs)?[0])
    }

    /// Says that `param` becomes `value` after a run.
    pub fn update(&mut self, param: ParamId, value: Var) {
        self.updates.push(Update { param, value });
    }

    /// What the caller stores after a run.
    pub fn updates(&self) -> &[Update] {
        &self.updates
    }

    /// Everything about a value.
    pub fn value_of(&self, var: Var) -> &Value {
        &self.values[var.index()]
    }

    /// The shape of a value.
    pub fn shape(&self, var: Var) -> Shape {
        self.values[var.index()].shape
    }

    /// The nodes, in an order in which they can run.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node that makes `var`, if one does.
    pub fn producer(&self, var: Var) -> Option<NodeId> {
        match self.values[var.index()].source {
            Source::Node(node, _) => Some(node),
            _ => None,
        }
    }

    /// All parameters recorded, with their values.
    pub fn params(&self) -> impl Iterator<Item = (ParamId, Var)> + '_ {
        self.params
            .iter()
            .enumerate()
            .filter_map(|(i, var)| var.map(|v| (ParamId(i as u32), v)))
    }

    /// Multiply-adds of a node.
    pub fn macs(&self, node: NodeId) -> u64 {
        let node = &self.nodes[node];
        node.op
            .operator()
            .macs(&self.shapes(&node.inputs), &self.shapes(&node.outputs))
    }

    /// The nodes that read each value, by value.
    pub(crate) fn consumers(&self) -> Vec<SmallVec<[NodeId; 4]>> {
        let mut consumers = vec![SmallVec::new(); self.values.len()];
        for (id, node) in self.nodes.iter().enumerate() {
            for var in &node.inputs {
                consumers[var.index()].push(id);
            }
        }
        consumers
    }

    pub(crate) fn shapes(&self, vars: &[Var]) -> SmallVec<[Shape; 8]> {
        vars.iter().map(|&v| self.shape(v)).collect()
    }

    fn value(&mut self, shape: Shape, dtype: DType, source: Source) -> Var {
        let var = Var(u32::try_from(self.values.len()).expect("fewer than 2³² values"));
        self.values.push(Value {
            shape,
            dtype,
            source,
        });
        var
    }

    /// Drops the nodes that `keep` refuses, puts the rest into an order in which they can
    /// run (as near to the old one as possible), and makes every value's source agree.
    pub(crate) fn rebuild(&mut self, keep: impl Fn(NodeId) -> bool) {
        let order = self.runnable_order(keep);
        for value in &mut self.values {
            if matches!(value.source, Source::Node(..)) {
                value.source = Source::Gone;
            }
        }
        let mut old: Vec<Option<Node>> = std::mem::take(&mut self.nodes)
            .into_iter()
            .map(Some)
            .collect();
        for id in order {
            let node = old[id].take().expect("each node is placed once");
            for (i, var) in node.outputs.iter().enumerate() {
                self.values[var.index()].source = Source::Node(self.nodes.len(), i);
            }
            self.nodes.push(node);
        }
    }

    /// The kept nodes in their order, each after the nodes that make its operands.
    fn runnable_order(&self, keep: impl Fn(NodeId) -> bool) -> Vec<NodeId> {
        let kept: Vec<NodeId> = (0..self.nodes.len()).filter(|&id| keep(id)).collect();
        let mut maker = vec![None; self.values.len()];
        for &id in &kept {
            for var in &self.nodes[id].outputs {
                maker[var.index()] = Some(id);
            }
        }
        let mut order = Vec::with_capacity(kept.len());
        let mut placed = vec![false; self.nodes.len()];
        let mut waiting = Vec::new();
        for id in kept {
            waiting.push(id);
            while let Some(&id) = waiting.last() {
                let mut makers = self.nodes[id]
                    .inputs
                    .iter()
                    .filter_map(|v| maker[v.index()]);
                match makers.find(|&from| !placed[from]) {
                    Some(from) => {
                        assert!(waiting.len() <= self.nodes.len(), "a graph has no cycles");
                        waiting.push(from);
                    }
                    None => {
                        waiting.pop();
                        if !std::mem::replace(&mut placed[id], true) {
                            order.push(id);
                        }
                    }
                }
            }
        }
        order
    }
}
