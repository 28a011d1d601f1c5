//! Numbers of the format.
//!
//! # Sources
//! `onnx/onnx.proto` of <https://github.com/onnx/onnx>, version 1.23.

use inception_store::Dtype;

/// Fields of `ModelProto`.
pub(super) mod model {
    pub(crate) const IR_VERSION: u64 = 1;
    pub(crate) const PRODUCER: u64 = 2;
    pub(crate) const PRODUCER_VERSION: u64 = 3;
    pub(crate) const GRAPH: u64 = 7;
    pub(crate) const OPSET: u64 = 8;
    pub(crate) const METADATA: u64 = 14;
}

/// Fields of `OperatorSetIdProto`.
pub(super) mod opset {
    pub(crate) const DOMAIN: u64 = 1;
    pub(crate) const VERSION: u64 = 2;
}

/// Fields of `StringStringEntryProto`.
pub(super) mod entry {
    pub(crate) const KEY: u64 = 1;
    pub(crate) const VALUE: u64 = 2;
}

/// Fields of `GraphProto`.
pub(super) mod graph {
    pub(crate) const NODE: u64 = 1;
    pub(crate) const NAME: u64 = 2;
    pub(crate) const INITIALIZER: u64 = 5;
    pub(crate) const INPUT: u64 = 11;
    pub(crate) const OUTPUT: u64 = 12;
    pub(crate) const SPARSE_INITIALIZER: u64 = 15;
}

/// Fields of `NodeProto`.
pub(super) mod node {
    pub(crate) const INPUT: u64 = 1;
    pub(crate) const OUTPUT: u64 = 2;
    pub(crate) const NAME: u64 = 3;
    pub(crate) const OP_TYPE: u64 = 4;
    pub(crate) const ATTRIBUTE: u64 = 5;
    pub(crate) const DOMAIN: u64 = 7;
}

/// Fields of `AttributeProto`, and values of its `type`.
pub(super) mod attribute {
    pub(crate) const NAME: u64 = 1;
    pub(crate) const FLOAT: u64 = 2;
    pub(crate) const INT: u64 = 3;
    pub(crate) const TEXT: u64 = 4;
    pub(crate) const TENSOR: u64 = 5;
    pub(crate) const FLOATS: u64 = 7;
    pub(crate) const INTS: u64 = 8;
    pub(crate) const TYPE: u64 = 20;
    pub(crate) const TYPE_FLOAT: i64 = 1;
    pub(crate) const TYPE_INT: i64 = 2;
    pub(crate) const TYPE_TEXT: i64 = 3;
    pub(crate) const TYPE_TENSOR: i64 = 4;
    pub(crate) const TYPE_FLOATS: i64 = 6;
    pub(crate) const TYPE_INTS: i64 = 7;
}

/// Fields of `TensorProto`.
pub(super) mod tensor {
    pub(crate) const DIMS: u64 = 1;
    pub(crate) const DATA_TYPE: u64 = 2;
    pub(crate) const SEGMENT: u64 = 3;
    pub(crate) const FLOAT_DATA: u64 = 4;
    pub(crate) const INT32_DATA: u64 = 5;
    pub(crate) const INT64_DATA: u64 = 7;
    pub(crate) const NAME: u64 = 8;
    pub(crate) const RAW_DATA: u64 = 9;
    pub(crate) const DOUBLE_DATA: u64 = 10;
    pub(crate) const EXTERNAL_DATA: u64 = 13;
    pub(crate) const DATA_LOCATION: u64 = 14;
}

/// Fields of `ValueInfoProto`, `TypeProto`, `TypeProto.Tensor`, `TensorShapeProto` and its
/// `Dimension`.
pub(super) mod value {
    pub(crate) const NAME: u64 = 1;
    pub(crate) const TYPE: u64 = 2;
    pub(crate) const TENSOR_TYPE: u64 = 1;
    pub(crate) const ELEM_TYPE: u64 = 1;
    pub(crate) const SHAPE: u64 = 2;
    pub(crate) const DIM: u64 = 1;
    pub(crate) const DIM_VALUE: u64 = 1;
    pub(crate) const DIM_PARAM: u64 = 2;
}

/// Element types by `TensorProto.DataType`.
const TYPES: [(i64, Dtype); 13] = [
    (1, Dtype::F32),
    (2, Dtype::U8),
    (3, Dtype::I8),
    (4, Dtype::U16),
    (5, Dtype::I16),
    (6, Dtype::I32),
    (7, Dtype::I64),
    (9, Dtype::Bool),
    (10, Dtype::F16),
    (11, Dtype::F64),
    (12, Dtype::U32),
    (13, Dtype::U64),
    (16, Dtype::Bf16),
];

pub(super) fn dtype(number: i64) -> Option<Dtype> {
    TYPES
        .iter()
        .find(|(n, _)| *n == number)
        .map(|(_, dtype)| *dtype)
}

pub(super) fn number(dtype: Dtype) -> i64 {
    let found = TYPES.iter().find(|(_, d)| *d == dtype);
    found.map_or(0, |(number, _)| *number)
}
