//! Layers, shapes, parameters, multiply-adds and memory of a model: walks over its graph.

use crate::{EvalProgram, Mode, Model, NnError, TrainConfig, TrainProgram};
use inception_autograd::{Graph, Node, NodeId, Passes, Source};
use inception_tensor::Shape;
use std::collections::HashSet;

/// What is summarised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SummaryConfig {
    /// Images in a batch.
    pub batch_size: usize,
    /// Inference, or a whole training step.
    pub mode: Mode,
    /// The passes of the program whose memory is told.
    pub passes: Passes,
}

impl Default for SummaryConfig {
    fn default() -> Self {
        Self {
            batch_size: 1,
            mode: Mode::Eval,
            passes: Passes::INFERENCE,
        }
    }
}

/// An operator of the forward pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerRow {
    /// Path of the module that recorded it.
    pub path: String,
    /// The operator.
    pub op: &'static str,
    /// Its output, for the whole batch.
    pub output: Shape,
    /// How many numbers of it are trained.
    pub params: u64,
    /// Multiply-adds for one image.
    pub macs: u64,
}

/// A child of the model: the sum of its operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleRow {
    /// Its path: `inception3a`.
    pub path: String,
    /// The output of its last operator, for the whole batch.
    pub output: Shape,
    /// How many numbers of it are trained.
    pub params: u64,
    /// Multiply-adds for one image.
    pub macs: u64,
}

/// A model in figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The model.
    pub model: &'static str,
    /// How many numbers are trained, without auxiliary classifiers.
    pub params: u64,
    /// How many numbers of auxiliary classifiers are trained.
    pub params_aux: u64,
    /// Multiply-adds of convolutions and linear layers for one image, without auxiliary
    /// classifiers.
    pub macs: u64,
    /// Bytes of all outputs in `layers`, in `f32`: what a program that keeps every
    /// activation needs.
    pub activation_bytes: u64,
    /// Bytes that the plan of the program needs, in `f32`: a whole training step or
    /// inference, without parameters.
    pub arena_bytes: u64,
    /// Each operator of the forward pass.
    pub layers: Vec<LayerRow>,
}

impl Summary {
    /// Summarises `model`.
    ///
    /// # Errors
    /// When the batch is empty or does not fit the model.
    pub fn of(model: &Model, config: &SummaryConfig) -> Result<Self, NnError> {
        let (batch, mode) = (config.batch_size, config.mode);
        let arena_bytes = match mode {
            Mode::Train => {
                let config = TrainConfig {
                    batch_size: batch,
                    passes: config.passes,
                    ..TrainConfig::default()
                };
                TrainProgram::record(model, &config)?
                    .compile::<f32>()
                    .arena_bytes()
            }
            Mode::Eval => {
                let program = EvalProgram::record(model, batch, config.passes)?;
                program.compile::<f32>().arena_bytes()
            }
        };
        let mut graph = Graph::new();
        let images = model.images(&mut graph, batch);
        model.forward(images, &mut model.context(&mut graph, mode))?;
        let layers = layers(model, &graph, batch as u64);
        let specs = model.specs();
        let main = layers.iter().filter(|row| !specs.is_aux(&row.path));
        Ok(Self {
            model: model.name(),
            params: specs.trainable(),
            params_aux: specs.trainable_aux(),
            macs: main.map(|row| row.macs).sum(),
            activation_bytes: graph.nodes().iter().map(|n| output_bytes(&graph, n)).sum(),
            arena_bytes: arena_bytes as u64,
            layers,
        })
    }

    /// Floating-point operations for one image: a multiply-add is two.
    pub fn flops(&self) -> u64 {
        2 * self.macs
    }

    /// The sums over the children of the model, in the order of the forward pass.
    pub fn modules(&self) -> Vec<ModuleRow> {
        let mut modules: Vec<ModuleRow> = Vec::new();
        for row in &self.layers {
            let path = row.path.split('.').next().unwrap_or_default();
            let found = modules.iter().position(|m| m.path == path);
            let module = match found {
                Some(place) => &mut modules[place],
                None => {
                    modules.push(ModuleRow {
                        path: path.to_owned(),
                        output: row.output,
                        params: 0,
                        macs: 0,
                    });
                    modules.last_mut().expect("a row was pushed")
                }
            };
            module.output = row.output;
            module.params += row.params;
            module.macs += row.macs;
        }
        modules
    }
}

/// One row for each operator; a parameter counts where it is first read.
fn layers(model: &Model, graph: &Graph, batch: u64) -> Vec<LayerRow> {
    let mut counted = HashSet::new();
    let mut row = |(id, node): (NodeId, &Node)| {
        let mut params = 0;
        for &var in &node.inputs {
            let value = graph.value_of(var);
            let Source::Param(param) = value.source else {
                continue;
            };
            if model.specs().get(param).role.is_trainable() && counted.insert(param) {
                params += value.shape.len() as u64;
            }
        }
        LayerRow {
            path: node.path.to_string(),
            op: node.op.operator().name(),
            output: graph.shape(node.outputs[0]),
            params,
            macs: graph.macs(id) / batch,
        }
    };
    let nodes = graph.nodes().iter().enumerate();
    // Running statistics and constants are no layers.
    let nodes = nodes.filter(|(_, node)| {
        let op = node.op.operator().name();
        !matches!(op, "batch_norm_update" | "fill")
    });
    nodes.map(&mut row).collect()
}

fn output_bytes(graph: &Graph, node: &Node) -> u64 {
    let bytes = |&var: &inception_autograd::Var| {
        let value = graph.value_of(var);
        value.shape.len() as u64 * value.dtype.bytes(4) as u64
    };
    node.outputs.first().map_or(0, bytes)
}
