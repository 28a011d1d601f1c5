//! ReLU against its definition, in place and not, threads, derivatives, NaN.

use crate::common::cases::{MANY, Map, as_map, check_adjoint, maps, same_on_all_pools, written};
use crate::common::{Slice, bits, check_gradient, dense, dot, integers, reals};
use inception_ops::relu::{self, reference};
use inception_tensor::{Element, Pool, Shape, Tensor, View, ViewMut};
use proptest::prelude::*;

/// All four functions compared with the reference.
fn equals_the_reference<T: Element>(map: &Map) {
    let pool = Pool::new(2).unwrap();
    // Integers: zeros are common.
    let (x, dy) = (map.operand(0, integers::<T>), map.operand(1, integers::<T>));
    let y = written(map, |y| relu::forward(&pool, x.view(), y));
    assert_eq!(y, reference::forward(&dense(x.view())));
    let in_place = |slice: &Slice<T>, f: &dyn Fn(ViewMut<'_, T>)| {
        let mut slice = slice.clone();
        f(slice.view_mut());
        slice.into_dense()
    };
    assert_eq!(in_place(&x, &|y| relu::forward_in_place(&pool, y)), y);
    let expected = reference::backward(&dense(x.view()), &dense(dy.view()));
    let dx = written(map, |dx| relu::backward(&pool, y.view(), dy.view(), dx));
    assert_eq!(dx, expected);
    let dx = in_place(&dy, &|d| relu::backward_in_place(&pool, y.view(), d));
    assert_eq!(dx, expected);
}

/// Numbers at least 0.02 from zero, where the function bends.
fn off_the_kink(map: &Map) -> Tensor<f64> {
    let mut fill = reals::<f64>(&[map.seed, 3]);
    Tensor::from_fn(map.shape, |i| {
        let x = fill(i);
        x + if x < 0.0 { -0.02 } else { 0.02 }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(MANY))]

    #[test]
    fn all_forms_equal_the_reference(map in maps(9, 37)) {
        equals_the_reference::<f32>(&map);
        equals_the_reference::<f64>(&map);
    }

    #[test]
    fn the_gradient_is_the_derivative(map in maps(5, 9)) {
        let pool = Pool::serial();
        let x = off_the_kink(&map);
        let u = Tensor::from_fn(map.shape, reals(&[map.seed, 2]));
        let run = |x: View<'_, f64>| {
            let mut y = Tensor::zeros(map.shape);
            relu::forward(&pool, x, y.view_mut());
            y
        };
        let y = run(x.view());
        let mut dx = Tensor::zeros(map.shape);
        relu::backward(&pool, y.view(), u.view(), dx.view_mut());
        for d in 0..3 {
            check_gradient("relu", x.data(), dx.data(), 1e-8, &[map.seed, d], |x| {
                dot(run(as_map(x, map.shape)).data(), u.data())
            });
        }
        let v = Tensor::from_fn(map.shape, reals::<f64>(&[map.seed, 4]));
        let jv: Vec<f64> = x.data().iter().zip(v.data())
            .map(|(&x, &v)| if x > 0.0 { v } else { 0.0 })
            .collect();
        check_adjoint(&jv, u.data(), v.data(), dx.data());
    }
}

#[test]
fn a_nan_passes_both_ways_and_infinities_are_cut() {
    let x = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -1e-45, 1e-45];
    let (mut y, mut dx) = ([0.0; 5], [0.0; 5]);
    let pool = Pool::serial();
    relu::forward(&pool, View::vector(&x), ViewMut::vector(&mut y));
    assert!(y[0].is_nan());
    assert_eq!(y[1..], [f32::INFINITY, 0.0, 0.0, 1e-45]);
    relu::backward(
        &pool,
        View::vector(&y),
        View::vector(&[3.0; 5]),
        ViewMut::vector(&mut dx),
    );
    assert_eq!(dx, [3.0, 3.0, 0.0, 0.0, 3.0]);
}

#[test]
fn threads_do_not_change_a_bit() {
    let map = Map::new([3, 29, 28, 65]);
    let (x, dy) = (map.operand(0, reals::<f32>), map.operand(1, reals::<f32>));
    same_on_all_pools(|pool| {
        let (mut y, mut dx) = (Tensor::zeros(map.shape), Tensor::zeros(map.shape));
        relu::forward(pool, x.view(), y.view_mut());
        relu::backward(pool, y.view(), dy.view(), dx.view_mut());
        [y.into_vec(), dx.into_vec()].concat()
    });
    let mut y = Tensor::zeros(map.shape);
    relu::forward(&Pool::serial(), x.view(), y.view_mut());
    assert_eq!(
        bits(y.data()),
        bits(reference::forward(&dense(x.view())).data())
    );
}

#[test]
#[should_panic(expected = "relu: [1, 1, 1, 2] and [1, 1, 1, 3] differ in pixels or channels")]
fn other_shapes_are_refused() {
    let (x, mut y) = (
        Tensor::<f32>::zeros(Shape::vector(2)),
        Tensor::zeros(Shape::vector(3)),
    );
    relu::forward(&Pool::serial(), x.view(), y.view_mut());
}
