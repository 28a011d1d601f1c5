//! Convolution against its definition: random shapes, exact integers, threads, batches,
//! derivatives, refusals.

mod case;
mod winograd;

use crate::common::{Slice, bits, check_gradient, dense, dot, integers, pools, reals};
use case::{Case, Operands, Results, cases, expected, forward, large_cases, run, winograd_cases};
use inception_ops::conv2d::{self, Filter, Method, Weight, reference};
use inception_ops::{Activation, Window};
use inception_tensor::{Element, Pool, Shape, Tensor, View, ViewMut};
use proptest::prelude::*;

fn assert_equal<T: Element>(case: &Case, found: &Results<T>, expected: &Results<T>) {
    assert_eq!(found.y, expected.y, "y of {case:?}");
    assert_eq!(found.dx, expected.dx, "dx of {case:?}");
    assert_eq!(found.dw, expected.dw, "dw of {case:?}");
    assert_eq!(found.db, expected.db, "db of {case:?}");
}

fn check_integers<T: Element>(case: &Case) {
    let operands = Operands::<T>::new(case, integers);
    let activation = [Activation::None, Activation::Relu][case.seed as usize % 2];
    let found = run(&Pool::new(2).unwrap(), case, &operands, activation);
    assert_equal(case, &found, &expected(case, &operands, activation));
}

fn all_bits<T: Element>(results: &Results<T>) -> Vec<Vec<u64>> {
    let maps = results.y.iter().chain(&results.dw).chain([&results.dx]);
    let sums = results.db.iter().map(|db| bits(db));
    maps.map(|map| bits(map.data())).chain(sums).collect()
}

