//! Every operator's gradient, over random shapes, against finite differences in `f64`.

use crate::common::Net;
use inception_autograd::{DType, RunningStatistics, Var};
use inception_ops::{PadCount, Window, lrn};
use inception_tensor::{Shape, Stream, Tensor};

/// Checks `shapes` random instances of what `build` records; `build` returns a map, whose
/// loss is its sum weighted by a random probe.
fn check(shapes: u64, tolerance: f64, build: impl Fn(&mut Net) -> Option<Var>) {
    let mut checked = 0;
    for seed in 0.. {
        let mut net = Net::new(seed);
        let Some(y) = build(&mut net) else { continue };
        let loss = probe(&mut net, y);
        let worst = net.problem(loss).check(3, seed).unwrap();
        assert!(worst.relative_error <= tolerance, "seed {seed}: {worst:?}");
        checked += 1;
        if checked == shapes {
            return;
        }
    }
}

/// `y` as a scalar: flattened, times a random column.
fn probe(net: &mut Net, y: Var) -> Var {
    let flat = net.graph.flatten("probe", y).unwrap();
    let s = net.graph.shape(flat);
    let weight = net.param(Shape::new(1, 1, s.c, 1));
    let rows = net.graph.linear("probe", flat, weight, None).unwrap();
    let column = inception_autograd::Reshape {
        shape: Shape::new(1, s.n, 1, 1),
    };
    let column = net.graph.push_one("probe", column, &[rows]).unwrap();
    net.graph.global_avg_pool("probe", column).unwrap()
}

fn random_map(net: &mut Net) -> Var {
    let shape = Shape::new(
        1 + net.below(3),
        1 + net.below(7),
        1 + net.below(7),
        1 + net.below(6),
    );
    net.map(shape)
}

fn random_window(net: &mut Net) -> Window {
    let mut window = Window::new(1 + net.below(4), 1 + net.below(4));
    window.stride = [1 + net.below(3), 1 + net.below(3)];
    window.padding = [0, 1].map(|d: usize| {
        let limit = window.kernel[d] / 2 + 1;
        [net.below(limit), net.below(limit)]
    });
    if net.below(3) == 0 {
        window.ceil()
    } else {
        window
    }
}

#[test]
fn conv2d() {
    check(200, 1e-8, |net| {
        let x = random_map(net);
        let mut window = random_window(net);
        window.rounding = Default::default();
        window.dilation = [1 + net.below(3), 1 + net.below(3)];
        let s = net.graph.shape(x);
        window.output("conv2d", [s.h, s.w]).ok()?;
        let (c, bias) = (1 + net.below(5), net.below(2) == 0);
        Some(net.conv("conv", x, window, c, bias))
    });
}

#[test]
fn siblings_of_one_input() {
    check(100, 1e-8, |net| {
        let x = random_map(net);
        let parts: Vec<Var> = (0..3)
            .map(|i| net.conv(&format!("b{i}"), x, Window::square(1), 1 + i, true))
            .collect();
        Some(net.graph.concat("concat", &parts).unwrap())
    });
}

#[test]
fn linear() {
    check(200, 1e-8, |net| {
        let (n, c, k) = (1 + net.below(4), 1 + net.below(9), 1 + net.below(6));
        let x = net.map(Shape::matrix(n, c));
        let (w, b) = (
            net.param(Shape::new(1, 1, c, k)),
            net.param(Shape::vector(k)),
        );
        Some(net.graph.linear("fc", x, w, Some(b)).unwrap())
    });
}

#[test]
fn max_pool() {
    check(200, 1e-8, |net| {
        // Distinct numbers far apart, in random order: no stencil changes the winner.
        let x = random_map(net);
        let shape = net.graph.shape(x);
        let mut order: Vec<usize> = (0..shape.len()).collect();
        net.stream.shuffle(&mut order);
        let data = order.iter().map(|&i| 0.05 * i as f64).collect();
        let id = inception_autograd::ParamId(0);
        net.params
            .insert(id, inception_tensor::Tensor::from_vec(shape, data));
        let window = random_window(net);
        net.graph.max_pool("pool", window, x).ok()
    });
}

#[test]
fn avg_pool() {
    check(200, 1e-8, |net| {
        let x = random_map(net);
        let window = random_window(net);
        let count = [PadCount::Include, PadCount::Exclude][net.below(2)];
        net.graph.avg_pool("pool", window, count, x).ok()
    });
}

