//! Which function reads which node, and how settings are read.

use super::{Feature, Form, ImportError, Importer, Value};
use inception_formats::{OnnxAttribute, OnnxNode};

/// Every operator that is understood.
pub(super) const NAMES: &[&str] = &[
    "Add",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "Clip",
    "Concat",
    "Constant",
    "ConstantOfShape",
    "Conv",
    "Div",
    "Dropout",
    "Flatten",
    "Gather",
    "Gemm",
    "GlobalAveragePool",
    "Identity",
    "LRN",
    "LogSoftmax",
    "MatMul",
    "MaxPool",
    "Mul",
    "Pad",
    "ReduceMean",
    "Relu",
    "Reshape",
    "Shape",
    "Slice",
    "Softmax",
    "Squeeze",
    "Sub",
    "Sum",
    "Unsqueeze",
];

impl<'m> Importer<'m> {
    /// Reads one node.
    pub(super) fn node(&mut self, node: &'m OnnxNode) -> Result<(), ImportError> {
        match node.op.as_str() {
            "Add" | "Sub" | "Mul" | "Div" => self.binary(node),
            "Sum" => self.sum(node),
            "AveragePool" => self.average_pool(node),
            "BatchNormalization" => self.batch_norm(node),
            "Cast" | "Identity" => {
                let value = self.value(node, 0)?;
                self.give(node, value)
            }
            "Clip" | "Relu" => self.relu(node),
            "Concat" => self.concat(node),
            "Constant" => self.constant_node(node),
            "ConstantOfShape" => self.constant_of_shape(node),
            "Conv" => self.conv(node),
            "Dropout" => self.dropout(node),
            "Flatten" => self.flatten(node),
            "Gather" => self.gather(node),
            "Gemm" => self.gemm(node),
            "GlobalAveragePool" => self.global_average_pool(node),
            "LRN" => self.lrn(node),
            "LogSoftmax" | "Softmax" => self.softmax(node),
            "MatMul" => self.mat_mul(node),
            "MaxPool" => self.max_pool(node),
            "Pad" => self.pad(node),
            "ReduceMean" => self.reduce_mean(node),
            "Reshape" => self.reshape(node),
            "Shape" => self.shape(node),
            "Slice" => self.slice(node),
            "Squeeze" => self.squeeze(node),
            "Unsqueeze" => self.unsqueeze(node),
            _ => Err(ImportError::Unsupported(vec![node.op.clone()])),
        }
    }

    /// `max(x, 0)`, which some exporters write as a clip.
    fn relu(&mut self, node: &'m OnnxNode) -> Result<(), ImportError> {
        if node.op == "Clip" {
            let bound = |i: usize, name: &str| -> Result<Option<f32>, ImportError> {
                Ok(match self.optional(node, i)? {
                    Some(Value::Constant(bound)) => bound.scalar(),
                    Some(Value::Feature(_)) => Some(f32::NAN),
                    None => self
                        .setting(node, name)
                        .map_or(Ok(None), |setting| match setting {
                            OnnxAttribute::Float(x) => Ok(Some(*x)),
                            _ => Err(self.fault(node, format!("expected a number as {name}"))),
                        })?,
                })
            };
            let (least, most) = (bound(1, "min")?, bound(2, "max")?);
            if least != Some(0.0) || most.is_some_and(|most| most < f32::MAX) {
                let message =
                    format!("expected a clip from 0 to infinity, found {least:?} to {most:?}");
                return Err(self.fault(node, message));
            }
        }
        let Feature { var, form } = self.feature(node, 0)?;
        let var = self.graph.relu(Self::path(node), var)?;
        self.at_least_zero.insert(var);
        self.give(node, Value::Feature(Feature { var, form }))
    }

