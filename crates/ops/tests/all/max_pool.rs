//! Max pooling against its definition: random windows, exact equality, ties and NaN,
//! threads, derivatives, refusals.

use crate::common;
use crate::common::cases::{
    Map, Pooling, apart, as_map, check_adjoint, poolings, same_on_all_pools, written,
};
use crate::common::{bits, check_gradient, dense, dot, integers, reals};
use inception_ops::max_pool::{self, reference};
use inception_ops::{OpError, Window};
use inception_tensor::{Element, Pool, Shape, Tensor, View};
use proptest::prelude::*;

/// Forward with winners, and backward, compared with the reference bit for bit.
fn equals_the_reference<T: Element>(case: &Pooling) {
    // Five values only: ties in nearly every window, and sums of gradients are exact.
    let x = case.x.operand(0, |key| {
        let mut fill = integers::<T>(key);
        move |i| fill(i) / T::of(2.0)
    });
    let dy = case.y().operand(1, integers::<T>);
    let pool = Pool::new(2).unwrap();
    let mut winners = vec![255; case.y.len()];
    let y = written(&case.y(), |y| {
        max_pool::forward(&pool, &case.window, x.view(), y, Some(&mut winners));
    });
    let expected = reference::forward(&case.window, &dense(x.view()), case.y);
    assert_eq!(y, expected.y);
    assert_eq!(winners, expected.winners);
    let without = written(&case.y(), |y| {
        max_pool::forward(&pool, &case.window, x.view(), y, None);
    });
    assert_eq!(without, y);
    let dx = written(&case.x, |dx| {
        max_pool::backward(&pool, &case.window, dy.view(), &winners, dx);
    });
    let expected = reference::backward(&case.window, &dense(dy.view()), &winners, case.x.shape);
    assert_eq!(dx, expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn maxima_winners_and_gradients_equal_the_reference(case in poolings(21, 3, max_pool::shape)) {
        equals_the_reference::<f32>(&case);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(common::cases::MANY))]

    #[test]
    fn double_precision_equals_the_reference_too(case in poolings(5, 3, max_pool::shape)) {
        equals_the_reference::<f64>(&case);
    }

    #[test]
    fn the_gradient_is_the_derivative(case in poolings(4, 3, max_pool::shape)) {
        let pool = Pool::serial();
        let x = apart(&case.x);
        let u = Tensor::from_fn(case.y, reals(&[case.x.seed, 2]));
        let mut winners = vec![0; case.y.len()];
        let mut y = Tensor::zeros(case.y);
        max_pool::forward(&pool, &case.window, x.view(), y.view_mut(), Some(&mut winners));
        let mut dx = Tensor::zeros(case.x.shape);
        max_pool::backward(&pool, &case.window, u.view(), &winners, dx.view_mut());
        for direction in 0..3 {
            check_gradient("max_pool", x.data(), dx.data(), 1e-8, &[case.x.seed, direction], |x| {
                let mut y = Tensor::zeros(case.y);
                max_pool::forward(&pool, &case.window, as_map(x, case.x.shape), y.view_mut(), None);
                dot(y.data(), u.data())
            });
        }
        // The derivative along v picks v at the winners.
        let v = Tensor::from_fn(case.x.shape, reals(&[case.x.seed, 3]));
        let places = Tensor::from_fn(case.x.shape, |i| i as f64);
        let jv = picked(&case, &v, &winners, &places);
        check_adjoint(&jv, u.data(), v.data(), dx.data());
    }
}

/// `v` at the winner of each window, found by sending one gradient back alone.
fn picked(case: &Pooling, v: &Tensor<f64>, winners: &[u8], places: &Tensor<f64>) -> Vec<f64> {
    (0..case.y.len())
        .map(|o| {
            let one = Tensor::from_fn(case.y, |i| f64::from(u8::from(i == o)));
            let dx = reference::backward(&case.window, &one, winners, case.x.shape);
            v.data()[dot(dx.data(), places.data()) as usize]
        })
        .collect()
}

