//! Local response normalisation against its definition: any size and power, extreme inputs,
//! threads, derivatives, refusals.

use crate::common::cases::{
    MANY, Map, as_map, check_smooth, distance, maps, same_on_all_pools, written,
};
use crate::common::{dense, dot, reals};
use inception_ops::lrn::{self, AlphaScale, Lrn, reference};
use inception_tensor::{Element, Pool, Shape, Tensor, View, ViewMut};
use proptest::prelude::*;

/// Constants with weight on those that have a path of their own.
fn constants() -> impl Strategy<Value = Lrn> {
    (
        prop_oneof![Just(5usize), 1..12usize],
        prop_oneof![Just(1e-4), Just(0.0), 0.0..2.0],
        prop_oneof![Just(0.75), Just(0.5), Just(1.0), 0.0..1.5],
        prop_oneof![Just(1.0), Just(2.0), 0.2..3.0],
        any::<bool>(),
    )
        .prop_map(|(size, alpha, beta, k, plain)| Lrn {
            size,
            alpha,
            beta,
            k,
            alpha_scale: if plain {
                AlphaScale::Plain
            } else {
                AlphaScale::BySize
            },
        })
}

fn equals_the_reference<T: Element>(lrn: &Lrn, map: &Map, tolerance: f64) {
    let pool = Pool::new(2).unwrap();
    let (x, dy) = (map.operand(0, reals::<T>), map.operand(1, reals::<T>));
    let exact = [x.view(), dy.view()].map(|v| dense(v).cast::<f64>());
    let y = written(map, |y| lrn::forward(&pool, lrn, x.view(), y));
    let expected = reference::forward(lrn, &exact[0]);
    for (y, e) in y.data().iter().zip(expected.data()) {
        assert!(
            (y.f64() - e).abs() <= tolerance * e.abs(),
            "{y} {e} {lrn:?}"
        );
    }
    let dx = written(map, |dx| lrn::backward(&pool, lrn, x.view(), dy.view(), dx));
    let expected = reference::backward(lrn, &exact[0], &exact[1]);
    let far = distance(dx.data(), expected.data());
    assert!(far <= tolerance, "{far} {lrn:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(MANY))]

    #[test]
    fn both_passes_equal_the_reference(lrn in constants(), map in maps(5, 40)) {
        equals_the_reference::<f32>(&lrn, &map, lrn.size.max(2) as f64 * 3.0 * 2f64.powi(-23));
        equals_the_reference::<f64>(&lrn, &map, 1e-13);
    }

    #[test]
    fn the_gradient_is_the_derivative(lrn in constants(), map in maps(4, 13)) {
        let pool = Pool::serial();
        let x = Tensor::from_fn(map.shape, reals::<f64>(&[map.seed, 1]));
        let u = Tensor::from_fn(map.shape, reals::<f64>(&[map.seed, 2]));
        let mut dx = Tensor::zeros(map.shape);
        lrn::backward(&pool, &lrn, x.view(), u.view(), dx.view_mut());
        for d in 0..3 {
            check_smooth("lrn", x.data(), dx.data(), &[map.seed, d], |x| {
                let mut y = Tensor::zeros(map.shape);
                lrn::forward(&pool, &lrn, as_map(x, map.shape), y.view_mut());
                dot(y.data(), u.data())
            });
        }
    }

    #[test]
    fn with_a_power_of_0_nothing_changes(map in maps(3, 13)) {
        let lrn = Lrn { beta: 0.0, ..Lrn::default() };
        let u = map.operand(1, reals::<f64>);
        let x = map.operand(2, reals::<f64>);
        let dx = written(&map, |dx| {
            lrn::backward(&Pool::serial(), &lrn, x.view(), u.view(), dx);
        });
        prop_assert_eq!(dx, dense(u.view()));
    }
}

/// One pixel forward and backward with a gradient of ones.
fn pixel(lrn: &Lrn, x: &[f32]) -> [Vec<f32>; 2] {
    let pool = Pool::serial();
    let (mut y, mut dx) = (vec![0.0; x.len()], vec![0.0; x.len()]);
    let ones = vec![1.0; x.len()];
    lrn::forward(&pool, lrn, View::vector(x), ViewMut::vector(&mut y));
    lrn::backward(
        &pool,
        lrn,
        View::vector(x),
        View::vector(&ones),
        ViewMut::vector(&mut dx),
    );
    [y, dx]
}

// The values are those of PyTorch 2.15.
#[test]
fn an_even_window_reaches_further_down_as_pytorchs() {
    let lrn = Lrn {
        size: 2,
        alpha: 2.0,
        beta: 1.0,
        k: 1.0,
        alpha_scale: AlphaScale::BySize,
    };
    let [y, _] = pixel(&lrn, &[1.0, 2.0, 3.0]);
    assert!(distance(&y, &[1.0 / 2.0, 2.0 / 6.0, 3.0 / 14.0]) < 1e-6);
    let plain = Lrn {
        alpha_scale: AlphaScale::Plain,
        ..lrn
    };
    assert!((pixel(&plain, &[1.0, 2.0, 3.0])[0][1] - 2.0 / 11.0).abs() < 1e-7);
}

#[test]
fn huge_inputs_stay_numbers() {
    for lrn in [
        Lrn::default(),
        Lrn {
            beta: 0.6,
            ..Lrn::default()
        },
    ] {
        for huge in [1e19, 1e30, f32::MAX] {
            let [y, dx] = pixel(&lrn, &[huge, 1.0, -huge, 0.0, 2.0, huge]);
            assert!(
                y.iter().chain(&dx).all(|v| v.is_finite()),
                "{huge} {y:?} {dx:?}"
            );
        }
    }
    // 1e19 is normalised, not flushed: (2e-5)^-0.75·1e19^-0.5.
    let [y, _] = pixel(&Lrn::default(), &[1e19]);
    let expected = 1e19 * (1.0 + 2e-5 * 1e38f64).powf(-0.75);
    assert!((f64::from(y[0]) / expected - 1.0).abs() < 1e-5);
}

#[test]
fn zeros_and_a_window_wider_than_the_pixel_are_fine() {
    assert_eq!(
        pixel(&Lrn::default(), &[0.0; 7]),
        [vec![0.0; 7], vec![1.0; 7]]
    );
    let wide = Lrn {
        size: 31,
        ..Lrn::default()
    };
    assert!(pixel(&wide, &[1.0, 2.0])[0].iter().all(|y| y.is_finite()));
}

#[test]
fn threads_do_not_change_a_bit() {
    let map = Map::new([3, 29, 28, 65]);
    let (x, dy) = (map.operand(0, reals::<f32>), map.operand(1, reals::<f32>));
    for lrn in [
        Lrn::default(),
        Lrn {
            size: 4,
            ..Lrn::default()
        },
    ] {
        same_on_all_pools(|pool| {
            let (mut y, mut dx) = (Tensor::zeros(map.shape), Tensor::zeros(map.shape));
            lrn::forward(pool, &lrn, x.view(), y.view_mut());
            lrn::backward(pool, &lrn, x.view(), dy.view(), dx.view_mut());
            [y.into_vec(), dx.into_vec()].concat()
        });
    }
}

#[test]
fn constants_out_of_range_are_refused_by_name() {
    let message = |lrn: Lrn| lrn.check().unwrap_err().to_string();
    let good = Lrn::default();
    assert_eq!(good.check(), Ok(()));
    assert_eq!(
        message(Lrn { size: 0, ..good }),
        "lrn: size must be at least 1, found 0"
    );
    assert_eq!(
        message(Lrn {
            alpha: -1.0,
            ..good
        }),
        "lrn: alpha must be a finite number of at least 0, found -1"
    );
    assert_eq!(
        message(Lrn {
            beta: f64::NAN,
            ..good
        }),
        "lrn: beta must be a finite number, found NaN"
    );
    assert_eq!(
        message(Lrn { k: 0.0, ..good }),
        "lrn: k must be a finite number above 0, found 0"
    );
    assert!(
        message(Lrn {
            alpha: f64::INFINITY,
            ..good
        })
        .ends_with("found inf")
    );
}

#[test]
#[should_panic(expected = "lrn: size must be at least 1, found 0")]
fn a_kernel_refuses_bad_constants_too() {
    let x = Tensor::<f32>::zeros(Shape::vector(3));
    let mut y = x.clone();
    lrn::forward(
        &Pool::serial(),
        &Lrn {
            size: 0,
            ..Lrn::default()
        },
        x.view(),
        y.view_mut(),
    );
}
