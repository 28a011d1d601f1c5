//! Concatenation and its inverse: every number in its place, and nothing beside it.

use crate::common::cases::{MANY, Map, check_adjoint, maps, same_on_all_pools, written};
use crate::common::{Slice, dense, reals};
use inception_ops::concat;
use inception_tensor::{Pool, Shape, Tensor};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(MANY))]

    #[test]
    fn branches_stand_side_by_side_and_come_apart_again(
        x in maps(7, 1),
        channels in prop::collection::vec(0..20usize, 1..5),
    ) {
        let pool = Pool::new(2).unwrap();
        let branches: Vec<Slice<f32>> = (0..)
            .zip(&channels)
            .map(|(i, &c)| Slice::from_fn(x.shape.with_channels(c), x.gap, reals(&[x.seed, i])))
            .collect();
        let shapes: Vec<Shape> = branches.iter().map(|b| b.view().shape()).collect();
        let y = Map { shape: concat::shape(&shapes).unwrap(), ..x };
        prop_assert_eq!(y.shape, x.shape.with_channels(channels.iter().sum()));
        let mut wide = Slice::unset(y.shape, y.gap);
        let mut start = 0;
        for branch in &branches {
            let c = branch.view().shape().c;
            concat::copy(&pool, branch.view(), wide.view_mut().channels(start, c));
            start += c;
        }
        let whole = wide.into_dense();
        for p in 0..y.shape.rows() {
            let expected: Vec<f32> = branches.iter().flat_map(|b| b.view().row(p).to_vec()).collect();
            prop_assert_eq!(whole.view().row(p), &expected[..]);
        }
        let mut start = 0;
        for branch in &branches {
            let map = Map { shape: branch.view().shape(), ..x };
            let part = whole.view().channels(start, map.shape.c);
            let back = written(&map, |to| concat::copy(&pool, part, to));
            prop_assert_eq!(back, dense(branch.view()));
            start += map.shape.c;
        }
    }

    #[test]
    fn coming_apart_is_the_transpose(x in maps(5, 9), c in 1..9usize) {
        let pool = Pool::serial();
        let wide = x.shape.with_channels(x.shape.c + c);
        let v = Tensor::from_fn(x.shape, reals::<f64>(&[x.seed, 1]));
        let u = Tensor::from_fn(wide, reals::<f64>(&[x.seed, 2]));
        let mut y = Tensor::zeros(wide);
        concat::copy(&pool, v.view(), y.view_mut().channels(c, x.shape.c));
        let mut dx = Tensor::zeros(x.shape);
        concat::copy(&pool, u.view().channels(c, x.shape.c), dx.view_mut());
        check_adjoint(y.data(), u.data(), v.data(), dx.data());
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let x = Map::new([3, 29, 28, 65]).operand(0, reals::<f32>);
    same_on_all_pools(|pool| {
        let mut y = Tensor::zeros(Shape::new(3, 29, 28, 70));
        concat::copy(pool, x.view(), y.view_mut().channels(3, 65));
        y.into_vec()
    });
}

#[test]
fn operands_that_do_not_fit_are_refused_by_number() {
    let message = |xs: &[Shape]| concat::shape(xs).unwrap_err().to_string();
    assert_eq!(message(&[]), "concat: needs at least one operand");
    let shapes = [
        Shape::new(1, 4, 4, 3),
        Shape::new(1, 4, 4, 5),
        Shape::new(1, 4, 3, 3),
    ];
    assert_eq!(
        message(&shapes),
        "concat: operand 2 is [1, 4, 3, 3], expected images, rows and columns of operand 0, \
         [1, 4, 4, 3]"
    );
}

#[test]
#[should_panic(expected = "concat: [1, 2, 2, 3] and [1, 2, 2, 4] differ in pixels or channels")]
fn a_copy_into_other_channels_is_refused() {
    let x = Tensor::<f32>::zeros(Shape::new(1, 2, 2, 3));
    let mut y = Tensor::zeros(Shape::new(1, 2, 2, 4));
    concat::copy(&Pool::serial(), x.view(), y.view_mut());
}
