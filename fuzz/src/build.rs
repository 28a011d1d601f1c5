//! Files around what the fuzzer makes, so that it gets behind lengths and checksums.

use inception_formats::{OnnxAttribute, OnnxDim, OnnxModel, OnnxNode, OnnxTensor, OnnxValue};
use inception_store::Dtype;

/// A zip archive of `torch.save` and its parts, as the tests of the formats build them.
#[path = "../../crates/formats/tests/all/common/mod.rs"]
mod formats;

/// A state dict in a zip archive, around a pickle.
pub fn pth(pickle: &[u8]) -> Vec<u8> {
    formats::pth(pickle)
}

/// `{'w': tensor}` as a pickle without its first two bytes.
pub fn pickle() -> Vec<u8> {
    formats::tensor(b"K\x00", b"K\x04\x85", b"K\x01\x85")
}

/// A graph with every kind of setting.
pub fn graph() -> Vec<u8> {
    formats::graph().to_bytes()
}

/// A small classifier with most operators that the importer reads.
pub fn classifier() -> Vec<u8> {
    let ints = |all: &[i64]| OnnxAttribute::Ints(all.to_vec());
    let node =
        |op: &str, inputs: &[&str], output: &str, settings: &[(&str, OnnxAttribute)]| OnnxNode {
            op: op.into(),
            inputs: inputs.iter().map(|&name| name.into()).collect(),
            outputs: vec![output.into()],
            attributes: settings
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
            ..OnnxNode::default()
        };
    let value = |name: &str, axes: &[usize]| OnnxValue {
        name: name.into(),
        dtype: Some(Dtype::F32),
        shape: std::iter::once(OnnxDim::Any("n".into()))
            .chain(axes.iter().map(|&d| OnnxDim::Fixed(d)))
            .collect(),
    };
    let square = ("kernel_shape", ints(&[3, 3]));
    let nodes = vec![
        node("Mul", &["x", "s"], "a", &[]),
        node("Conv", &["a", "w"], "b", &[("pads", ints(&[1; 4]))]),
        node("BatchNormalization", &["b", "v", "v", "v", "v"], "c", &[]),
        node("Relu", &["c"], "d", &[]),
        node("LRN", &["d"], "e", &[("size", OnnxAttribute::Int(3))]),
        node(
            "Pad",
            &["d"],
            "f",
            &[("pads", ints(&[0, 0, 1, 1, 0, 0, 1, 1]))],
        ),
        node("AveragePool", &["f"], "g", &[square.clone()]),
        node("MaxPool", &["d"], "h", &[square, ("pads", ints(&[1; 4]))]),
        node(
            "Concat",
            &["e", "g", "h"],
            "i",
            &[("axis", OnnxAttribute::Int(1))],
        ),
        node(
            "Slice",
            &["i"],
            "j",
            &[
                ("starts", ints(&[1])),
                ("ends", ints(&[3])),
                ("axes", ints(&[1])),
            ],
        ),
        node("ReduceMean", &["j"], "k", &[("axes", ints(&[2, 3]))]),
        node("Shape", &["k"], "m", &[]),
        node("Reshape", &["k", "r"], "o", &[]),
        node(
            "Gemm",
            &["o", "u"],
            "p",
            &[("transB", OnnxAttribute::Int(1))],
        ),
        node("Softmax", &["p"], "y", &[]),
    ];
    let floats = |shape: &[usize]| OnnxTensor::from_f32(shape, &vec![0.5; shape.iter().product()]);
    let initializers = [
        ("s", floats(&[1, 2, 1, 1])),
        ("w", floats(&[2, 2, 3, 3])),
        ("v", floats(&[2])),
        ("r", OnnxTensor::from_i64(&[2], &[0, -1])),
        ("u", floats(&[3, 2])),
    ];
    let model = OnnxModel {
        ir_version: 8,
        opset: 12,
        inputs: vec![value("x", &[2, 5, 5])],
        outputs: vec![value("y", &[3])],
        nodes,
        initializers: initializers
            .into_iter()
            .map(|(name, tensor)| (name.to_owned(), tensor))
            .collect(),
        ..OnnxModel::default()
    };
    model.to_bytes()
}

/// A net of Caffe with one layer of two blobs.
pub fn net() -> Vec<u8> {
    formats::net()
}

/// A message of protobuf as field `number` of another.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut len = content.len();
    while len > 127 {
        out.push(len as u8 | 0x80);
        len >>= 7;
    }
    out.push(len as u8);
    out.extend(content);
    out
}

/// An entry of a tensor's external data.
pub fn external_entry(key: &str, value: &str) -> Vec<u8> {
    let pair = [field(1, key.as_bytes()), field(2, value.as_bytes())].concat();
    field(13, &pair)
}

/// An ONNX model whose one tensor, of four numbers, lies outside; `fields` are added to it.
pub fn external(fields: &[u8]) -> Vec<u8> {
    let tensor = [
        b"\x08\x04\x10\x01".as_slice(),
        &field(8, b"w"),
        b"\x70\x01",
        fields,
    ]
    .concat();
    let value = |name: &str| field(1, name.as_bytes());
    let node = [
        field(1, b"x"),
        field(1, b"w"),
        field(2, b"y"),
        field(4, b"Add"),
    ]
    .concat();
    let graph = [
        field(1, &node),
        field(5, &tensor),
        field(11, &value("x")),
        field(12, &value("y")),
    ]
    .concat();
    [
        b"\x08\x08".to_vec(),
        field(7, &graph),
        b"\x42\x02\x10\x11".to_vec(),
    ]
    .concat()
}

/// Gives every header of a tar archive the checksum that its bytes have.
pub fn sum_headers(bytes: &mut [u8]) {
    for block in bytes.as_chunks_mut::<512>().0 {
        if &block[257..262] != b"ustar" {
            continue;
        }
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|&b| u32::from(b)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
}

/// Gives every chunk of a PNG file the checksum that its bytes have.
pub fn sum_chunks(bytes: &mut [u8]) {
    let mut at = 8;
    while let Some(head) = bytes.get(at..at + 4) {
        let len = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let end = at + 8 + len;
        let Some(crc) = bytes.get(at + 4..end).map(crc32fast::hash) else {
            return;
        };
        let Some(place) = bytes.get_mut(end..end + 4) else {
            return;
        };
        place.copy_from_slice(&crc.to_be_bytes());
        at = end + 4;
    }
}

/// A JPEG of 16 by 8 pixels with this EXIF block.
pub fn jpeg_with_exif(jpeg: &[u8], tiff: &[u8]) -> Vec<u8> {
    let mut bytes = jpeg[..2].to_vec();
    bytes.extend([0xFF, 0xE1]);
    bytes.extend((tiff.len() as u16 + 8).to_be_bytes());
    bytes.extend(b"Exif\0\0");
    bytes.extend(tiff);
    bytes.extend(&jpeg[2..]);
    bytes
}
