//! ONNX graphs in and out.

use crate::common;
use crate::common::graphs::{graph, ints, load, node, refused};
use inception_deploy::convert::{Difference, compare};
use inception_deploy::onnx::{ExportOptions, FoldBatchNorm, Head, InputScale, export};
use inception_deploy::{Classifier, LoadOptions, PredictorConfig, Weights};
use inception_formats::{OnnxAttribute, OnnxTensor};
use inception_nn::{Model, ModelOptions, registry};
use inception_store::{Limits, read_file};
use std::path::{Path, PathBuf};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

#[test]
fn graphs_of_both_exporters_of_pytorch_give_what_pytorch_gives() {
    let io = read_file(&fixture("tiny.safetensors"), &Limits::default()).unwrap();
    let images = io.to_f32("images").unwrap();
    let (n, c, side) = (3, 3, 16);
    let mut ours = vec![0.0; images.len()];
    for (i, to) in ours.iter_mut().enumerate() {
        let (image, pixel, channel) = (i / (side * side * c), i / c % (side * side), i % c);
        *to = images[(image * c + channel) * side * side + pixel];
    }
    for name in ["tiny_new.onnx", "tiny_old_17.onnx"] {
        let weights = Weights::load(&fixture(name), &LoadOptions::default()).unwrap();
        let mut classifier = Classifier::new(
            weights.model,
            weights.parameters,
            &PredictorConfig::default(),
        );
        let answers = classifier.run(n, &ours).unwrap();
        let logits: Vec<f64> = answers
            .iter()
            .flat_map(|a| &a.logits)
            .map(|&x| x.into())
            .collect();
        let found = Difference::of(&io.to_f64("logits").unwrap(), &logits);
        assert!(found.max_rel < 1e-5, "{name}: {found:?}");
    }
}

#[test]
fn every_model_comes_back_from_its_own_export() {
    for info in registry() {
        // Small images where the model takes them: what is looked at are operators. AlexNet's
        // average keeps its 6×6 windows equal at its own size alone.
        let sides = match info.name {
            "alexnet" => &[224][..],
            _ => &[64, 96, 160, 224, 299],
        };
        let small = sides.iter().find_map(|&side| {
            let options = ModelOptions {
                input: Some([info.input[0], side, side]),
                classes: Some(7),
                ..ModelOptions::default()
            };
            Model::build(info.name, &options).ok().map(|_| options)
        });
        let options = small.unwrap();
        let numbers = Model::build(info.name, &options)
            .unwrap()
            .specs()
            .trainable();
        if numbers > 60_000_000 {
            continue;
        }
        for (options_out, tolerance) in [
            (
                ExportOptions {
                    head: Head::Probabilities,
                    ..ExportOptions::default()
                },
                1e-5,
            ),
            (
                ExportOptions {
                    fold: FoldBatchNorm::Fold,
                    input: InputScale::Pixels,
                    ..ExportOptions::default()
                },
                1e-4,
            ),
        ] {
            let weights = Weights::random(Model::build(info.name, &options).unwrap(), 1).unwrap();
            let bytes = export(&weights, &options_out).unwrap().to_bytes();
            let back = load(&bytes).unwrap();
            assert_eq!(back.model.options().classes, 7);
            let found = compare(weights, back, 1, 0, &PredictorConfig::default()).unwrap();
            assert!(found.max_rel < tolerance, "{}: {found:?}", info.name);
        }
    }
}

#[test]
fn a_graph_says_how_pictures_are_prepared_and_keeps_names() {
    let mut weights = common::weights(0);
    weights.meta.class_names = (0..10).map(|i| format!("class {i}")).collect();
    let model = export(&weights, &ExportOptions::default()).unwrap();
    let back = load(&model.to_bytes()).unwrap();
    assert_eq!(back.preprocess, weights.preprocess);
    assert_eq!(back.meta.class_names, weights.meta.class_names);
    let keys = model.initializers.keys().map(String::as_str);
    let known: Vec<&str> = weights
        .model
        .specs()
        .iter()
        .map(|(_, s)| s.name.as_str())
        .collect();
    assert!(
        keys.clone().all(|key| known.contains(&key)),
        "{:?}",
        keys.collect::<Vec<_>>()
    );
}

#[test]
fn weights_alone_are_taken_where_a_model_is_named() {
    let weights = common::weights(3);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.onnx");
    let bytes = export(&weights, &ExportOptions::default())
        .unwrap()
        .to_bytes();
    std::fs::write(&path, bytes).unwrap();
    let options = LoadOptions {
        model: Some("inception-small".into()),
        model_options: common::options(),
        ..LoadOptions::default()
    };
    let back = Weights::load(&path, &options).unwrap();
    assert!(back.model.is_registered());
    assert_eq!(back.parameters, weights.parameters);
    let graph = Weights::load(&path, &LoadOptions::default()).unwrap();
    let error = graph
        .save(&folder.path().join("x.safetensors"))
        .unwrap_err();
    assert_eq!(error.exit_code(), 2, "{error}");
}

#[test]
fn all_operators_that_we_lack_are_named() {
    let mut custom = node("Fancy", &["b"], "y", &[]);
    custom.domain = "com.example".into();
    let nodes = vec![
        node("If", &["x"], "a", &[]),
        node("Loop", &["a"], "b", &[]),
        custom,
    ];
    let (code, text) = refused(nodes, &[]);
    assert!(
        code == 4 && text.ends_with("found If, Loop, com.example.Fancy"),
        "{text}"
    );
}

