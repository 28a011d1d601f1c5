//! Differentiation: the backward operators, appended to the graph.

use crate::error::GraphError;
use crate::graph::{Graph, Node, Source, Var};
use crate::operator::Op;
use crate::operators::{Fill, Sum};
use inception_ops::Activation;
use smallvec::{SmallVec, smallvec};

/// Where the gradient of each value that was asked for is found.
#[derive(Clone, Debug, Default)]
pub struct Gradients {
    grads: Vec<Option<Var>>,
}

impl Gradients {
    /// The gradient of `var`; `None` when the loss does not depend on it.
    pub fn get(&self, var: Var) -> Option<Var> {
        self.grads.get(var.index()).copied().flatten()
    }
}

/// The graph under differentiation, as an operator sees it.
#[derive(Debug)]
pub struct Tape<'a> {
    graph: &'a mut Graph,
    /// By value: whether a gradient asked for flows through it.
    needed: &'a [bool],
}

impl Tape<'_> {
    /// Whether anybody asks for the gradient of `var`.
    pub fn needs(&self, var: Var) -> bool {
        self.needed[var.index()]
    }

    /// The graph.
    pub fn graph(&self) -> &Graph {
        self.graph
    }

    /// Records a backward operator under the path of the forward one.
    ///
    /// # Errors
    /// When the operator refuses its operands.
    pub fn push(
        &mut self,
        node: &Node,
        op: impl Into<Op>,
        inputs: &[Var],
    ) -> Result<SmallVec<[Var; 3]>, GraphError> {
        self.graph.push(&node.path, op, inputs)
    }

    /// Records a backward operator that has one output.
    ///
    /// # Errors
    /// When the operator refuses its operands.
    pub fn push_one(
        &mut self,
        node: &Node,
        op: impl Into<Op>,
        inputs: &[Var],
    ) -> Result<Var, GraphError> {
        self.graph.push_one(&node.path, op, inputs)
    }
}

/// Appends to `graph` what computes d`loss`/d`v` for every `v` of `wrt`.
///
/// Contributions to a gradient are added in the reverse order of the nodes that read the
/// value, which depends on the graph alone.
///
/// # Errors
/// When `loss` is no scalar, or it depends on a value of `wrt` through an operator that has
/// no derivative.
pub fn differentiate(graph: &mut Graph, loss: Var, wrt: &[Var]) -> Result<Gradients, GraphError> {
    let shape = graph.shape(loss);
    if shape.len() != 1 {
        return Err(GraphError::LossShape { shape });
    }
    let needed = dependents(graph, wrt);
    let mut parts: Vec<SmallVec<[Var; 4]>> = vec![SmallVec::new(); graph.values.len()];
    let mut grads: Vec<Option<Var>> = vec![None; graph.values.len()];
    if !needed[loss.index()] {
        return Ok(Gradients { grads });
    }
    let one = Fill { shape, value: 1.0 };
    parts[loss.index()].push(graph.push_one("loss", one, &[])?);
    let forward = graph.nodes.len() - 1;
    for id in (0..forward).rev() {
        let node = graph.nodes[id].clone();
        if !node.inputs.iter().any(|v| needed[v.index()]) {
            continue;
        }
        let mut out_grads: SmallVec<[Option<Var>; 3]> = smallvec![];
        for out in &node.outputs {
            let sum = gather(graph, &node, &parts[out.index()])?;
            grads[out.index()] = sum;
            out_grads.push(sum);
        }
        if out_grads.iter().all(Option::is_none) {
            continue;
        }
        let mut tape = Tape {
            graph,
            needed: &needed,
        };
        let in_grads = node
            .op
            .operator()
            .differentiate(&mut tape, &node, &out_grads)?;
        assert_eq!(
            in_grads.len(),
            node.inputs.len(),
            "{}",
            node.op.operator().name()
        );
        for (var, grad) in node.inputs.iter().zip(in_grads) {
            if let (Some(grad), true) = (grad, needed[var.index()]) {
                parts[var.index()].push(grad);
            }
        }
    }
    for i in 0..grads.len() {
        if !matches!(graph.values[i].source, Source::Node(..)) && !parts[i].is_empty() {
            let sum = sum_of(graph, "gradient", &parts[i])?;
            grads[i] = Some(sum);
        }
    }
    Ok(Gradients { grads })
}

/// By value: whether it is one of `wrt` or depends on one.
fn dependents(graph: &Graph, wrt: &[Var]) -> Vec<bool> {
    let mut needed = vec![false; graph.values.len()];
    for var in wrt {
        needed[var.index()] = true;
    }
    for node in &graph.nodes {
        if node.inputs.iter().any(|v| needed[v.index()]) {
            for out in &node.outputs {
                needed[out.index()] = true;
            }
        }
    }
    needed
}

fn gather(graph: &mut Graph, node: &Node, parts: &[Var]) -> Result<Option<Var>, GraphError> {
    if parts.is_empty() {
        return Ok(None);
    }
    sum_of(graph, &node.path, parts).map(Some)
}

fn sum_of(graph: &mut Graph, path: &str, parts: &[Var]) -> Result<Var, GraphError> {
    if let [only] = parts {
        return Ok(*only);
    }
    let sum = Sum {
        scales: smallvec![1.0; parts.len()],
        activation: Activation::None,
    };
    graph.push_one(path, sum, parts)
}
