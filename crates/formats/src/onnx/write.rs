//! From a model to bytes.

use super::proto::{attribute, entry, graph, model, node, number, opset, tensor, value};
use super::{OnnxAttribute, OnnxDim, OnnxModel, OnnxNode, OnnxTensor, OnnxValue};
use crate::wire::Writer;

pub(super) fn write(from: &OnnxModel) -> Vec<u8> {
    let mut out = Writer::default();
    out.int(model::IR_VERSION, from.ir_version);
    out.text(model::PRODUCER, &from.producer);
    out.text(model::PRODUCER_VERSION, env!("CARGO_PKG_VERSION"));
    out.message(model::GRAPH, |out| write_graph(out, from));
    out.message(model::OPSET, |out| {
        out.text(opset::DOMAIN, "");
        out.int(opset::VERSION, from.opset);
    });
    for (key, text) in &from.metadata {
        out.message(model::METADATA, |out| {
            out.text(entry::KEY, key);
            out.text(entry::VALUE, text);
        });
    }
    out.finish()
}

fn write_graph(out: &mut Writer, from: &OnnxModel) {
    for node in &from.nodes {
        out.message(graph::NODE, |out| write_node(out, node));
    }
    out.text(graph::NAME, &from.name);
    for (name, tensor) in &from.initializers {
        out.message(graph::INITIALIZER, |out| write_tensor(out, name, tensor));
    }
    for input in &from.inputs {
        out.message(graph::INPUT, |out| write_value(out, input));
    }
    for output in &from.outputs {
        out.message(graph::OUTPUT, |out| write_value(out, output));
    }
}

fn write_node(out: &mut Writer, from: &OnnxNode) {
    for name in &from.inputs {
        out.text(node::INPUT, name);
    }
    for name in &from.outputs {
        out.text(node::OUTPUT, name);
    }
    out.text(node::NAME, &from.name);
    out.text(node::OP_TYPE, &from.op);
    if !from.domain.is_empty() {
        out.text(node::DOMAIN, &from.domain);
    }
    for (name, setting) in &from.attributes {
        out.message(node::ATTRIBUTE, |out| {
            out.text(attribute::NAME, name);
            write_setting(out, setting);
        });
    }
}

fn write_setting(out: &mut Writer, setting: &OnnxAttribute) {
    let kind = match setting {
        OnnxAttribute::Float(x) => {
            out.float(attribute::FLOAT, *x);
            attribute::TYPE_FLOAT
        }
        OnnxAttribute::Int(n) => {
            out.int(attribute::INT, *n);
            attribute::TYPE_INT
        }
        OnnxAttribute::Text(text) => {
            out.text(attribute::TEXT, text);
            attribute::TYPE_TEXT
        }
        OnnxAttribute::Tensor(tensor) => {
            out.message(attribute::TENSOR, |out| write_tensor(out, "", tensor));
            attribute::TYPE_TENSOR
        }
        OnnxAttribute::Floats(all) => {
            all.iter().for_each(|&x| out.float(attribute::FLOATS, x));
            attribute::TYPE_FLOATS
        }
        OnnxAttribute::Ints(all) => {
            all.iter().for_each(|&n| out.int(attribute::INTS, n));
            attribute::TYPE_INTS
        }
        OnnxAttribute::Other => return,
    };
    out.int(attribute::TYPE, kind);
}

fn write_tensor(out: &mut Writer, name: &str, from: &OnnxTensor) {
    let dims: Vec<i64> = from.shape.iter().map(|&d| d as i64).collect();
    if !dims.is_empty() {
        out.packed(tensor::DIMS, &dims);
    }
    out.int(tensor::DATA_TYPE, number(from.dtype));
    out.text(tensor::NAME, name);
    out.bytes(tensor::RAW_DATA, &from.bytes);
}

fn write_value(out: &mut Writer, from: &OnnxValue) {
    out.text(value::NAME, &from.name);
    out.message(value::TYPE, |out| {
        out.message(value::TENSOR_TYPE, |out| {
            out.int(value::ELEM_TYPE, from.dtype.map_or(0, number));
            out.message(value::SHAPE, |out| {
                for dim in &from.shape {
                    out.message(value::DIM, |out| match dim {
                        OnnxDim::Fixed(n) => out.int(value::DIM_VALUE, *n as i64),
                        OnnxDim::Any(name) => out.text(value::DIM_PARAM, name),
                    });
                }
            });
        });
    });
}
