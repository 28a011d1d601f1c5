//! `Pad` in an ONNX graph: zeros that the window behind them reads.

use crate::common::graphs::{graph, ints, load, node, refused};
use inception_deploy::{Classifier, PredictorConfig};
use inception_formats::{OnnxAttribute, OnnxDim, OnnxModel, OnnxNode, OnnxTensor};

type Setting = (&'static str, OnnxAttribute);

/// `Pad` as version 2 has it: `[top, left, bottom, right]`.
fn pad([top, left, bottom, right]: [i64; 4]) -> OnnxNode {
    let pads = [0, 0, top, left, 0, 0, bottom, right];
    node("Pad", &["x"], "p", &[("pads", ints(&pads))])
}

/// What reads the padded map, and a row of features of it.
fn reading(op: &str, settings: &[Setting]) -> Vec<OnnxNode> {
    let inputs: &[&str] = match op {
        "Conv" => &["p", "w", "b"],
        _ => &["p"],
    };
    vec![
        node(op, inputs, "a", settings),
        node("Flatten", &["a"], "f", &[]),
        node("Gemm", &["f", "g"], "y", &[]),
    ]
}

fn filters() -> OnnxTensor {
    let numbers: Vec<f32> = (0..54).map(|i| (i * 7 % 11) as f32 - 5.0).collect();
    OnnxTensor::from_f32(&[2, 3, 3, 3], &numbers)
}

/// The graph's answer to an image of integers, which it was written for an extent of.
fn answer(mut model: OnnxModel, h: usize, w: usize, image: &[f32]) -> Vec<f32> {
    let features = model.initializers.remove("g").map_or(0, |g| g.shape[0]);
    // Every number of the map has its own weight.
    let weights: Vec<f32> = (0..2 * features)
        .map(|i| (i * 5 % 13) as f32 - 6.0)
        .collect();
    let weights = OnnxTensor::from_f32(&[features, 2], &weights);
    model.initializers.insert("g".into(), weights);
    model.inputs[0].shape[2] = OnnxDim::Fixed(h);
    model.inputs[0].shape[3] = OnnxDim::Fixed(w);
    let weights = load(&model.to_bytes()).unwrap();
    let mut classifier = Classifier::new(
        weights.model,
        weights.parameters,
        &PredictorConfig::default(),
    );
    classifier.run(1, image).unwrap().remove(0).logits
}

/// Whole numbers, of which sums are exact; none below `least`.
fn image(h: usize, w: usize, least: i64) -> Vec<f32> {
    (0..h * w * 3)
        .map(|i| (i as i64 * 29 % 17 + least) as f32)
        .collect()
}

/// An image with zeros around it.
fn padded(image: &[f32], h: usize, w: usize, [top, left, bottom, right]: [usize; 4]) -> Vec<f32> {
    let mut out = Vec::new();
    for row in 0..top + h + bottom {
        for column in 0..left + w + right {
            let inside = (top..top + h).contains(&row) && (left..left + w).contains(&column);
            let at = inside.then(|| ((row - top) * w + column - left) * 3);
            out.extend(at.map_or([0.0; 3], |at| [image[at], image[at + 1], image[at + 2]]));
        }
    }
    out
}

/// Compares a pad and what reads it with the latter alone on an image that was padded here.
fn same_as_padded_by_hand(op: &str, settings: &[Setting], pads: [usize; 4], outputs: [usize; 3]) {
    let (h, w) = (7, 8);
    let [channels, rows, columns] = outputs;
    let features = channels * rows * columns;
    let tensors = [
        ("w", filters()),
        ("b", OnnxTensor::from_f32(&[2], &[3.0, -4.0])),
        (
            "g",
            OnnxTensor::from_f32(&[features, 1], &vec![0.0; features]),
        ),
    ];
    let mut with = vec![pad(pads.map(|p| p as i64))];
    with.extend(reading(op, settings));
    let mut without = vec![node("Identity", &["x"], "p", &[])];
    without.extend(reading(op, settings));
    let small = image(h, w, -8);
    let large = padded(&small, h, w, pads);
    let [top, left, bottom, right] = pads;
    let expected = answer(
        graph(without, &tensors),
        h + top + bottom,
        w + left + right,
        &large,
    );
    let found = answer(graph(with, &tensors), h, w, &small);
    assert_eq!(found.len(), 2);
    for (found, expected) in found.iter().zip(&expected) {
        let scale = expected.abs().max(1.0);
        assert!(
            (found - expected).abs() < 1e-5 * scale,
            "{op}: {found} {expected}"
        );
    }
}

#[test]
fn zeros_in_front_of_an_average_are_averaged() {
    let square = |n: i64| ("kernel_shape", ints(&[n, n]));
    let by = |n: i64| ("strides", ints(&[n, n]));
    let own = |n: i64| ("pads", ints(&[n; 4]));
    let counted = || ("count_include_pad", OnnxAttribute::Int(1));
    let ceil = || ("ceil_mode", OnnxAttribute::Int(1));
    // As Inception v3's branches of pools.
    same_as_padded_by_hand("AveragePool", &[square(3), by(1)], [1; 4], [3, 7, 8]);
    same_as_padded_by_hand("AveragePool", &[square(3), by(2)], [0, 1, 1, 0], [3, 3, 4]);
    same_as_padded_by_hand(
        "AveragePool",
        &[square(3), by(2), ceil()],
        [1, 0, 1, 1],
        [3, 4, 4],
    );
    let both = [square(5), by(1), own(1), counted()];
    same_as_padded_by_hand("AveragePool", &both, [1; 4], [3, 7, 8]);
}

#[test]
fn zeros_in_front_of_a_convolution_are_its_padding() {
    let plain: [Setting; 0] = [];
    same_as_padded_by_hand("Conv", &plain, [1; 4], [2, 7, 8]);
    let own = [("pads", ints(&[1, 0, 0, 1])), ("strides", ints(&[2, 1]))];
    same_as_padded_by_hand("Conv", &own, [0, 1, 1, 0], [2, 4, 8]);
    let wide = [("dilations", ints(&[2, 2]))];
    same_as_padded_by_hand("Conv", &wide, [2, 0, 1, 2], [2, 6, 6]);
}

#[test]
fn zeros_in_front_of_a_maximum_need_a_map_without_numbers_below_zero() {
    let pool = |from: &str| {
        vec![
            node(
                "Pad",
                &[from],
                "p",
                &[("pads", ints(&[0, 0, 1, 1, 0, 0, 1, 1]))],
            ),
            node(
                "MaxPool",
                &["p"],
                "a",
                &[("kernel_shape", ints(&[3, 3])), ("strides", ints(&[2, 2]))],
            ),
            node("Flatten", &["a"], "f", &[]),
            node("Gemm", &["f", "g"], "y", &[]),
        ]
    };
    let weights = ("g", OnnxTensor::from_f32(&[48, 1], &[0.0; 48]));
    let (code, text) = refused(pool("x"), std::slice::from_ref(&weights));
    assert!(code == 4 && text.contains("(MaxPool)"), "{text}");
    assert!(text.contains("without numbers below zero"), "{text}");

    // ReLU, and what keeps its sign: a pool, a concatenation.
    let mut nodes = vec![
        node("Relu", &["x"], "r", &[]),
        node("MaxPool", &["r"], "m", &[("kernel_shape", ints(&[1, 1]))]),
        node(
            "Concat",
            &["m", "r"],
            "c",
            &[("axis", OnnxAttribute::Int(1))],
        ),
    ];
    nodes.extend(pool("c"));
    let weights = [("g", OnnxTensor::from_f32(&[96, 1], &[0.0; 96]))];
    let shown = image(8, 8, -8);
    let found = answer(graph(nodes, &weights), 8, 8, &shown);
    let mut nodes = vec![
        node("Relu", &["x"], "r", &[]),
        node(
            "Concat",
            &["r", "r"],
            "p",
            &[("axis", OnnxAttribute::Int(1))],
        ),
    ];
    nodes.extend(pool("x").split_off(1));
    let by_hand = padded(&shown, 8, 8, [1; 4]);
    assert_eq!(found, answer(graph(nodes, &weights), 10, 10, &by_hand));
}

#[test]
fn newer_versions_give_amounts_value_and_axes_as_inputs() {
    let whole = |numbers: &[i64]| OnnxTensor::from_i64(&[numbers.len()], numbers);
    let zero = OnnxTensor::from_f32(&[], &[0.0]);
    let old = |nodes: Vec<OnnxNode>, tensors: &[(&str, OnnxTensor)]| {
        answer(graph(nodes, tensors), 8, 8, &image(8, 8, -8))
    };
    let average = [("kernel_shape", ints(&[3, 3]))];
    let g = ("g", OnnxTensor::from_f32(&[192, 1], &[0.0; 192]));
    let mut nodes = vec![pad([1; 4])];
    nodes.extend(reading("AveragePool", &average));
    let expected = old(nodes, std::slice::from_ref(&g));
    for (inputs, tensors) in [
        (
            ["x", "n", "z", ""],
            vec![("n", whole(&[0, 0, 1, 1, 0, 0, 1, 1])), ("z", zero.clone())],
        ),
        (
            ["x", "n", "", "axes"],
            vec![("n", whole(&[1, 1, 1, 1])), ("axes", whole(&[-1, 2]))],
        ),
    ] {
        let mut nodes = vec![node("Pad", &inputs, "p", &[])];
        nodes.extend(reading("AveragePool", &average));
        let tensors = [tensors, vec![g.clone()]].concat();
        assert_eq!(old(nodes, &tensors), expected);
    }
    // Two pads in a row, and one of nothing.
    let mut nodes = vec![
        node(
            "Pad",
            &["x"],
            "q",
            &[("pads", ints(&[0, 0, 1, 0, 0, 0, 0, 1]))],
        ),
        node("Pad", &["q"], "r", &[("pads", ints(&[0; 8]))]),
        node(
            "Pad",
            &["r"],
            "p",
            &[("pads", ints(&[0, 0, 0, 1, 0, 0, 1, 0]))],
        ),
    ];
    nodes.extend(reading("AveragePool", &average));
    assert_eq!(old(nodes, std::slice::from_ref(&g)), expected);
}

#[test]
fn other_pads_and_other_readers_are_refused_by_node() {
    let pads = |all: &[i64]| ("pads", ints(all));
    let around = pads(&[0, 0, 1, 1, 0, 0, 1, 1]);
    let average = [("kernel_shape", ints(&[3, 3]))];
    let g = ("g", OnnxTensor::from_f32(&[192, 2], &[0.0; 384]));
    for settings in [
        vec![pads(&[0, 1, 0, 0, 0, 0, 0, 0])],
        vec![pads(&[0, 0, -1, 0, 0, 0, 0, 0])],
        vec![pads(&[0, 0, 1 << 40, 0, 0, 0, 0, 0])],
        vec![pads(&[0, 0, i64::MAX, 0, 0, 0, 0, 0])],
        vec![pads(&[1, 1, 1, 1])],
        vec![],
        vec![around.clone(), ("value", OnnxAttribute::Float(1.0))],
        vec![around.clone(), ("value", OnnxAttribute::Float(f32::NAN))],
        vec![
            around.clone(),
            ("mode", OnnxAttribute::Text("reflect".into())),
        ],
    ] {
        let shown = format!("{settings:?}");
        let mut nodes = vec![node("Pad", &["x"], "p", &settings)];
        nodes.extend(reading("AveragePool", &average));
        let (code, text) = refused(nodes, std::slice::from_ref(&g));
        assert!(code == 4 && text.contains("(Pad)"), "{shown}: {text}");
    }
    for axes in [[4, 2], [2, 2], [-5, 2], [i64::MIN, i64::MAX]] {
        let mut nodes = vec![node("Pad", &["x", "n", "", "axes"], "p", &[])];
        nodes.extend(reading("AveragePool", &average));
        let tensors = [
            g.clone(),
            ("n", OnnxTensor::from_i64(&[4], &[1; 4])),
            ("axes", OnnxTensor::from_i64(&[2], &axes)),
        ];
        let (code, text) = refused(nodes, &tensors);
        assert!(code == 4 && text.contains("(Pad)"), "{axes:?}: {text}");
    }
    // Zeros beyond a window, zeros that count beside pads that do not, windows of zeros alone.
    let strided = [("kernel_shape", ints(&[2, 2])), ("strides", ints(&[2, 2]))];
    let beside = [("kernel_shape", ints(&[5, 5])), ("pads", ints(&[1; 4]))];
    for (zeros, settings) in [
        ([3; 4], &average[..]),
        ([1; 4], &beside),
        ([2; 4], &strided),
    ] {
        let mut nodes = vec![pad(zeros)];
        nodes.extend(reading("AveragePool", settings));
        let (code, text) = refused(nodes, std::slice::from_ref(&g));
        assert!(code == 4 && !text.contains("(Gemm)"), "{zeros:?}: {text}");
    }
    for op in ["Relu", "Flatten", "GlobalAveragePool", "BatchNormalization"] {
        let nodes = vec![pad([1; 4]), node(op, &["p"], "y", &[])];
        let (code, text) = refused(nodes, &[]);
        let named = text.contains(&format!("({op})")) && text.contains("zeros around");
        assert!(code == 4 && named, "{op}: {text}");
    }
    let (code, text) = refused(vec![node("Pad", &["x"], "y", &[around])], &[]);
    assert_eq!(code, 4, "{text}");
}
