//! Winograd's filtering against the definition.

use super::case::{Case, Operands, Results, expected, run, winograd_cases};
use crate::common::reals;
use inception_ops::conv2d::{Algorithm, Method};
use inception_ops::{Activation, Window};
use inception_tensor::{Element, Kernel, Pool, Shape, Tensor, fnv1a};
use proptest::prelude::*;

/// Kernels that have tiles, with any padding that leaves no window without input.
fn cases() -> impl Strategy<Value = Case> {
    let kernels = vec![
        // A kernel, and its stride.
        ([3, 3], 1),
        ([4, 4], 1),
        ([5, 5], 1),
        ([1, 3], 1),
        ([3, 1], 1),
        ([1, 7], 1),
        ([7, 1], 1),
        ([5, 5], 2),
        ([7, 7], 2),
        ([10, 10], 2),
        ([7, 7], 3),
        ([11, 11], 4),
    ];
    let padding = prop::array::uniform4(0.0f64..1.0);
    let maps = (0usize..4, [0usize..14, 0..14], 1usize..40);
    let banks = prop::collection::vec(1usize..70, 1..3);
    let kernel = prop::sample::select(kernels);
    (kernel, padding, maps, banks, 0usize..3, any::<u32>()).prop_map(
        |(([kh, kw], stride), padding, (n, extra, c), banks, gap, seed)| {
            let pad = |i: usize| (padding[i] * [kh, kh, kw, kw][i] as f64) as usize;
            let window = Window {
                stride: [stride; 2],
                padding: [[pad(0), pad(1)], [pad(2), pad(3)]],
                ..Window::new(kh, kw)
            };
            let fit = |axis: usize| {
                let [before, after] = window.padding[axis];
                window.kernel[axis].saturating_sub(before + after).max(1) + stride * extra[axis]
            };
            Case {
                window,
                algorithm: Algorithm::Winograd,
                x: Shape::new(n, fit(0), fit(1), c),
                banks,
                gap,
                seed: u64::from(seed),
            }
        },
    )
}

/// The largest difference over the largest number expected.
fn error<T: Element>(found: &Tensor<T>, expected: &Tensor<f64>) -> f64 {
    assert_eq!(found.shape(), expected.shape());
    let pairs = || found.data().iter().zip(expected.data());
    let largest = pairs().fold(0.0f64, |size, (_, e)| size.max(e.abs()));
    let difference = pairs().fold(0.0f64, |size, (f, e)| size.max((f.f64() - e).abs()));
    match difference {
        0.0 => 0.0,
        _ => difference / largest,
    }
}

/// The largest error of outputs and gradients.
fn errors<T: Element>(found: &Results<T>, expected: &Results<f64>) -> f64 {
    let banks = found.y.iter().zip(&expected.y);
    let weights = found.dw.iter().zip(&expected.dw);
    let maps = banks.chain(weights).chain([(&found.dx, &expected.dx)]);
    maps.fold(0.0, |size, (found, expected)| {
        size.max(error(found, expected))
    })
}

/// The same operands in double precision.
fn widened(case: &Case) -> Operands<f64> {
    Operands::new(case, |key| {
        let mut narrow = reals::<f32>(key);
        move |i| f64::from(narrow(i))
    })
}

#[test]
fn errors_in_f32_stay_below_the_documented_bound() {
    for case in winograd_cases() {
        let exact = expected(&case, &widened(&case), Activation::None);
        for kernel in Kernel::ALL.into_iter().filter(|k| k.is_supported()) {
            let pool = Pool::serial().with_kernel(kernel).unwrap();
            let operands = Operands::<f32>::new(&case, reals);
            let found = run(&pool, &case, &operands, Activation::None);
            let error = errors(&found, &exact);
            assert!(error < 2e-5, "{error} by {kernel:?} in {case:?}");
        }
    }
}

/// What is the same only if all bits of outputs and gradients are, over all cases.
fn checksum(pool: &Pool, algorithm: Algorithm) -> u64 {
    let mut bytes = Vec::new();
    for case in winograd_cases() {
        let case = Case { algorithm, ..case };
        let operands = Operands::<f32>::new(&case, reals);
        let found = run(pool, &case, &operands, Activation::Relu);
        let banks = found.y.iter().chain(&found.dw);
        for map in banks.chain([&found.dx]) {
            bytes.extend(map.data().iter().flat_map(|x| x.to_le_bytes()));
        }
    }
    fnv1a(&bytes)
}

#[test]
fn vector_kernels_give_the_same_bits_on_every_processor() {
    let vectors = |&kernel: &Kernel| kernel != Kernel::Portable && kernel.is_supported();
    for kernel in Kernel::ALL.into_iter().filter(vectors) {
        let pool = Pool::serial().with_kernel(kernel).unwrap();
        for (algorithm, expected) in [
            (Algorithm::Direct, 0x7a5a_1119_f8de_7689),
            (Algorithm::Winograd, 0xba0a_d3ef_67c0_0fca),
        ] {
            let found = checksum(&pool, algorithm);
            assert_eq!(found, expected, "{algorithm:?} by {kernel:?}");
        }
    }
}

#[test]
fn a_stride_of_zero_has_no_tiles() {
    let method = Method::winograd(Window::square(3).stride(0));
    assert_eq!(method.effective(), Algorithm::Direct);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_transforms_are_exact_but_for_rounding(case in cases()) {
        let operands = Operands::<f64>::new(&case, reals);
        let activation = [Activation::None, Activation::Relu][case.seed as usize % 2];
        let found = run(&Pool::new(2).unwrap(), &case, &operands, activation);
        let exact = expected(&case, &operands, activation);
        let error = errors(&found, &exact);
        prop_assert!(error < 1e-12, "{} in {:?}", error, case);
        for (found, exact) in found.db.iter().zip(&exact.db) {
            for (found, exact) in found.iter().zip(exact) {
                prop_assert!((found - exact).abs() < 1e-10);
            }
        }
    }
}
