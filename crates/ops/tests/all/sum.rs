//! Weighted sums against plain loops, in place and not, threads, derivatives, refusals.

use crate::common::cases::{
    MANY, Map, as_map, check_adjoint, check_smooth, maps, same_on_all_pools, written,
};
use crate::common::{Slice, bits, dense, dot, integers, reals};
use inception_ops::sum::{self, reference};
use inception_ops::{Activation, OpError};
use inception_tensor::{Element, Pool, Shape, Tensor, View};
use proptest::prelude::*;

/// Both forms compared with the reference, bit for bit: the order of the sum is promised.
fn equals_the_reference<T: Element>(map: &Map, scales: &[f64], activation: Activation) {
    let pool = Pool::new(2).unwrap();
    // Operands with and without gaps meet.
    let slices: Vec<Slice<T>> = (0..scales.len())
        .map(|i| Slice::from_fn(map.shape, (map.gap + i) % 3, reals(&[map.seed, i as u64])))
        .collect();
    let views: Vec<View<'_, T>> = slices.iter().map(Slice::view).collect();
    let tensors: Vec<Tensor<T>> = views.iter().map(|&v| dense(v)).collect();
    let expected = reference::forward(&tensors, scales, activation);
    let y = written(map, |y| sum::forward(&pool, &views, scales, activation, y));
    assert_eq!(bits(y.data()), bits(expected.data()));
    let mut y = slices[0].clone();
    sum::forward_in_place(
        &pool,
        scales[0],
        &views[1..],
        &scales[1..],
        activation,
        y.view_mut(),
    );
    assert_eq!(bits(y.into_dense().data()), bits(expected.data()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(MANY))]

    #[test]
    fn both_forms_equal_the_reference(
        map in maps(9, 37),
        scales in prop::collection::vec(prop_oneof![Just(1.0), -2.0..2.0], 1..5),
        relu in any::<bool>(),
    ) {
        let activation = if relu { Activation::Relu } else { Activation::None };
        equals_the_reference::<f32>(&map, &scales, activation);
        equals_the_reference::<f64>(&map, &scales, activation);
    }

    #[test]
    fn the_gradient_of_an_operand_is_its_scale(map in maps(5, 9), scale in -2.0..2.0) {
        let pool = Pool::serial();
        let other = Tensor::from_fn(map.shape, reals::<f64>(&[map.seed, 1]));
        let v = Tensor::from_fn(map.shape, reals::<f64>(&[map.seed, 2]));
        let u = Tensor::from_fn(map.shape, reals::<f64>(&[map.seed, 3]));
        let run = |xs: &[View<'_, f64>], scales: &[f64]| {
            let mut y = Tensor::zeros(map.shape);
            sum::forward(&pool, xs, scales, Activation::None, y.view_mut());
            y
        };
        let dx = run(&[u.view()], &[scale]);
        check_adjoint(run(&[v.view()], &[scale]).data(), u.data(), v.data(), dx.data());
        for d in 0..3 {
            check_smooth("sum", v.data(), dx.data(), &[map.seed, d], |x| {
                let y = run(&[other.view(), as_map(x, map.shape)], &[0.5, scale]);
                dot(y.data(), u.data())
            });
        }
    }
}

#[test]
fn threads_do_not_change_a_bit_of_a_sum_longer_than_a_strip() {
    let map = Map::new([3, 29, 28, 65]);
    let xs = [0, 1, 2].map(|i| map.operand(i, integers::<f32>));
    let views = xs.each_ref().map(Slice::view);
    let scales = [1.0, 0.3, -1.5];
    same_on_all_pools(|pool| {
        let mut y = Tensor::zeros(map.shape);
        sum::forward(pool, &views, &scales, Activation::Relu, y.view_mut());
        y.into_vec()
    });
    let mut y = Tensor::zeros(map.shape);
    sum::forward(
        &Pool::serial(),
        &views,
        &scales,
        Activation::Relu,
        y.view_mut(),
    );
    let tensors = views.map(dense);
    assert_eq!(y, reference::forward(&tensors, &scales, Activation::Relu));
}

#[test]
fn operands_that_do_not_fit_are_refused_by_number() {
    let message = |xs: &[Shape]| sum::shape(xs).unwrap_err().to_string();
    assert_eq!(message(&[]), "sum: needs at least one operand");
    let (a, b) = (Shape::new(1, 4, 4, 3), Shape::new(1, 4, 4, 5));
    assert_eq!(sum::shape(&[a, a, a]), Ok(a));
    assert_eq!(
        message(&[a, a, b]),
        "sum: operand 2 is [1, 4, 4, 5], expected the shape of operand 0, [1, 4, 4, 3]"
    );
    assert!(matches!(
        sum::shape(&[a, b]),
        Err(OpError::Shape { op: "sum", .. })
    ));
}

#[test]
#[should_panic(expected = "sum: operands and scales")]
fn a_scale_too_few_is_refused() {
    let mut y = Tensor::<f32>::zeros(Shape::vector(2));
    let x = y.clone();
    sum::forward(
        &Pool::serial(),
        &[x.view()],
        &[],
        Activation::None,
        y.view_mut(),
    );
}