#[test]
fn large_integer_convolutions_are_exact() {
    for (i, case) in large_cases().into_iter().enumerate() {
        for gap in [0, 2] {
            let seed = i as u64;
            check_integers::<f32>(&Case {
                gap,
                seed,
                ..case.clone()
            });
        }
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let pools = pools();
    for case in large_cases().into_iter().chain(winograd_cases()) {
        let operands = Operands::<f32>::new(&case, reals);
        let one = all_bits(&run(&pools[0], &case, &operands, Activation::Relu));
        for pool in &pools[1..] {
            let many = all_bits(&run(pool, &case, &operands, Activation::Relu));
            assert!(one == many, "{pool:?}: {case:?}");
        }
    }
}

#[test]
fn an_image_has_the_same_bits_alone_as_in_a_batch() {
    let pool = Pool::new(2).unwrap();
    for case in large_cases().into_iter().chain(winograd_cases()) {
        let batch = Case {
            x: Shape { n: 5, ..case.x },
            ..case
        };
        let operands = Operands::<f32>::new(&batch, reals);
        let together = forward(&pool, &batch, &operands, Activation::None);
        for image in [0, 4] {
            let case = Case {
                x: Shape { n: 1, ..batch.x },
                ..batch.clone()
            };
            let x = dense(operands.x.view().images(image, 1));
            let alone = Operands {
                x: Slice::from_fn(case.x, 0, |i| x.data()[i]),
                weights: operands.weights.clone(),
                biases: operands.biases.clone(),
                dy: Vec::new(),
            };
            let alone = forward(&pool, &case, &alone, Activation::None);
            for (together, alone) in together.iter().zip(&alone) {
                let image = dense(together.view().images(image, 1));
                assert!(bits(image.data()) == bits(alone.data()), "{case:?}");
            }
        }
    }
}

#[test]
fn siblings_have_the_same_bits_together_as_apart() {
    let pool = Pool::new(2).unwrap();
    for case in large_cases().into_iter().chain(winograd_cases()) {
        let case = Case {
            banks: vec![33, 16, 70],
            ..case
        };
        let operands = Operands::<f32>::new(&case, reals);
        let together = forward(&pool, &case, &operands, Activation::Relu);
        for (bank, y) in together.iter().enumerate() {
            let one = Case {
                banks: vec![case.banks[bank]],
                ..case.clone()
            };
            let alone = Operands {
                x: operands.x.clone(),
                weights: vec![operands.weights[bank].clone()],
                biases: vec![operands.biases[bank].clone()],
                dy: Vec::new(),
            };
            let alone = forward(&pool, &one, &alone, Activation::Relu);
            assert!(bits(y.data()) == bits(alone[0].data()), "{case:?}");
        }
    }
}

#[test]
fn errors_stay_below_the_bound_of_rounded_sums() {
    let pool = Pool::new(2).unwrap();
    for case in large_cases() {
        let operands = Operands::<f32>::new(&case, reals);
        let found = forward(&pool, &case, &operands, Activation::None);
        for (bank, y) in found.iter().enumerate() {
            let (x, w) = (
                dense(operands.x.view()),
                dense(operands.weights[bank].view()),
            );
            let bias = operands.biases[bank]
                .clone()
                .unwrap_or(vec![0.0; y.shape().c]);
            let bound = |f: fn(f64) -> f64| {
                let map =
                    |t: &Tensor<f32>| Tensor::from_fn(t.shape(), |i| f(f64::from(t.data()[i])));
                let bias: Vec<f64> = bias.iter().map(|&b| f(f64::from(b))).collect();
                reference::forward(&case.window, map(&x).view(), map(&w).view(), Some(&bias))
            };
            let (exact, sizes) = (bound(|x| x), bound(f64::abs));
            let terms = (case.weight(bank).rows() + 1) as f64;
            for (i, &y) in y.data().iter().enumerate() {
                let error = (f64::from(y) - exact.data()[i]).abs();
                let limit = 2.0 * terms * f64::from(f32::EPSILON) * sizes.data()[i];
                assert!(error <= limit, "{error} > {limit} in {case:?}");
            }
        }
    }
}

#[test]
fn relu_passes_a_nan_on() {
    let x = [f32::NAN, -1.0, 2.0];
    let mut y = [0.0; 3];
    let filter = Filter {
        weight: Weight::Plain(View::new(&[1.0], Shape::SCALAR)),
        bias: None,
    };
    let shape = Shape::new(1, 1, 3, 1);
    conv2d::forward(
        &Pool::serial(),
        &Method::direct(Window::square(1)),
        View::new(&x, shape),
        &[filter],
        Activation::Relu,
        &mut [ViewMut::new(&mut y, shape)],
        &mut [0.0; 32],
    );
    assert!(y[0].is_nan() && y[1..] == [0.0, 2.0], "{y:?}");
}

#[test]
fn a_hand_made_convolution_is_not_flipped() {
    // Rows 1 2 3 / 4 5 6 / 7 8 9 by the filter 1 10 / 100 1000.
    let x: Vec<f64> = (1..10).map(f64::from).collect();
    let weight = [1.0, 10.0, 100.0, 1000.0];
    let case = Case::new(Window::square(2), [1, 3, 3, 1], &[1]);
    let operands = Operands {
        x: Slice::from_fn(case.x, 0, |i| x[i]),
        weights: vec![Slice::from_fn(case.weight(0), 0, |i| weight[i])],
        biases: vec![None],
        dy: vec![Slice::from_fn(case.y(0), 0, |i| weight[i])],
    };
    let found = run(&Pool::serial(), &case, &operands, Activation::None);
    assert_eq!(found.y[0].data(), [5421.0, 6532.0, 8754.0, 9865.0]);
    assert_eq!(found.dw[0].data(), [5421.0, 6532.0, 8754.0, 9865.0]);
    let dx = [
        1.0,
        20.0,
        100.0,
        200.0,
        4000.0,
        20_000.0,
        10_000.0,
        200_000.0,
        1_000_000.0,
    ];
    assert_eq!(found.dx.data(), dx);
    assert_eq!(found.db[0], [1111.0]);
}

#[test]
fn refusals_name_the_operator_and_both_shapes() {
    let message = |window: Window, x: [usize; 4], weight: [usize; 4]| {
        let error = conv2d::shape(&window, x.into(), weight.into()).unwrap_err();
        error.to_string()
    };
    let three = Window::square(3);
    assert_eq!(
        message(three, [1, 8, 8, 16], [3, 3, 15, 4]),
        "conv2d: weight [3, 3, 15, 4] (kh, kw, c_in, c_out) reads 15 channels, \
         input [1, 8, 8, 16] has 16"
    );
    assert_eq!(
        message(three, [1, 8, 8, 16], [3, 5, 16, 4]),
        "conv2d: weight [3, 5, 16, 4] (kh, kw, c_in, c_out) does not match a window of 3×3"
    );
    assert_eq!(
        message(three, [1, 8, 8, 16], [3, 3, 16, 0]),
        "conv2d: weight [3, 3, 16, 0] (kh, kw, c_in, c_out) needs at least one channel in and out"
    );
    assert_eq!(
        message(three, [1, 2, 8, 16], [3, 3, 16, 4]),
        "conv2d: window of 3×3 pixels (kernel 3×3, dilation 1×1) does not fit input 2×8 \
         with padding 0+0, 0+0"
    );
    assert_eq!(
        message(three.stride(0), [1, 8, 8, 16], [3, 3, 16, 4]),
        "conv2d: stride 0×0 must be at least 1×1"
    );
    assert_eq!(
        message(three.padding(1), [1, 0, 8, 16], [3, 3, 16, 4]),
        "conv2d: input of 0×8 pixels is empty"
    );
}

#[test]
#[should_panic(expected = "conv2d: workspace of 0 numbers, needs 576")]
fn a_short_workspace_is_refused() {
    let case = Case::new(Window::square(3), [1, 5, 5, 2], &[2]);
    let operands = Operands::<f32>::new(&case, integers);
    conv2d::backward_input(
        &Pool::serial(),
        &case.method(),
        &[operands.dy[0].view()],
        &[operands.weights[0].view()],
        Tensor::zeros(case.x).view_mut(),
        &mut [],
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn small_integer_convolutions_are_exact(case in cases(9, 7, 3)) {
        check_integers::<f32>(&case);
    }

    #[test]
    fn gradients_are_the_derivatives(case in cases(7, 5, 2)) {
        check_gradients(&case);
    }

    #[test]
    fn the_backward_pass_is_the_transpose(case in cases(9, 7, 3)) {
        check_transpose(&case);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn medium_integer_convolutions_are_exact(case in cases(24, 40, 3)) {
        check_integers::<f32>(&case);
    }
}

/// With the loss `Σ u·y + y²/2`, whose derivative by `y` is `u + y`.
fn check_gradients(case: &Case) {
    let pool = Pool::serial();
    let case = Case {
        banks: case.banks[..1].to_vec(),
        seed: case.seed & !1,
        ..case.clone()
    };
    let operands = Operands::<f64>::new(&case, reals);
    let u = dense(operands.dy[0].view());
    let loss = |operands: &Operands<f64>| {
        let y = &forward(&pool, &case, operands, Activation::None)[0];
        dot(u.data(), y.data()) + 0.5 * dot(y.data(), y.data())
    };
    let y = &forward(&pool, &case, &operands, Activation::None)[0];
    let at = Operands {
        dy: vec![Slice::from_fn(case.y(0), case.gap, |i| {
            u.data()[i] + y.data()[i]
        })],
        x: operands.x.clone(),
        weights: operands.weights.clone(),
        biases: operands.biases.clone(),
    };
    let results = run(&pool, &case, &at, Activation::None);
    let bias = at.biases[0]
        .clone()
        .expect("an even seed gives the bank a bias");
    let moved = |x: Option<&[f64]>, w: Option<&[f64]>, b: Option<&[f64]>| Operands {
        x: x.map_or(at.x.clone(), |x| Slice::from_fn(case.x, case.gap, |i| x[i])),
        weights: vec![w.map_or(at.weights[0].clone(), |w| {
            Slice::from_fn(case.weight(0), case.gap, |i| w[i])
        })],
        biases: vec![Some(b.map_or(bias.clone(), <[f64]>::to_vec))],
        dy: Vec::new(),
    };
    let (x, w) = (dense(at.x.view()), dense(at.weights[0].view()));
    for direction in 0..3 {
        let key = [case.seed, direction];
        check_gradient("x", x.data(), results.dx.data(), 1e-8, &key, |x| {
            loss(&moved(Some(x), None, None))
        });
        check_gradient("w", w.data(), results.dw[0].data(), 1e-8, &key, |w| {
            loss(&moved(None, Some(w), None))
        });
        check_gradient("b", &bias, &results.db[0], 1e-8, &key, |b| {
            loss(&moved(None, None, Some(b)))
        });
    }
}

/// `⟨conv(v, w), u⟩ = ⟨v, convᵀ(u, w)⟩ = ⟨w, dw(v, u)⟩`, over the size of the terms.
fn check_transpose(case: &Case) {
    let pool = Pool::serial();
    let mut operands = Operands::<f64>::new(case, reals);
    operands.biases.fill(None);
    let results = run(&pool, case, &operands, Activation::None);
    let x = dense(operands.x.view());
    let mut sums = [0.0, dot(x.data(), results.dx.data()), 0.0];
    let mut size = 0.0;
    for (bank, y) in results.y.iter().enumerate() {
        let (u, w) = (
            dense(operands.dy[bank].view()),
            dense(operands.weights[bank].view()),
        );
        sums[0] += dot(y.data(), u.data());
        sums[2] += dot(w.data(), results.dw[bank].data());
        size += (dot(y.data(), y.data()) * dot(u.data(), u.data())).sqrt();
    }
    for sum in sums {
        assert!(
            (sum - sums[0]).abs() <= 1e-12 * size,
            "{sums:?} in {case:?}"
        );
    }
}
