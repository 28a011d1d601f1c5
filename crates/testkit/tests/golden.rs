//! The committed fixtures against naive f64 code: formula, names, layouts and samples of
//! the script and of this crate fit together.

use inception_testkit::formula::{GAIN_LINEAR, Kind, input, labels, parameter, probe};
use inception_testkit::{Golden, GoldenError, Tolerance, assert_close};

const TIGHT: Tolerance = Tolerance::relative(1e-12);
/// For tensors that the fixture keeps in f32.
const STORED_F32: Tolerance = Tolerance::relative(1e-7);

const FIXTURES: [&str; 6] = [
    "googlenet_paper",
    "googlenet_torchvision",
    "inception_aux",
    "inception_module",
    "ops",
    "simple_inception",
];

fn wide(values: Vec<f32>) -> Vec<f64> {
    values.into_iter().map(f64::from).collect()
}

fn weights(name: &str, shape: &[usize]) -> Vec<f64> {
    wide(parameter(name, shape, Kind::of(name, shape, GAIN_LINEAR)))
}

/// A square-kernel convolution of stride 1 that keeps the extent, in NCHW and OIHW.
fn conv(
    x: &[f64],
    [n, c, h, w]: [usize; 4],
    key: &str,
    out: usize,
    k: usize,
    dilation: usize,
) -> Vec<f64> {
    let (prefix, pad) = (key, (k / 2 * dilation) as isize);
    let part = |last: &str| match prefix {
        "" => last.to_owned(),
        _ => format!("{prefix}.{last}"),
    };
    let weight = weights(&part("weight"), &[out, c, k, k]);
    let bias = weights(&part("bias"), &[out]);
    let inside = |at: isize, extent: usize| (0..extent as isize).contains(&at);
    let mut y = Vec::with_capacity(n * out * h * w);
    for image in x.chunks_exact(c * h * w) {
        for o in 0..out {
            let mut plane = vec![bias[o]; h * w];
            for tap in 0..c * k * k {
                let (i, ky, kx) = (tap / (k * k), tap / k % k, tap % k);
                let factor = weight[o * c * k * k + tap];
                let (dy, dx) = (
                    (ky * dilation) as isize - pad,
                    (kx * dilation) as isize - pad,
                );
                for row in (0..h).filter(|&row| inside(row as isize + dy, h)) {
                    for col in (0..w).filter(|&col| inside(col as isize + dx, w)) {
                        let (sy, sx) = (row as isize + dy, col as isize + dx);
                        plane[row * w + col] +=
                            factor * image[(i * h + sy as usize) * w + sx as usize];
                    }
                }
            }
            y.extend(plane);
        }
    }
    y
}

/// 3×3 max pooling of stride 1 that keeps the extent.
fn max_pool(x: &[f64], h: usize, w: usize) -> Vec<f64> {
    let mut y = Vec::with_capacity(x.len());
    for plane in x.chunks_exact(h * w) {
        for p in 0..h * w {
            let (row, col) = (p / w, p % w);
            let rows = row.saturating_sub(1)..(row + 2).min(h);
            let cells =
                rows.flat_map(|r| &plane[r * w + col.saturating_sub(1)..r * w + (col + 2).min(w)]);
            y.push(cells.copied().fold(f64::NEG_INFINITY, f64::max));
        }
    }
    y
}

/// `[n, …]` tensors side by side along the channels.
fn concat(parts: &[Vec<f64>], n: usize) -> Vec<f64> {
    let image = |i: usize| {
        parts
            .iter()
            .flat_map(move |p| &p[p.len() / n * i..p.len() / n * (i + 1)])
    };
    (0..n).flat_map(image).copied().collect()
}

#[test]
fn every_fixture_is_read_and_says_what_made_it() {
    for name in FIXTURES {
        let golden = Golden::load(name).unwrap();
        assert_eq!(golden.metadata("torch"), Some("2.15.0"), "{name}");
        assert_eq!(golden.number("seed").unwrap(), 0.0, "{name}");
        assert!(golden.metadata("f32_deviation").is_some(), "{name}");
        for tensor in golden.names() {
            assert!(!tensor.contains('#'), "{name}: {tensor} was not joined");
            golden.shape(tensor).unwrap();
        }
    }
}

#[test]
fn the_loss_curves_fall_at_every_step() {
    for (fixture, curve) in [
        ("simple_inception", "curve"),
        ("googlenet_torchvision", "train/curve"),
    ] {
        let golden = Golden::load(fixture).unwrap();
        assert!(golden.number("lr").unwrap() > 0.0);
        let losses = &golden.tensor(curve).unwrap().data;
        assert_eq!(losses.len(), 10);
        assert!(losses.is_sorted_by(|a, b| a > b), "{losses:?}");
    }
}

