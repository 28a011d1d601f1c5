//! Softmax and cross-entropy against their definitions, extreme logits, threads,
//! derivatives, refusals.

use crate::common::cases::{
    MANY, Map, as_map, check_smooth, distance, maps, same_on_all_pools, written,
};
use crate::common::{dense, dot, reals};
use inception_ops::softmax::{self, Targets, reference};
use inception_tensor::{Element, Pool, Shape, Tensor, View, ViewMut};
use proptest::prelude::*;

/// A batch of logits with labels.
#[derive(Clone, Debug)]
struct Batch {
    map: Map,
    labels: Vec<u32>,
    smoothing: f64,
}

fn batches(classes: usize) -> impl Strategy<Value = Batch> {
    let parts = (1..=9usize, 1..=classes, 0..3usize, any::<u64>());
    (parts, prop_oneof![Just(0.0), Just(0.1), 0.0..0.99]).prop_map(
        |((n, classes, gap, seed), smoothing)| Batch {
            map: Map {
                shape: Shape::matrix(n, classes),
                gap,
                seed,
            },
            labels: (0..n as u64)
                .map(|i| inception_tensor::Stream::new(&[seed, 7]).at(i) as u32 % classes as u32)
                .collect(),
            smoothing,
        },
    )
}

/// What one evaluation gives.
struct Outcome<T> {
    loss: T,
    log_probs: Tensor<T>,
    dlogits: Tensor<T>,
}

/// Forward and backward with `dloss` = 1 into maps with the batch's gap.
fn evaluate<T: Element>(batch: &Batch, logits: View<'_, T>) -> Outcome<T> {
    let pool = Pool::new(2).unwrap();
    let targets = Targets::Labels(&batch.labels);
    let mut loss = T::nan();
    let log_probs = written(&batch.map, |to: ViewMut<'_, T>| {
        softmax::cross_entropy(&pool, batch.smoothing, logits, targets, to, &mut loss);
    });
    let dlogits = written(&batch.map, |to| {
        let p = log_probs.view();
        softmax::cross_entropy_backward(&pool, batch.smoothing, p, targets, T::one(), to);
    });
    Outcome {
        loss,
        log_probs,
        dlogits,
    }
}

/// Logits in `[-8, 8)`.
fn logits<T: Element>(key: &[u64]) -> impl FnMut(usize) -> T + use<T> {
    let mut fill = reals::<T>(key);
    move |i| fill(i) * T::of(8.0)
}

fn equals_the_reference<T: Element>(batch: &Batch, tolerance: f64) {
    let x = batch.map.operand(0, logits::<T>);
    let pool = Pool::new(2).unwrap();
    let p = written(&batch.map, |y| softmax::forward(&pool, x.view(), y));
    // In double precision, from the same numbers.
    let exact = dense(x.view()).cast::<f64>();
    let expected = reference::forward(&exact);
    for (p, e) in p.data().iter().zip(expected.data()) {
        assert!((p.f64() - e).abs() <= tolerance * e, "{p} {e}");
    }
    let out = evaluate(batch, x.view());
    let loss = reference::cross_entropy(batch.smoothing, &exact, &batch.labels);
    assert!((out.loss.f64() - loss).abs() <= tolerance * loss.max(1.0));
    let d = reference::cross_entropy_backward(batch.smoothing, &exact, &batch.labels, 1.0);
    for (found, expected) in out.dlogits.data().iter().zip(d.data()) {
        assert!((found.f64() - expected).abs() <= tolerance);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(MANY))]

    #[test]
    fn probabilities_loss_and_gradient_equal_the_reference(batch in batches(40)) {
        equals_the_reference::<f32>(&batch, 4e-6);
        equals_the_reference::<f64>(&batch, 1e-13);
    }

    #[test]
    fn probabilities_of_maps_sum_to_1(map in maps(5, 30)) {
        let x = map.operand(0, logits::<f32>);
        let y = written(&map, |y| softmax::forward(&Pool::serial(), x.view(), y));
        for p in 0..map.shape.rows() {
            let sum: f64 = y.view().row(p).iter().map(|&p| f64::from(p)).sum();
            prop_assert!((sum - 1.0).abs() <= 1e-6);
        }
        prop_assert!(distance(y.data(), reference::forward(&dense(x.view())).data()) <= 1e-5);
    }

    #[test]
    fn the_gradient_is_the_derivative(batch in batches(9)) {
        let x = Tensor::from_fn(batch.map.shape, reals::<f64>(&[batch.map.seed, 1]));
        let d = evaluate(&batch, x.view()).dlogits;
        for direction in 0..3 {
            let key = [batch.map.seed, direction];
            check_smooth("cross_entropy", x.data(), d.data(), &key, |x| {
                evaluate(&batch, as_map(x, batch.map.shape)).loss
            });
        }
        // A gradient along the direction in which softmax does not change.
        for row in d.data().chunks(batch.map.shape.c) {
            prop_assert!(row.iter().sum::<f64>().abs() <= 1e-14);
        }
    }
}