/// The maximum and winner of one window over `values` in a row.
fn row(values: &[f32], window: Window) -> (Vec<f32>, Vec<u8>) {
    let x = View::new(values, Shape::new(1, 1, values.len(), 1));
    let shape = max_pool::shape(&window, x.shape()).unwrap();
    let (mut y, mut winners) = (Tensor::zeros(shape), vec![9; shape.len()]);
    let pool = Pool::serial();
    max_pool::forward(&pool, &window, x, y.view_mut(), Some(&mut winners));
    let mut without = Tensor::zeros(shape);
    max_pool::forward(&pool, &window, x, without.view_mut(), None);
    assert_eq!(bits(without.data()), bits(y.data()));
    (y.into_vec(), winners)
}

#[test]
fn of_equals_the_first_wins() {
    assert_eq!(
        row(&[1.0, 3.0, 3.0], Window::new(1, 3)),
        (vec![3.0], vec![1])
    );
    assert_eq!(row(&[0.0, -0.0, 0.0], Window::new(1, 3)).1, [0]);
}

// The values of this and the next test are those of PyTorch 2.15, in both its layouts.
#[test]
fn a_nan_wins_and_of_several_the_last() {
    let (y, winners) = row(&[5.0, f32::NAN, 7.0, 2.0], Window::new(1, 4));
    assert!(y[0].is_nan());
    assert_eq!(winners, [1]);
    assert_eq!(row(&[f32::NAN, 9.0, f32::NAN], Window::new(1, 3)).1, [2]);
}

#[test]
fn odd_numbers_among_three_by_three_equal_the_reference() {
    let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, 0.0, 1.0];
    for channels in [1, 5, 16, 40, 70] {
        let shape = Shape::new(2, 9, 7, channels);
        // Whole channels without a NaN beside those with many.
        let x = Tensor::from_fn(shape, |i| odd[(i * i / 3 + i % 7) % (1 + i % channels % 6)]);
        for window in [
            Window::square(3).padding(1),
            Window::square(3).stride(2).ceil(),
            Window::square(3).stride(2).padding(1),
        ] {
            let y = max_pool::shape(&window, shape).unwrap();
            let expected = reference::forward(&window, &x, y);
            let (mut out, mut winners) = (Tensor::zeros(y), vec![0; y.len()]);
            let pool = Pool::serial();
            max_pool::forward(&pool, &window, x.view(), out.view_mut(), Some(&mut winners));
            assert_eq!(winners, expected.winners, "{channels} channels");
            assert_eq!(bits(out.data()), bits(expected.y.data()));
            let mut without = Tensor::zeros(y);
            max_pool::forward(&pool, &window, x.view(), without.view_mut(), None);
            assert_eq!(bits(without.data()), bits(out.data()));
        }
    }
}

#[test]
fn padding_never_wins_even_over_negative_infinity() {
    let padded = Window::new(1, 3).padding_hw(0, 1);
    assert_eq!(row(&[-5.0, -7.0], padded), (vec![-5.0, -5.0], vec![1, 0]));
    let lowest = [f32::NEG_INFINITY; 2];
    assert_eq!(row(&lowest, padded), (lowest.to_vec(), vec![1, 0]));
}

#[test]
fn threads_do_not_change_a_bit() {
    // Several tiles, bands that end inside an image, overlapping windows.
    let x = Map::new([3, 29, 28, 65]);
    for window in [
        Window::square(3).padding(1),
        Window::square(3).stride(2).ceil(),
        Window::square(2).stride(3),
    ] {
        let y = max_pool::shape(&window, x.shape).unwrap();
        let input = x.operand(0, reals::<f32>);
        let dy = Tensor::from_fn(y, reals::<f32>(&[5]));
        let mut winners = vec![0; y.len()];
        let mut out = Tensor::zeros(y);
        max_pool::forward(
            &Pool::serial(),
            &window,
            input.view(),
            out.view_mut(),
            Some(&mut winners),
        );
        let expected = reference::forward(&window, &dense(input.view()), y);
        assert_eq!((&out, &winners), (&expected.y, &expected.winners));
        same_on_all_pools(|pool| {
            let (mut y, mut w) = (Tensor::zeros(y), vec![0; y.len()]);
            max_pool::forward(pool, &window, input.view(), y.view_mut(), Some(&mut w));
            assert_eq!(w, winners);
            let mut dx = Tensor::zeros(x.shape);
            max_pool::backward(pool, &window, dy.view(), &w, dx.view_mut());
            [y.into_vec(), dx.into_vec()].concat()
        });
        let mut dx = Tensor::zeros(x.shape);
        max_pool::backward(&Pool::serial(), &window, dy.view(), &winners, dx.view_mut());
        assert_eq!(dx, reference::backward(&window, &dy, &winners, x.shape));
    }
}

