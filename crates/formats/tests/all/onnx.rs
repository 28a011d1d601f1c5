//! Graphs of ONNX that must be refused, whatever their operators mean.

use crate::common::{read, refused};
use inception_formats::{OnnxDim, OnnxModel, OnnxNode, OnnxTensor, OnnxValue};
use inception_store::Limits;
use std::path::Path;

fn node(name: &str, inputs: &[&str], outputs: &[&str]) -> OnnxNode {
    OnnxNode {
        op: "Add".into(),
        name: name.into(),
        inputs: inputs.iter().map(|&s| s.into()).collect(),
        outputs: outputs.iter().map(|&s| s.into()).collect(),
        ..OnnxNode::default()
    }
}

fn value(name: &str) -> OnnxValue {
    OnnxValue {
        name: name.into(),
        dtype: Some(inception_store::Dtype::F32),
        shape: vec![OnnxDim::Any("n".into()), OnnxDim::Fixed(2)],
    }
}

/// `y = x + w`.
fn model() -> OnnxModel {
    OnnxModel {
        ir_version: 8,
        opset: 17,
        inputs: vec![value("x")],
        outputs: vec![value("y")],
        nodes: vec![node("sum", &["x", "w"], &["y"])],
        initializers: [("w".into(), OnnxTensor::from_f32(&[2], &[1.0, 2.0]))].into(),
        ..OnnxModel::default()
    }
}

fn with(change: impl FnOnce(&mut OnnxModel)) -> Vec<u8> {
    let mut model = model();
    change(&mut model);
    model.to_bytes()
}

/// A length-delimited field.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut len = content.len();
    while len >= 0x80 {
        out.push(len as u8 | 0x80);
        len >>= 7;
    }
    out.push(len as u8);
    out.extend(content);
    out
}

/// A model with one more initialiser, given as its fields.
fn with_tensor(fields: &[u8]) -> Vec<u8> {
    [model().to_bytes(), field(7, &field(5, fields))].concat()
}

#[test]
fn what_is_written_is_read_back() {
    let found = read(&model().to_bytes(), "x.onnx").unwrap();
    assert_eq!(found.graph, Some(model()));
}

#[test]
fn names_are_made_once_and_before_they_are_read() {
    let cases = [
        (
            with(|m| m.nodes[0].inputs[0] = "y".into()),
            "its own output",
        ),
        (
            with(|m| m.nodes[0].inputs[0] = "z".into()),
            "what nothing makes",
        ),
        (
            with(|m| {
                m.nodes[0].inputs[0] = "z".into();
                m.nodes.push(node("back", &["y"], &["z"]));
            }),
            "a cycle, or nodes out of order",
        ),
        (
            with(|m| m.nodes.push(node("again", &["x"], &["y"]))),
            "twice",
        ),
        (
            with(|m| m.nodes.push(node("again", &["x"], &["w"]))),
            "twice",
        ),
        (with(|m| m.inputs.push(value("x"))), "twice"),
        (with(|m| m.outputs.push(value("z"))), "which no node makes"),
        (with(|m| m.outputs.clear()), "at least one output"),
        (with(|m| m.opset = 1), "version 1"),
        (with(|m| m.opset = 999), "version 999"),
    ];
    for (bytes, reason) in cases {
        let (code, text) = refused(&bytes, "x.onnx");
        assert!(code == 4 && text.contains(reason), "{text}");
    }
    let (_, text) = refused(&with(|m| m.nodes[0].inputs[0] = "z".into()), "x.onnx");
    assert!(text.contains("node \"sum\" (Add)"), "{text}");
}

#[test]
fn a_tensor_that_nobody_reads_is_worth_a_warning() {
    let bytes = with(|m| {
        m.initializers
            .insert("v".into(), OnnxTensor::from_f32(&[], &[1.0]));
    });
    let found = read(&bytes, "x.onnx").unwrap();
    assert_eq!(found.warnings, ["no node reads the initialiser \"v\""]);
}

#[test]
fn broken_bytes_are_refused_where_they_break() {
    let good = model().to_bytes();
    assert!(refused(b"", "x.onnx").1.contains("an empty file"));
    for len in 1..good.len() {
        // Whole fields may be missing at the end; then something else is.
        if let Err(error) = read(&good[..len], "x.onnx") {
            assert_eq!(error.exit_code(), 4, "{error}");
        }
    }
    let cases: [(&[u8], &str); 8] = [
        (b"\x08", "before the end (byte 1)"),
        (
            b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            "at most 64 bits",
        ),
        (b"\x3a\xff\xff\xff\xff\x0f\x00", "before the end (byte 6)"),
        (b"\x3b", "wire type 3"),
        (b"\x3f", "wire type 7"),
        (b"\x02\x00", "a field number, found 0"),
        (b"\x38\x01", "a message, found an integer"),
        (b"\x0a\x01a", "an integer, found a run of bytes"),
    ];
    for (bytes, reason) in cases {
        let (code, text) = refused(bytes, "x.onnx");
        assert!(code == 4 && text.contains(reason), "{text}");
    }
    let mut garbage: Vec<u8> = (0..=255).collect();
    garbage.reverse();
    assert_eq!(refused(&garbage, "x.onnx").0, 4);
}

#[test]
fn graphs_inside_of_settings_are_as_deep_as_they_like() {
    for depth in [100, 10_000] {
        // A graph with a node with a setting with a graph …
        let mut graph = Vec::new();
        for _ in 0..depth {
            let setting = [field(1, b"body"), field(6, &graph)].concat();
            graph = field(1, &[field(4, b"If"), field(5, &setting)].concat());
            if graph.len() > 1 << 20 {
                break;
            }
        }
        let (code, text) = refused(&field(7, &graph), "x.onnx");
        assert_eq!(code, 4, "{text}");
    }
}