/// The outcome for one row of logits with label 0.
fn row(logits: &[f32], smoothing: f64) -> Outcome<f32> {
    let batch = Batch {
        map: Map::new([1, 1, 1, logits.len()]),
        labels: vec![0],
        smoothing,
    };
    evaluate(&batch, View::vector(logits))
}

#[test]
fn extreme_logits_give_finite_losses_and_gradients() {
    for logits in [
        vec![1e4, -1e4, 0.0],
        vec![-1e4, 1e4, 1e4],
        vec![0.0, 104.0, -104.0],
        vec![3.0; 1000],
        vec![-3.0e38, 3.0e38],
    ] {
        for smoothing in [0.0, 0.1] {
            let out = row(&logits, smoothing);
            let last = logits == [-3.0e38, 3.0e38];
            assert!(last || out.loss.is_finite(), "{logits:?}");
            assert!(last || out.log_probs.data().iter().all(|p| p.is_finite()));
            assert!(out.dlogits.data().iter().all(|d| d.is_finite()));
        }
    }
    assert_eq!(row(&[-1e4, 1e4], 0.0).loss, 2e4);
    assert_eq!(row(&[-1e4, 1e4], 0.0).dlogits.data(), [-1.0, 1.0]);
}

#[test]
fn equal_logits_give_the_logarithm_of_the_classes() {
    let out = row(&[7.5; 1000], 0.1);
    assert!((f64::from(out.loss) - 1000f64.ln()).abs() < 1e-6);
}

#[test]
fn one_class_is_certain() {
    let out = row(&[-123.0], 0.3);
    assert_eq!((out.loss, out.dlogits.data()), (0.0, &[0.0][..]));
}

#[test]
fn a_logit_of_negative_infinity_has_probability_0_and_a_finite_loss() {
    let out = row(&[1.0, f32::NEG_INFINITY], 0.0);
    assert_eq!((out.loss, out.dlogits.data()), (0.0, &[0.0, 0.0][..]));
}

#[test]
fn a_nan_spoils_its_row_and_the_loss_but_no_other_row() {
    let x = Tensor::from_vec(Shape::matrix(2, 2), vec![f32::NAN, 0.0, 1.0, 2.0]);
    let batch = Batch {
        map: Map::new([2, 1, 1, 2]),
        labels: vec![0, 1],
        smoothing: 0.0,
    };
    let out = evaluate(&batch, x.view());
    assert!(out.loss.is_nan() && out.log_probs.data()[..2].iter().all(|p| p.is_nan()));
    assert!(out.log_probs.data()[2..].iter().all(|p| p.is_finite()));
}

#[test]
fn threads_do_not_change_a_bit_nor_does_the_batch() {
    let map = Map::new([37, 1, 1, 1001]);
    let x = map.operand(0, logits::<f32>);
    let labels: Vec<u32> = (0..37).map(|i| i * 27).collect();
    let targets = Targets::Labels(&labels);
    same_on_all_pools(|pool| {
        let mut loss = 0.0;
        let [mut p, mut log, mut d] = [(); 3].map(|()| Tensor::zeros(map.shape));
        softmax::forward(pool, x.view(), p.view_mut());
        softmax::cross_entropy(pool, 0.1, x.view(), targets, log.view_mut(), &mut loss);
        softmax::cross_entropy_backward(pool, 0.1, log.view(), targets, 0.5, d.view_mut());
        [p.into_vec(), log.into_vec(), d.into_vec(), vec![loss]].concat()
    });
    let mut batch = Tensor::zeros(map.shape);
    softmax::forward(&Pool::serial(), x.view(), batch.view_mut());
    let mut alone = Tensor::zeros(Shape::matrix(1, 1001));
    softmax::forward(&Pool::serial(), x.view().images(20, 1), alone.view_mut());
    assert_eq!(alone.data(), batch.view().row(20));
}