#[test]
fn an_image_does_not_depend_on_its_batch() {
    let x = Map::new([5, 9, 7, 130]).operand(0, reals::<f32>);
    let window = Window::square(3).stride(2).padding(1);
    let run = |x: View<'_, f32>| {
        let mut y = Tensor::zeros(max_pool::shape(&window, x.shape()).unwrap());
        max_pool::forward(&Pool::serial(), &window, x, y.view_mut(), None);
        y.into_vec()
    };
    let batch = run(x.view());
    for (n, image) in batch.chunks(batch.len() / 5).enumerate() {
        assert_eq!(image, run(x.view().images(n, 1)));
    }
}

#[test]
fn an_empty_batch_is_no_error() {
    let window = Window::square(2);
    let (x, y) = (Shape::new(0, 4, 4, 3), Shape::new(0, 3, 3, 3));
    assert_eq!(max_pool::shape(&window, x), Ok(y));
    let (mut out, mut dx) = (Tensor::<f32>::zeros(y), Tensor::<f32>::zeros(x));
    let pool = Pool::serial();
    max_pool::forward(&pool, &window, dx.view(), out.view_mut(), Some(&mut []));
    max_pool::backward(&pool, &window, out.view(), &[], dx.view_mut());
}

#[test]
fn bad_windows_are_refused_by_name() {
    let x = Shape::new(1, 8, 8, 3);
    let message = |w: Window| max_pool::shape(&w, x).unwrap_err().to_string();
    assert_eq!(
        message(Window::square(17)),
        "max_pool: a window has at most 256 pixels, found 17×17"
    );
    assert_eq!(
        message(Window::square(3).padding(2)),
        "max_pool: padding of 2 rows is more than half of a window of 3"
    );
    assert_eq!(
        message(Window::square(3).padding_hw(1, 2)),
        "max_pool: padding of 2 columns is more than half of a window of 3"
    );
    let spread = Window::square(3).dilation(2);
    assert!(max_pool::shape(&spread.padding(2), x).is_ok());
    assert_eq!(
        message(spread.padding(3)),
        "max_pool: padding of 3 rows is more than half of a window of 5"
    );
    assert!(matches!(
        max_pool::shape(&Window::square(9), x),
        Err(OpError::Shape { op: "max_pool", .. })
    ));
    assert!(matches!(
        max_pool::shape(&Window::square(2).stride(0), x),
        Err(OpError::Setting { op: "max_pool", .. })
    ));
    let holes = Window::new(2, 1).padding_hw(1, 0).dilation(2);
    assert_eq!(
        max_pool::shape(&holes, Shape::new(1, 1, 1, 3))
            .unwrap_err()
            .to_string(),
        "max_pool: the windows of output row 0 cover padding alone in [1, 1, 1, 3]"
    );
}

#[test]
#[should_panic(expected = "max_pool: winners of [1, 1, 1, 3]")]
fn too_few_winners_are_refused() {
    let x = Tensor::<f32>::zeros(Shape::new(1, 2, 2, 3));
    let mut y = Tensor::zeros(Shape::new(1, 1, 1, 3));
    let window = Window::square(2);
    max_pool::forward(
        &Pool::serial(),
        &window,
        x.view(),
        y.view_mut(),
        Some(&mut [0; 2]),
    );
}

#[test]
#[should_panic(expected = "max_pool: output of [1, 2, 2, 3]")]
fn an_output_of_another_shape_is_refused() {
    let x = Tensor::<f32>::zeros(Shape::new(1, 2, 2, 3));
    let mut y = Tensor::zeros(Shape::new(1, 2, 1, 3));
    max_pool::forward(
        &Pool::serial(),
        &Window::square(2),
        x.view(),
        y.view_mut(),
        None,
    );
}