#[test]
fn a_naive_dilated_convolution_is_the_fixtures() {
    let golden = Golden::load("ops").unwrap();
    let shape = [2, 4, 11, 10];
    let y = conv(&wide(input(&shape)), shape, "", 6, 3, 2);
    golden
        .check("conv2d_dilation2/output", &[2, 6, 11, 10], &y, TIGHT)
        .unwrap();
    let loss: f64 = y
        .iter()
        .zip(wide(probe(&[y.len()])))
        .map(|(y, r)| y * r)
        .sum();
    assert_close(
        "loss",
        [loss],
        &[golden.scalar("conv2d_dilation2/loss").unwrap()],
        TIGHT,
    );
}

#[test]
fn a_naive_simple_inception_has_the_fixtures_logits_and_sampled_gradient() {
    let golden = Golden::load("simple_inception").unwrap();
    let (n, side, classes, features) = (4, 32, 10, 352 * 32 * 32);
    let x = conv(
        &wide(input(&[n, 3, side, side])),
        [n, 3, side, side],
        "conv1",
        64,
        3,
        1,
    );
    let at = |x: &[f64], c: usize, key: &str, out: usize, k: usize| {
        conv(
            x,
            [n, c, side, side],
            &format!("inception1.{key}"),
            out,
            k,
            1,
        )
    };
    let y = concat(
        &[
            at(&x, 64, "conv1", 64, 1),
            at(&at(&x, 64, "conv3.0", 64, 1), 64, "conv3.1", 128, 3),
            at(&at(&x, 64, "conv5.0", 64, 1), 64, "conv5.1", 128, 5),
            at(&max_pool(&x, side, side), 64, "pool.1", 32, 1),
        ],
        n,
    );
    let (weight, bias) = (
        weights("fc.weight", &[classes, features]),
        weights("fc.bias", &[classes]),
    );
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut logits = Vec::new();
    let mut gradient = vec![0.0; weight.len()];
    for (image, label) in y.chunks_exact(features).zip(labels(n, classes)) {
        let row: Vec<f64> = (0..classes)
            .map(|k| bias[k] + dot(image, &weight[k * features..][..features]))
            .collect();
        let total: f64 = row.iter().map(|z| z.exp()).sum();
        for k in 0..classes {
            let error = (row[k].exp() / total - f64::from(u8::from(k == label))) / n as f64;
            for (g, y) in gradient[k * features..].iter_mut().zip(image) {
                *g += error * y;
            }
        }
        logits.extend(row);
    }
    golden
        .check("logits", &[n, classes], &logits, TIGHT)
        .unwrap();
    let (name, shape) = ("grad/fc.weight", [classes, features]);
    golden.check(name, &shape, &gradient, TIGHT).unwrap();
    assert!(
        golden.tensor(name).is_err(),
        "the fixture keeps samples only"
    );
    let found = golden.deviation(name, &shape, &gradient).unwrap();
    assert!(found.largest < 1e-12 && found.l2 < 1e-12, "{found:?}");

    // Each of the three things that are kept notices its own kind of error.
    let position = inception_testkit::formula::sample_positions("fc.weight", gradient.len())[5];
    let part_of = |gradient: &[f64]| match golden.check(name, &shape, gradient, STORED_F32) {
        Err(GoldenError::Mismatch { part, .. }) => part,
        other => panic!("{other:?}"),
    };
    let mut wrong = gradient.clone();
    wrong[position] += 1.0;
    assert_eq!(part_of(&wrong), "samples");
    let mut wrong = gradient.clone();
    wrong[position + 1] += 1e6;
    assert_eq!(part_of(&wrong), "L2 norm");
}

#[test]
fn a_transposed_tensor_is_refused_by_its_shape() {
    let golden = Golden::load("ops").unwrap();
    let error = golden
        .check("linear/output", &[11, 4], &[0.0; 44], TIGHT)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "fixture ops: tensor linear/output: shape [11, 4], expected [4, 11]"
    );
}

#[test]
fn an_unknown_tensor_and_an_unknown_fixture_are_named() {
    let golden = Golden::load("ops").unwrap();
    let error = golden.tensor("conv2d/outptu").unwrap_err();
    assert_eq!(error.to_string(), "fixture ops: no tensor conv2d/outptu");
    let error = Golden::load("opps").unwrap_err();
    assert!(
        error.to_string().contains("golden/opps.safetensors"),
        "{error}"
    );
}

#[test]
fn a_file_cut_short_is_an_error_that_names_it() {
    let whole = std::fs::read(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/golden/ops.safetensors"
    ))
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.safetensors");
    for length in [0, 7, 100, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).unwrap();
        let error = Golden::read(&path).unwrap_err();
        assert!(matches!(error, GoldenError::Format { .. }), "{error}");
        assert!(error.to_string().contains("cut.safetensors"), "{error}");
    }
}
