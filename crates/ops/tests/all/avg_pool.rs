//! Average pooling against its definition: random windows, PyTorch's divisors, threads,
//! derivatives, refusals.

use crate::common::cases::{
    MANY, Map, Pooling, as_map, check_adjoint, distance, poolings, same_on_all_pools, written,
};
use crate::common::{check_gradient, dense, dot, integers, reals};
use inception_ops::avg_pool::{self, reference};
use inception_ops::{PadCount, Window};
use inception_tensor::{Element, Pool, Shape, Tensor, View};
use proptest::prelude::*;

const COUNTS: [PadCount; 2] = [PadCount::Include, PadCount::Exclude];

/// Both passes on data of `fill`: results and the reference's.
fn both<T: Element, F: FnMut(usize) -> T>(
    case: &Pooling,
    count: PadCount,
    fill: fn(&[u64]) -> F,
) -> [[Tensor<T>; 2]; 2] {
    let (x, dy) = (case.x.operand(0, fill), case.y().operand(1, fill));
    let pool = Pool::new(2).unwrap();
    let y = written(&case.y(), |y| {
        avg_pool::forward(&pool, &case.window, count, x.view(), y);
    });
    let dx = written(&case.x, |dx| {
        avg_pool::backward(&pool, &case.window, count, dy.view(), dx);
    });
    [
        [
            y,
            reference::forward(&case.window, count, &dense(x.view()), case.y),
        ],
        [
            dx,
            reference::backward(&case.window, count, &dense(dy.view()), case.x.shape),
        ],
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(MANY))]

    #[test]
    fn averages_of_integers_equal_the_reference(case in poolings(21, 1, avg_pool::shape)) {
        for count in COUNTS {
            let [[y, expected], [dx, wanted]] = both::<f32, _>(&case, count, integers);
            // Sums of integers are exact, so one rounding remains on either side.
            prop_assert_eq!(y, expected);
            prop_assert!(distance(dx.data(), wanted.data()) <= 2e-6);
        }
    }

    #[test]
    fn averages_of_reals_are_within_rounding(case in poolings(9, 1, avg_pool::shape)) {
        for count in COUNTS {
            for [found, expected] in both::<f32, _>(&case, count, reals) {
                prop_assert!(distance(found.data(), expected.data()) <= 4e-6);
            }
            for [found, expected] in both::<f64, _>(&case, count, reals) {
                prop_assert!(distance(found.data(), expected.data()) <= 1e-14);
            }
        }
    }

    #[test]
    fn the_gradient_is_the_derivative(case in poolings(4, 1, avg_pool::shape)) {
        let pool = Pool::serial();
        for count in COUNTS {
            let v = Tensor::from_fn(case.x.shape, reals(&[case.x.seed, 1]));
            let u = Tensor::from_fn(case.y, reals(&[case.x.seed, 2]));
            let run = |x: View<'_, f64>| {
                let mut y = Tensor::zeros(case.y);
                avg_pool::forward(&pool, &case.window, count, x, y.view_mut());
                y
            };
            let mut dx = Tensor::zeros(case.x.shape);
            avg_pool::backward(&pool, &case.window, count, u.view(), dx.view_mut());
            check_adjoint(run(v.view()).data(), u.data(), v.data(), dx.data());
            for d in 0..3 {
                check_gradient("avg_pool", v.data(), dx.data(), 1e-8, &[case.x.seed, d], |x| {
                    dot(run(as_map(x, case.x.shape)).data(), u.data())
                });
            }
        }
    }
}

/// The averages of one row.
fn row(values: &[f32], window: Window, count: PadCount) -> Vec<f32> {
    let x = View::new(values, Shape::new(1, 1, values.len(), 1));
    let mut y = Tensor::zeros(avg_pool::shape(&window, x.shape()).unwrap());
    avg_pool::forward(&Pool::serial(), &window, count, x, y.view_mut());
    y.into_vec()
}

// The values are those of PyTorch 2.15.
#[test]
fn padding_counts_where_asked_and_overhang_never() {
    let x = [6.0, 12.0, 18.0, 24.0];
    let window = Window::new(1, 3).padding_hw(0, 1);
    assert_eq!(row(&x, window, PadCount::Include), [6.0, 12.0, 18.0, 14.0]);
    assert_eq!(row(&x, window, PadCount::Exclude), [9.0, 12.0, 18.0, 21.0]);
    // The last window reads one pixel and hangs over by one beyond the padding of none.
    let mut over = Window::new(1, 2).ceil();
    over.stride = [1, 3];
    assert_eq!(row(&x, over, PadCount::Include), [9.0, 24.0]);
    // With padding of one, that place counts but the place beyond it does not.
    let mut padded = Window::new(1, 3).padding_hw(0, 1).ceil();
    padded.stride = [1, 2];
    assert_eq!(row(&x, padded, PadCount::Include), [6.0, 18.0, 12.0]);
    assert_eq!(row(&x, padded, PadCount::Exclude), [9.0, 18.0, 24.0]);
}

#[test]
fn threads_do_not_change_a_bit() {
    let x = Map::new([3, 29, 28, 65]);
    let input = x.operand(0, reals::<f32>);
    for window in [
        Window::square(3).padding(1),
        Window::square(5).stride(3),
        Window::square(3).stride(2).padding(1).ceil(),
    ] {
        let y = avg_pool::shape(&window, x.shape).unwrap();
        let dy = Tensor::from_fn(y, reals::<f32>(&[5]));
        for count in COUNTS {
            same_on_all_pools(|pool| {
                let (mut y, mut dx) = (Tensor::zeros(y), Tensor::zeros(x.shape));
                avg_pool::forward(pool, &window, count, input.view(), y.view_mut());
                avg_pool::backward(pool, &window, count, dy.view(), dx.view_mut());
                [y.into_vec(), dx.into_vec()].concat()
            });
        }
    }
}

#[test]
fn a_nan_stays_in_its_windows() {
    let y = row(
        &[1.0, f32::NAN, 3.0, 5.0],
        Window::new(1, 2),
        PadCount::Include,
    );
    assert!(y[0].is_nan() && y[1].is_nan());
    assert_eq!(y[2], 4.0);
}

#[test]
fn bad_windows_are_refused_by_name() {
    let x = Shape::new(1, 8, 8, 3);
    let message = |w: Window| avg_pool::shape(&w, x).unwrap_err().to_string();
    assert_eq!(
        message(Window::square(3).dilation(2)),
        "avg_pool: dilation must be 1, found [2, 2]"
    );
    assert_eq!(
        message(Window::square(2).padding(2)),
        "avg_pool: padding of 2 rows is more than half of a window of 2"
    );
    assert!(message(Window::square(9)).starts_with("avg_pool: "));
    assert!(message(Window::square(0)).starts_with("avg_pool: "));
    assert!(message(Window::square(3).stride(0)).starts_with("avg_pool: "));
}