#[test]
fn adaptive_avg_pool() {
    check(200, 1e-8, |net| {
        let x = random_map(net);
        let s = net.graph.shape(x);
        let output = [1 + net.below(s.h), 1 + net.below(s.w)];
        Some(net.graph.adaptive_avg_pool("pool", output, x).unwrap())
    });
}

#[test]
fn relu_sum_and_concat() {
    check(200, 1e-8, |net| {
        let x = random_map(net);
        let shape = net.graph.shape(x);
        let other = net.map(shape);
        let positive = net.graph.relu("relu", x).unwrap();
        let sum = net
            .graph
            .sum("sum", &[(positive, 0.3), (other, -1.7), (other, 0.5)])
            .unwrap();
        Some(net.graph.concat("concat", &[sum, positive, other]).unwrap())
    });
}

#[test]
fn local_response_normalisation() {
    check(200, 1e-7, |net| {
        let x = random_map(net);
        let constants = lrn::Lrn {
            size: 1 + net.below(6),
            alpha: net.stream.range(0.01, 2.0),
            beta: [0.75, 0.5, 1.1][net.below(3)],
            k: net.stream.range(0.5, 2.0),
            alpha_scale: [lrn::AlphaScale::BySize, lrn::AlphaScale::Plain][net.below(2)],
        };
        Some(net.graph.lrn("lrn", constants, x).unwrap())
    });
}

#[test]
fn batch_norm() {
    check(200, 1e-6, |net| {
        let x = random_map(net);
        (net.graph.shape(x).rows() > 3).then(|| net.batch_norm("bn", x))
    });
}

#[test]
fn batch_norm_with_fixed_statistics() {
    check(200, 1e-7, |net| {
        let x = random_map(net);
        let c = net.graph.shape(x).c;
        let [gamma, beta] = [0; 2].map(|_| net.param(Shape::vector(c)));
        // Statistics are constants: their gradient is not asked for.
        let [mean, var] = [0.2, 0.7].map(|value| {
            let shape = Shape::vector(c);
            let fill = inception_autograd::Fill { shape, value };
            net.graph.push_one("statistics", fill, &[]).unwrap()
        });
        let running = RunningStatistics { mean, var };
        Some(
            net.graph
                .batch_norm_eval("bn", 1e-3, x, gamma, beta, running)
                .unwrap(),
        )
    });
}

#[test]
fn dropout() {
    check(200, 1e-8, |net| {
        let x = random_map(net);
        let rate = net.stream.range(0.0, 0.9);
        Some(net.graph.dropout("dropout", rate, x).unwrap())
    });
}

/// Checks the loss against what `targets` makes, rows of as many numbers as there are logits.
fn check_cross_entropy(targets: impl Fn(&mut Net, Shape) -> Var) {
    for seed in 0..200 {
        let mut net = Net::new(seed);
        let shape = Shape::matrix(1 + net.below(4), 1 + net.below(6));
        let logits = net.map(shape);
        let targets = targets(&mut net, shape);
        let smoothing = Stream::new(&[seed]).range(0.0, 0.9);
        let a = net
            .graph
            .cross_entropy("loss", smoothing, logits, targets)
            .unwrap();
        let loss = net.graph.sum("total", &[(a, 0.3), (a, 0.7)]).unwrap();
        let worst = net.problem(loss).check(3, seed).unwrap();
        assert!(worst.relative_error <= 1e-8, "seed {seed}: {worst:?}");
    }
}

#[test]
fn cross_entropy_of_labels() {
    check_cross_entropy(|net, logits| net.labels(logits.n, logits.c as u64));
}

#[test]
fn cross_entropy_of_shares() {
    check_cross_entropy(|net, logits| {
        let shares = net.graph.input(logits, DType::Real);
        let mut rows: Vec<f64> = (0..logits.len()).map(|_| net.stream.uniform()).collect();
        for row in rows.chunks_exact_mut(logits.c) {
            let sum: f64 = row.iter().sum();
            row.iter_mut().for_each(|x| *x /= sum);
        }
        net.inputs.push((shares, Tensor::from_vec(logits, rows)));
        shares
    });
}

#[test]
fn softmax_alone_is_refused_by_name() {
    let mut net = Net::new(0);
    let x = net.param(Shape::matrix(1, 3));
    let y = net.graph.softmax("classifier", x).unwrap();
    let loss = probe(&mut net, y);
    let error = inception_autograd::differentiate(&mut net.graph, loss, &[x]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "classifier: softmax cannot be differentiated"
    );
}