    /// Nothing is dropped in inference.
    fn dropout(&mut self, node: &'m OnnxNode) -> Result<(), ImportError> {
        if let Some(Value::Constant(training)) = self.optional(node, 2)?
            && training.scalar().is_some_and(|t| t != 0.0)
        {
            return Err(self.fault(
                node,
                "expected a graph for inference, found dropout for training",
            ));
        }
        let value = self.value(node, 0)?;
        self.give(node, value)
    }

    /// Probabilities; where they are the graph's output, the model ends in what they are of.
    fn softmax(&mut self, node: &'m OnnxNode) -> Result<(), ImportError> {
        let logits = self.feature(node, 0)?;
        let shape = self.graph.shape(logits.var);
        let rank: i64 = match logits.form {
            Form::Map => 4,
            Form::Flat { .. } => 2,
            Form::Plane => 3,
        };
        // Before version 13 everything from the axis on was one vector.
        let default = if self.from.opset < 13 { 1 } else { -1 };
        let axis = self.int(node, "axis", default)?;
        let axis = if axis < 0 { axis + rank } else { axis };
        if axis != 1 || [shape.h, shape.w] != [1, 1] {
            let message =
                format!("expected one over the classes, found axis {axis} of rank {rank}");
            return Err(self.fault(node, message));
        }
        let var = match node.op.as_str() {
            "Softmax" => self.graph.softmax(Self::path(node), logits.var)?,
            // The model ends in logits, so nothing has to be computed for their logarithm.
            _ => logits.var,
        };
        self.logits_of.insert(var, logits);
        let form = logits.form;
        self.give(node, Value::Feature(Feature { var, form }))
    }

    pub(super) fn setting(&self, node: &'m OnnxNode, name: &str) -> Option<&'m OnnxAttribute> {
        node.attributes.get(name)
    }

    fn wrong(&self, node: &OnnxNode, name: &str, expected: &str) -> ImportError {
        self.fault(
            node,
            format!("expected {expected} as {name}, found another type"),
        )
    }

    pub(super) fn int(&self, node: &'m OnnxNode, name: &str, or: i64) -> Result<i64, ImportError> {
        match self.setting(node, name) {
            None => Ok(or),
            Some(OnnxAttribute::Int(n)) => Ok(*n),
            Some(_) => Err(self.wrong(node, name, "a whole number")),
        }
    }

    pub(super) fn float(
        &self,
        node: &'m OnnxNode,
        name: &str,
        or: f32,
    ) -> Result<f32, ImportError> {
        match self.setting(node, name) {
            None => Ok(or),
            Some(OnnxAttribute::Float(x)) => Ok(*x),
            Some(_) => Err(self.wrong(node, name, "a number")),
        }
    }

    pub(super) fn text(&self, node: &'m OnnxNode, name: &str) -> Result<&'m str, ImportError> {
        match self.setting(node, name) {
            None => Ok(""),
            Some(OnnxAttribute::Text(text)) => Ok(text),
            Some(_) => Err(self.wrong(node, name, "a text")),
        }
    }

    pub(super) fn ints(
        &self,
        node: &'m OnnxNode,
        name: &str,
    ) -> Result<Option<&'m [i64]>, ImportError> {
        match self.setting(node, name) {
            None => Ok(None),
            Some(OnnxAttribute::Ints(all)) => Ok(Some(all)),
            Some(_) => Err(self.wrong(node, name, "whole numbers")),
        }
    }

    /// Axes, which newer versions give as an input and older ones as a setting.
    pub(super) fn axes(
        &self,
        node: &'m OnnxNode,
        input: usize,
    ) -> Result<Option<Vec<i64>>, ImportError> {
        match self.optional(node, input)? {
            None => Ok(self.ints(node, "axes")?.map(<[i64]>::to_vec)),
            Some(Value::Constant(axes)) => match axes.ints() {
                Some(axes) => Ok(Some(axes.to_vec())),
                None => Err(self.fault(node, "expected whole numbers as axes")),
            },
            Some(Value::Feature(_)) => Err(self.fault(node, "expected constant axes")),
        }
    }
}
