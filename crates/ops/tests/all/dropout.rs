//! Dropout: the mask that its documentation names, its mean, threads, derivatives, refusals.

use crate::common::cases::{MANY, Map, as_map, check_adjoint, maps, same_on_all_pools, written};
use crate::common::{bits, check_gradient, dense, dot, reals};
use inception_ops::dropout::{self, reference};
use inception_tensor::{Element, Pool, Shape, Stream, Tensor, View};
use proptest::prelude::*;

fn equals_the_reference<T: Element>(map: &Map, rate: f64) {
    let (pool, stream) = (Pool::new(2).unwrap(), Stream::new(&[map.seed, 5]));
    let x = map.operand(0, reals::<T>);
    let y = written(map, |y| dropout::apply(&pool, rate, &stream, x.view(), y));
    let expected = reference::apply(rate, &stream, &dense(x.view()));
    assert_eq!(bits(y.data()), bits(expected.data()));
}

/// Rates, among them numbers that the random numbers can equal.
fn rates() -> impl Strategy<Value = f64> {
    let exact = (0..1u32 << 24).prop_map(|k| f64::from(k) / f64::from(1u32 << 24));
    prop_oneof![Just(0.0), Just(0.4), Just(0.7), 0.0..0.9999, exact]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(MANY))]

    #[test]
    fn the_mask_is_the_documented_one(map in maps(9, 37), rate in rates()) {
        equals_the_reference::<f32>(&map, rate);
        equals_the_reference::<f64>(&map, rate);
    }

    #[test]
    fn the_gradient_is_the_derivative(map in maps(5, 9), rate in 0.0..0.9) {
        let (pool, stream) = (Pool::serial(), Stream::new(&[map.seed]));
        let run = |x: View<'_, f64>| {
            let mut y = Tensor::zeros(map.shape);
            dropout::apply(&pool, rate, &stream, x, y.view_mut());
            y
        };
        let v = Tensor::from_fn(map.shape, reals::<f64>(&[map.seed, 2]));
        let u = Tensor::from_fn(map.shape, reals::<f64>(&[map.seed, 3]));
        let dx = run(u.view());
        check_adjoint(run(v.view()).data(), u.data(), v.data(), dx.data());
        for d in 0..3 {
            check_gradient("dropout", v.data(), dx.data(), 1e-8, &[map.seed, d], |x| {
                dot(run(as_map(x, map.shape)).data(), u.data())
            });
        }
    }
}

#[test]
fn a_rate_that_random_numbers_equal_keeps_the_equal_ones() {
    let stream = Stream::new(&[11]);
    let x = Tensor::from_fn(Shape::vector(64), |_| 1.0f64);
    for i in 0..64 {
        let rate = f64::from(stream.uniform_at(i));
        let mut y = Tensor::zeros(x.shape());
        dropout::apply(&Pool::serial(), rate, &stream, x.view(), y.view_mut());
        assert!(y.data()[i as usize] > 0.0);
    }
}

#[test]
fn the_mean_stays() {
    let x = Tensor::from_fn(Shape::new(1, 50, 50, 40), |_| 1.0f32);
    for rate in [0.2, 0.4, 0.7] {
        let mut y = Tensor::zeros(x.shape());
        dropout::apply(
            &Pool::serial(),
            rate,
            &Stream::new(&[3]),
            x.view(),
            y.view_mut(),
        );
        let mean = y.data().iter().map(|&y| f64::from(y)).sum::<f64>() / 1e5;
        // Five standard deviations of the mean of 100 000 numbers.
        assert!(
            (mean - 1.0).abs() < 5.0 * (rate / (1.0 - rate) / 1e5).sqrt(),
            "{rate} {mean}"
        );
    }
}

#[test]
fn rate_0_is_the_identity_and_a_dropped_nan_is_0() {
    let map = Map::new([2, 3, 3, 5]);
    let x = map.operand(0, reals::<f32>);
    let y = written(&map, |y| {
        dropout::apply(&Pool::serial(), 0.0, &Stream::new(&[1]), x.view(), y);
    });
    assert_eq!(y, dense(x.view()));
    let nan = Tensor::from_fn(Shape::vector(100), |_| f32::NAN);
    let mut y = Tensor::zeros(nan.shape());
    dropout::apply(
        &Pool::serial(),
        0.5,
        &Stream::new(&[1]),
        nan.view(),
        y.view_mut(),
    );
    assert!(y.data().iter().any(|y| y.is_nan()) && y.data().contains(&0.0));
}

#[test]
fn threads_do_not_change_a_bit_nor_do_slices() {
    let map = Map::new([3, 29, 28, 65]);
    let x = map.operand(0, reals::<f32>);
    let stream = Stream::new(&[17]);
    same_on_all_pools(|pool| {
        let mut y = Tensor::zeros(map.shape);
        dropout::apply(pool, 0.4, &stream, x.view(), y.view_mut());
        y.into_vec()
    });
}

#[test]
fn rates_out_of_range_are_refused_with_their_value() {
    for rate in [0.0, 0.5, 0.999_999] {
        assert_eq!(dropout::check(rate), Ok(()));
    }
    let message = |rate| dropout::check(rate).unwrap_err().to_string();
    assert_eq!(
        message(1.0),
        "dropout: the rate must be at least 0 and below 1, found 1"
    );
    for (rate, found) in [
        (-0.1, "-0.1"),
        (f64::NAN, "NaN"),
        (f64::INFINITY, "inf"),
        (1.5, "1.5"),
    ] {
        assert!(message(rate).ends_with(&format!("found {found}")), "{rate}");
    }
}