#[test]
fn a_tensor_has_as_many_bytes_as_its_shape_says() {
    let dims = |dims: &[u8]| [b"\x42\x01t\x10\x01".as_slice(), dims].concat();
    let raw = |n: usize| field(9, &vec![0; n]);
    let big = b"\x08\x80\x80\x80\x80\x80\x20".as_slice();
    let cases = [
        ([dims(big), raw(4)].concat(), 3),
        ([dims(&[big, big].concat()), raw(4)].concat(), 4),
        (
            [
                dims(b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
                raw(4),
            ]
            .concat(),
            4,
        ),
        ([dims(b"\x08\x02"), raw(4)].concat(), 4),
        ([dims(b"\x08\x02"), raw(8), raw(8)].concat(), 4),
        ([dims(b"\x08\x01"), raw(4), field(4, &[0; 4])].concat(), 4),
        ([dims(b"\x08\x01"), field(4, &[0; 3])].concat(), 4),
        ([dims(b"\x08\x01"), field(7, &[1])].concat(), 4),
        ([dims(b"\x08\x01"), raw(4), field(3, b"")].concat(), 4),
        ([b"\x42\x01t\x10\x0e\x08\x01".to_vec(), raw(8)].concat(), 4),
        ([b"\x10\x01\x08\x01".to_vec(), raw(4)].concat(), 4),
        (dims(&b"\x08\x01".repeat(9)), 4),
    ];
    for (fields, status) in cases {
        // Two graphs would be refused anyway: the tensor is in the one graph there is.
        let (code, text) = refused(&field(7, &field(5, &fields)), "x.onnx");
        assert_eq!(code, status, "{text}");
    }
    assert!(refused(&with_tensor(b""), "x.onnx").0 == 4);
}

/// A graph whose `w` lies in a file beside it.
fn outside(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut tensor = b"\x42\x01w\x10\x01\x08\x02\x70\x01".to_vec();
    for (key, text) in entries {
        let entry = [field(1, key.as_bytes()), field(2, text.as_bytes())].concat();
        tensor.extend(field(13, &entry));
    }
    let nodes = with(|m| m.initializers.clear());
    // The graph is field 7: its bytes with one more initialiser.
    let at = nodes.iter().position(|&b| b == 7 << 3 | 2).unwrap();
    let len = usize::from(nodes[at + 1]);
    let graph = [&nodes[at + 2..at + 2 + len], &field(5, &tensor)].concat();
    [&nodes[..at], &field(7, &graph), &nodes[at + 2 + len..]].concat()
}

#[test]
#[cfg(unix)]
fn data_outside_lie_in_plain_files_of_the_models_folder() {
    use std::os::unix::fs::symlink;
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("dir");
    std::fs::create_dir_all(folder.join("sub")).unwrap();
    std::fs::create_dir_all(root.path().join("dir_evil")).unwrap();
    let numbers = [3.0_f32, 4.0].map(f32::to_le_bytes).concat();
    for file in [
        "dir/w.bin",
        "dir/sub/w.bin",
        "secret",
        "dir_evil/w.bin",
        "dir/two",
    ] {
        std::fs::write(root.path().join(file), &numbers).unwrap();
    }
    symlink(root.path().join("secret"), folder.join("link")).unwrap();
    symlink(root.path().join("dir_evil"), folder.join("linked")).unwrap();
    std::fs::hard_link(folder.join("two"), folder.join("hard")).unwrap();
    let status = std::process::Command::new("mkfifo")
        .arg(folder.join("fifo"))
        .status();
    assert!(status.unwrap().success());
    let path = folder.join("x.onnx");
    let load = |entries: &[(&str, &str)]| {
        std::fs::write(&path, outside(entries)).unwrap();
        inception_formats::read(&path, &Limits::default())
    };
    for location in ["w.bin", "sub/w.bin"] {
        let found = load(&[("location", location), ("length", "8")]).unwrap();
        assert_eq!(found.tensors.to_f32("w").unwrap(), [3.0, 4.0]);
    }
    let secret = root.path().join("secret").display().to_string();
    for location in [
        "../secret",
        "/etc/passwd",
        &secret,
        "sub/../../secret",
        "../dir_evil/w.bin",
        "link",
        "linked/w.bin",
        "hard",
        "fifo",
        "sub",
        "",
        ".",
        "./../secret",
        "sub\\..\\w.bin",
        "w.bin\0",
        "/dev/zero",
    ] {
        let error = load(&[("location", location)]).expect_err(location);
        let text = error.to_string();
        assert!(
            error.exit_code() == 4 && text.contains("inside the model's directory"),
            "{text}"
        );
    }
    for entries in [
        &[("location", "w.bin"), ("offset", "-1")][..],
        &[("location", "w.bin"), ("offset", "1")],
        &[("location", "w.bin"), ("offset", "18446744073709551615")],
        &[("location", "w.bin"), ("length", "1152921504606846976")],
        &[("location", "w.bin"), ("length", "4")],
        &[("location", "w.bin"), ("__class__", "x")],
        &[("offset", "0")],
    ] {
        let error = load(entries).expect_err("broken entries");
        assert_eq!(error.exit_code(), 4, "{error}");
    }
    let error = load(&[("location", "absent")]).expect_err("no file");
    assert_eq!(error.exit_code(), 5, "{error}");
    assert_eq!(
        inception_formats::read(Path::new("/absent.onnx"), &Limits::default())
            .unwrap_err()
            .exit_code(),
        5
    );
}