#[test]
fn the_gradient_scales_with_that_of_the_loss() {
    let log_probs = Tensor::from_fn(Shape::matrix(2, 2), |_| 0.5f64.ln());
    let mut d = Tensor::zeros(log_probs.shape());
    softmax::cross_entropy_backward(
        &Pool::serial(),
        0.2,
        log_probs.view(),
        Targets::Labels(&[0, 1]),
        8.0,
        d.view_mut(),
    );
    let expected = [-1.6, 1.6, 1.6, -1.6];
    assert!(dot(d.data(), &expected) > 10.0 && distance(d.data(), &expected) < 1e-15);
}

#[test]
fn settings_and_shapes_out_of_range_are_refused() {
    let logits = Shape::matrix(2, 10);
    assert_eq!(softmax::check(0.0, logits), Ok(()));
    let message = |smoothing, shape| softmax::check(smoothing, shape).unwrap_err().to_string();
    assert_eq!(
        message(1.0, logits),
        "cross_entropy: label smoothing must be at least 0 and below 1, found 1"
    );
    assert!(message(-0.5, logits).ends_with("found -0.5"));
    assert!(message(f64::NAN, logits).ends_with("found NaN"));
    assert_eq!(
        message(0.1, Shape::new(2, 3, 1, 10)),
        "cross_entropy: logits must be [n, 1, 1, classes] with n and classes above 0, found \
         [2, 3, 1, 10]"
    );
    assert!(message(0.1, Shape::matrix(0, 10)).ends_with("found [0, 1, 1, 10]"));
    assert!(message(0.1, Shape::matrix(2, 0)).ends_with("found [2, 1, 1, 0]"));
}

#[test]
#[should_panic(expected = "cross_entropy: label 1 is 3 of 3 classes")]
fn a_label_beyond_the_classes_is_refused() {
    let batch = Batch {
        map: Map::new([2, 1, 1, 3]),
        labels: vec![0, 3],
        smoothing: 0.0,
    };
    evaluate(&batch, Tensor::<f32>::zeros(batch.map.shape).view());
}

#[test]
#[should_panic(expected = "cross_entropy: labels of [2, 1, 1, 3]")]
fn a_label_too_few_is_refused() {
    let batch = Batch {
        map: Map::new([2, 1, 1, 3]),
        labels: vec![0],
        smoothing: 0.0,
    };
    evaluate(&batch, Tensor::<f32>::zeros(batch.map.shape).view());
}

/// One class alone, and smoothing, are what the plain loss knows.
#[test]
fn shares_of_one_class_are_its_label_and_mixed_shares_mix_the_losses() {
    let (shape, pool) = (Shape::matrix(3, 5), Pool::serial());
    let mut fill = logits::<f64>(&[5]);
    let x = Tensor::from_fn(shape, &mut fill);
    let (a, b) = ([0u32, 4, 2], [3u32, 4, 1]);
    let against = |targets: Targets<'_, f64>| {
        let (mut log, mut d, mut loss) = (Tensor::zeros(shape), Tensor::zeros(shape), 0.0);
        softmax::cross_entropy(&pool, 0.1, x.view(), targets, log.view_mut(), &mut loss);
        softmax::cross_entropy_backward(&pool, 0.1, log.view(), targets, 1.0, d.view_mut());
        (loss, d)
    };
    let [(loss_a, d_a), (loss_b, d_b)] = [&a, &b].map(|labels| against(Targets::Labels(labels)));
    for keep in [1.0, 0.3] {
        let share = |i: usize| {
            let of = |labels: &[u32]| f64::from(u8::from(labels[i / 5] as usize == i % 5));
            keep * of(&a) + (1.0 - keep) * of(&b)
        };
        let shares = Tensor::from_fn(shape, share);
        let (loss, d) = against(Targets::Shares(shares.view()));
        assert!((loss - keep * loss_a - (1.0 - keep) * loss_b).abs() < 1e-12);
        for (d, (a, b)) in d.data().iter().zip(d_a.data().iter().zip(d_b.data())) {
            assert!((d - keep * a - (1.0 - keep) * b).abs() < 1e-12);
        }
    }
}