#[test]
fn sizes_are_checked_before_anything_is_allocated() {
    let filters = OnnxTensor::from_f32(&[2, 3, 3, 3], &[0.1; 54]);
    let conv = |settings: &[(&str, OnnxAttribute)]| {
        let nodes = vec![
            node("Conv", &["x", "w"], "a", settings),
            node("GlobalAveragePool", &["a"], "b", &[]),
            node("Flatten", &["b"], "y", &[]),
        ];
        graph(nodes, &[("w", filters.clone())])
    };
    load(&conv(&[]).to_bytes()).unwrap();
    for settings in [
        ("strides", ints(&[0, 1])),
        ("strides", ints(&[1])),
        ("dilations", ints(&[1 << 31, 1])),
        ("dilations", ints(&[8, 8])),
        ("pads", ints(&[-1, 0, 0, 0])),
        ("pads", ints(&[1 << 40, 0, 0, 0])),
        ("pads", ints(&[0; 3])),
        ("group", OnnxAttribute::Int(0)),
        ("group", OnnxAttribute::Int(-1)),
        ("group", OnnxAttribute::Int(3)),
        ("kernel_shape", ints(&[5, 5])),
        ("auto_pad", OnnxAttribute::Text("WIDE".into())),
    ] {
        let name = settings.0;
        let error = load(&conv(&[settings]).to_bytes()).expect_err(name);
        let text = error.to_string();
        assert!(
            error.exit_code() == 4 && text.contains("(Conv)"),
            "{name}: {text}"
        );
    }
    let pool = |settings: &[(&str, OnnxAttribute)]| {
        vec![
            node("MaxPool", &["x"], "a", settings),
            node("Flatten", &["a"], "y", &[]),
        ]
    };
    for settings in [
        vec![("kernel_shape", ints(&[9, 9]))],
        vec![("kernel_shape", ints(&[1 << 40, 1]))],
        vec![
            ("kernel_shape", ints(&[2, 2])),
            ("pads", ints(&[2, 0, 0, 0])),
        ],
        vec![],
    ] {
        assert_eq!(refused(pool(&settings), &[]).0, 4, "{settings:?}");
    }
    for shape in [[1 << 40, 1], [1 << 40, 1 << 40], [1 << 62, 4]] {
        let nodes = vec![
            node("ConstantOfShape", &["s"], "w", &[]),
            node("Flatten", &["x"], "a", &[]),
            node("MatMul", &["a", "w"], "y", &[]),
        ];
        let (code, text) = refused(nodes, &[("s", OnnxTensor::from_i64(&[2], &shape))]);
        assert!(code == 3 && text.contains("ConstantOfShape"), "{text}");
    }
    for op in ["Expand", "Resize"] {
        let nodes = vec![node(op, &["x", "s"], "y", &[])];
        let (code, text) = refused(nodes, &[("s", OnnxTensor::from_i64(&[1], &[1 << 40]))]);
        assert!(code == 4 && text.contains(op), "{text}");
    }
}

#[test]
fn operands_that_do_not_fit_are_refused_by_node() {
    let ones = |shape: &[usize]| OnnxTensor::from_f32(shape, &vec![1.0; shape.iter().product()]);
    let cases = [
        vec![node(
            "Flatten",
            &["x"],
            "y",
            &[("axis", OnnxAttribute::Int(2))],
        )],
        vec![node("Gemm", &["x", "w"], "y", &[])],
        vec![
            node("Flatten", &["x"], "a", &[]),
            node("Gemm", &["a", "w"], "y", &[]),
        ],
        vec![node("Conv", &["x", "w"], "y", &[])],
        vec![node("Conv", &["x", "x"], "y", &[])],
        vec![node("Conv", &["x"], "y", &[])],
        vec![node("Add", &["x", "w"], "y", &[])],
        vec![node("Mul", &["x", "x"], "y", &[])],
        vec![node("Softmax", &["x"], "y", &[])],
        vec![node("LRN", &["x"], "y", &[("size", OnnxAttribute::Int(4))])],
        vec![node(
            "LRN",
            &["x"],
            "y",
            &[("size", OnnxAttribute::Text("5".into()))],
        )],
        vec![node("Reshape", &["x", "w"], "y", &[])],
        vec![node("Concat", &["x", "w"], "y", &[])],
        vec![node("Squeeze", &["x"], "y", &[])],
        vec![node("ReduceMean", &["x"], "y", &[("axes", ints(&[1]))])],
        vec![node(
            "BatchNormalization",
            &["x", "w", "w", "w", "w"],
            "y",
            &[],
        )],
        vec![node("Gather", &["x", "w"], "y", &[])],
        vec![node("Slice", &["x"], "y", &[])],
        vec![node("Constant", &[], "y", &[])],
        vec![node("Relu", &["x"], "y", &[])],
        vec![node(
            "Clip",
            &["x"],
            "y",
            &[("min", OnnxAttribute::Float(1.0))],
        )],
        vec![
            node("Dropout", &["x"], "a", &[]),
            node("Relu", &["b"], "y", &[]),
        ],
    ];
    for nodes in cases {
        let shown = format!("{nodes:?}");
        let (code, text) = refused(nodes, &[("w", ones(&[5, 5]))]);
        assert_eq!(code, 4, "{shown}: {text}");
    }
}
