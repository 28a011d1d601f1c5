//! Adaptive average pooling against its definition: any sizes in and out, threads,
//! derivatives, refusals.

use crate::common::cases::{
    MANY, Map, as_map, check_adjoint, distance, maps, same_on_all_pools, written,
};
use crate::common::{check_gradient, dense, dot, integers, reals};
use inception_ops::adaptive_avg_pool::{self, reference};
use inception_tensor::{Pool, Shape, Tensor, View};
use proptest::prelude::*;

/// The output map of `h`×`w` windows over `x`.
fn output(x: &Map, size: [usize; 2]) -> Map {
    Map {
        shape: adaptive_avg_pool::shape(size, x.shape).unwrap(),
        ..*x
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(MANY))]

    #[test]
    fn averages_equal_the_reference(x in maps(11, 21), h in 1..9usize, w in 1..9usize) {
        let y = output(&x, [h, w]);
        let (input, dy) = (x.operand(0, integers::<f32>), y.operand(1, integers::<f32>));
        let pool = Pool::new(2).unwrap();
        let found = written(&y, |y| adaptive_avg_pool::forward(&pool, input.view(), y));
        prop_assert_eq!(found, reference::forward(&dense(input.view()), y.shape));
        let found = written(&x, |dx| adaptive_avg_pool::backward(&pool, dy.view(), dx));
        let expected = reference::backward(&dense(dy.view()), x.shape);
        prop_assert!(distance(found.data(), expected.data()) <= 2e-6);
    }

    #[test]
    fn the_gradient_is_the_derivative(x in maps(7, 4), h in 1..9usize, w in 1..9usize) {
        let y = output(&x, [h, w]).shape;
        let pool = Pool::serial();
        let v = Tensor::from_fn(x.shape, reals(&[x.seed, 1]));
        let u = Tensor::from_fn(y, reals(&[x.seed, 2]));
        let run = |x: View<'_, f64>| {
            let mut out = Tensor::zeros(y);
            adaptive_avg_pool::forward(&pool, x, out.view_mut());
            out
        };
        let mut dx = Tensor::zeros(x.shape);
        adaptive_avg_pool::backward(&pool, u.view(), dx.view_mut());
        check_adjoint(run(v.view()).data(), u.data(), v.data(), dx.data());
        for d in 0..3 {
            check_gradient("adaptive_avg_pool", v.data(), dx.data(), 1e-8, &[x.seed, d], |data| {
                dot(run(as_map(data, x.shape)).data(), u.data())
            });
        }
    }
}

#[test]
fn windows_overlap_where_sizes_do_not_divide() {
    let x = Tensor::from_vec(Shape::new(1, 1, 5, 1), vec![1.0f32, 2.0, 3.0, 4.0, 5.0]);
    let mut y = Tensor::zeros(Shape::new(1, 1, 3, 1));
    adaptive_avg_pool::forward(&Pool::serial(), x.view(), y.view_mut());
    assert_eq!(y.data(), [1.5, 3.0, 4.5]);
}

#[test]
fn the_global_average_is_accurate() {
    let x = Map::new([2, 35, 35, 65]);
    let input = x.operand(0, |key| {
        let mut fill = reals::<f32>(key);
        move |i| fill(i) + 100.0
    });
    let mut y = Tensor::zeros(Shape::new(2, 1, 1, 65));
    adaptive_avg_pool::forward(&Pool::serial(), input.view(), y.view_mut());
    let expected = reference::forward(&dense(input.view()).cast::<f64>(), y.shape());
    assert!(distance(y.data(), expected.data()) <= 2e-5);
}

#[test]
fn threads_do_not_change_a_bit() {
    let x = Map::new([3, 29, 28, 65]);
    let input = x.operand(0, reals::<f32>);
    for size in [[1, 1], [7, 7], [4, 40]] {
        let y = output(&x, size);
        let dy = y.operand(1, reals::<f32>);
        same_on_all_pools(|pool| {
            let (mut out, mut dx) = (Tensor::zeros(y.shape), Tensor::zeros(x.shape));
            adaptive_avg_pool::forward(pool, input.view(), out.view_mut());
            adaptive_avg_pool::backward(pool, dy.view(), dx.view_mut());
            [out.into_vec(), dx.into_vec()].concat()
        });
    }
}

#[test]
fn sizes_of_zero_are_refused_by_name() {
    let message = |size, x| adaptive_avg_pool::shape(size, x).unwrap_err().to_string();
    assert_eq!(
        message([0, 7], Shape::new(1, 8, 8, 3)),
        "adaptive_avg_pool: the output needs at least one row and column, found [0, 7]"
    );
    assert_eq!(
        message([1, 1], Shape::new(1, 8, 0, 3)),
        "adaptive_avg_pool: the input [1, 8, 0, 3] has no pixels"
    );
}

#[test]
#[should_panic(expected = "adaptive_avg_pool: output of [2, 4, 4, 3]")]
fn another_batch_is_refused() {
    let x = Tensor::<f32>::zeros(Shape::new(2, 4, 4, 3));
    let mut y = Tensor::zeros(Shape::new(1, 1, 1, 3));
    adaptive_avg_pool::forward(&Pool::serial(), x.view(), y.view_mut());
}
