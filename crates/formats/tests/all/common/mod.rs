//! Files built by hand, and what reading them says.
#![allow(dead_code, reason = "each test uses its part")]

use inception_formats::{
    Contents, FormatError, OnnxAttribute, OnnxDim, OnnxModel, OnnxNode, OnnxTensor, OnnxValue,
    parse,
};
use inception_store::Limits;
use std::path::{Path, PathBuf};

/// A file that PyTorch wrote.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

pub(crate) fn bytes_of(name: &str) -> Vec<u8> {
    std::fs::read(fixture(name)).unwrap()
}

pub(crate) fn read(bytes: &[u8], name: &str) -> Result<Contents, FormatError> {
    parse(bytes.to_vec(), Path::new(name), &Limits::default())
}

/// The status and message with which a file is refused.
#[track_caller]
pub(crate) fn refused(bytes: &[u8], name: &str) -> (u8, String) {
    let error = read(bytes, name).expect_err("a file that has to be refused");
    let text = error.to_string();
    assert!(text.starts_with(&format!("{name}: ")), "{text}");
    assert!(!text.contains('\n') && !text.contains('\x1b'), "{text:?}");
    (error.exit_code(), text)
}

/// A record of a zip archive.
#[derive(Clone)]
pub(crate) struct Record {
    pub(crate) name: Vec<u8>,
    pub(crate) data: Vec<u8>,
    pub(crate) crc: Option<u32>,
    pub(crate) method: u16,
}

pub(crate) fn record(name: &str, data: impl Into<Vec<u8>>) -> Record {
    Record {
        name: name.as_bytes().to_vec(),
        data: data.into(),
        crc: None,
        method: 0,
    }
}

/// Records one after another, the directory, the end.
pub(crate) fn zip(records: &[Record]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for r in records {
        let crc = r.crc.unwrap_or_else(|| crc32fast::hash(&r.data));
        let start = out.len() as u32;
        let size = r.data.len() as u32;
        let mut head = Vec::new();
        head.extend([0, 0]);
        head.extend(r.method.to_le_bytes());
        head.extend([0; 4]);
        head.extend(crc.to_le_bytes());
        head.extend(size.to_le_bytes());
        head.extend(size.to_le_bytes());
        head.extend((r.name.len() as u16).to_le_bytes());
        head.extend([0, 0]);
        out.extend(b"PK\x03\x04\x00\x00");
        out.extend(&head);
        out.extend(&r.name);
        out.extend(&r.data);
        directory.extend(b"PK\x01\x02\x00\x00\x00\x00");
        directory.extend(&head);
        directory.extend([0; 10]);
        directory.extend(start.to_le_bytes());
        directory.extend(&r.name);
    }
    let (start, size, count) = (
        out.len() as u32,
        directory.len() as u32,
        records.len() as u16,
    );
    out.extend(directory);
    out.extend(b"PK\x05\x06\x00\x00\x00\x00");
    out.extend(count.to_le_bytes());
    out.extend(count.to_le_bytes());
    out.extend(size.to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend([0, 0]);
    out
}

/// A file of `torch.save` around a pickle without its first two bytes, with one storage of
/// four floats.
pub(crate) fn pth(pickle: &[u8]) -> Vec<u8> {
    zip(&[
        record("a/data.pkl", [b"\x80\x02", pickle].concat()),
        record("a/byteorder", "little"),
        record(
            "a/data/0",
            [1.0_f32, 2.0, 3.0, 4.0].map(f32::to_le_bytes).concat(),
        ),
        record("a/version", "3\n"),
    ])
}

/// `{'w': tensor}` with the given offset, shape and strides of a storage of four floats.
pub(crate) fn tensor(offset: &[u8], shape: &[u8], strides: &[u8]) -> Vec<u8> {
    let mut out = b"}X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n(".to_vec();
    out.extend(STORAGE);
    out.extend(offset);
    out.extend(shape);
    out.extend(strides);
    out.extend(b"\x89ccollections\nOrderedDict\n)RtRs.");
    out
}

/// The storage of [`pth`].
pub(crate) const STORAGE: &[u8] =
    b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ";

/// A graph with every kind of setting.
pub(crate) fn graph() -> OnnxModel {
    let value = |name: &str, dim| OnnxValue {
        name: name.into(),
        dtype: Some(inception_store::Dtype::F32),
        shape: vec![OnnxDim::Any("n".into()), dim],
    };
    let attributes = [
        ("a", OnnxAttribute::Int(-1)),
        ("b", OnnxAttribute::Ints(vec![1, 2])),
        ("c", OnnxAttribute::Float(0.5)),
        ("d", OnnxAttribute::Floats(vec![1.0])),
        ("e", OnnxAttribute::Text("SAME".into())),
        ("f", OnnxAttribute::Tensor(OnnxTensor::from_i64(&[1], &[3]))),
    ];
    OnnxModel {
        ir_version: 8,
        opset: 17,
        producer: "p".into(),
        metadata: [("k".into(), "v".into())].into(),
        name: "g".into(),
        inputs: vec![value("x", OnnxDim::Fixed(2))],
        outputs: vec![value("y", OnnxDim::Fixed(2))],
        nodes: vec![OnnxNode {
            op: "Add".into(),
            name: "sum".into(),
            inputs: vec!["x".into(), "w".into()],
            outputs: vec!["y".into()],
            attributes: attributes.map(|(k, v)| (k.to_owned(), v)).into(),
            ..OnnxNode::default()
        }],
        initializers: [("w".into(), OnnxTensor::from_f32(&[2], &[1.0, 2.0]))].into(),
        ..OnnxModel::default()
    }
}

/// A net "n" of Caffe with a layer "c" of the new form: two blobs, of new and of old shape.
pub(crate) fn net() -> Vec<u8> {
    let blob = [b"\x3a\x04\x0a\x02\x01\x02\x2a\x08".as_slice(), &[0; 8]].concat();
    let old = [
        b"\x08\x01\x10\x01\x18\x01\x20\x01\x2a\x04".as_slice(),
        &[0; 4],
    ]
    .concat();
    let mut layer = b"\x0a\x01c\x3a".to_vec();
    layer.push(blob.len() as u8);
    layer.extend(blob);
    layer.extend([0x3A, old.len() as u8]);
    layer.extend(old);
    let mut net = b"\x0a\x01n\xa2\x06".to_vec();
    net.push(layer.len() as u8);
    net.extend(layer);
    net
}

/// The inputs that a fuzz target starts from, by name.
pub(crate) fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds");
    let listed = std::fs::read_dir(folder.join(target)).expect("a folder of seeds");
    let mut paths: Vec<PathBuf> = listed.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect()
}
