//! Operators on stored maps against references on the same rounded numbers.

use inception_ops::conv2d::stored::{
    Convolution, Filter, Output, Scales, StoredMap, Taps, Vectors, forward, pack, packed_len,
};
use inception_ops::stored::{self, Scale};
use inception_ops::{Activation, PadCount, Window, avg_pool, batch_norm, conv2d, max_pool};
use inception_tensor::{Bf16, Kept, Kernel, Pool, Shape, Stored, Stream, Tensor, View, ViewMut};
use proptest::prelude::*;
use smallvec::smallvec;

/// A map of stored numbers, and what they stand for.
struct Map<S> {
    stored: Vec<S>,
    real: Tensor<f64>,
}

fn map<S: Stored>(stream: &mut Stream, shape: Shape, scale: Scale) -> Map<S> {
    let real = Tensor::from_fn(shape, |_| stream.range(-1.0, 2.0) as f32);
    let mut stored = vec![S::encode(0.0); shape.len()];
    let view = ViewMut::new(&mut stored, shape);
    stored::store(&Pool::serial(), scale, [[0; 2]; 2], real.view(), view);
    let mut back = Tensor::<f64>::zeros(shape);
    let view = View::new(&stored, shape);
    stored::load(&Pool::serial(), scale, view, back.view_mut());
    Map { stored, real: back }
}

#[derive(Clone, Debug)]
struct Case {
    x: Shape,
    window: Window,
    c_out: usize,
    activation: Activation,
    seed: u64,
}

fn case() -> impl Strategy<Value = Case> {
    let extents = (1..3usize, 5..9usize, 5..9usize, 1..9usize, 1..40usize);
    let window = (1..4usize, 1..4usize, 1..3usize, 0..2usize, any::<bool>());
    (extents, window, any::<u64>()).prop_map(|((n, h, w, c, c_out), (kh, kw, s, p, relu), seed)| {
        Case {
            x: Shape::new(n, h, w, c),
            window: Window::new(kh, kw).stride(s).padding(p),
            c_out,
            activation: match relu {
                true => Activation::Relu,
                false => Activation::None,
            },
            seed,
        }
    })
}

/// The convolution of stored numbers by rounded weights in `f64`, and what is found.
fn check<S: StoredMap>(case: &Case, taps: Taps, x_scale: Scale, weight_error: f64) {
    check_on::<S>(&Pool::serial(), case, taps, x_scale, weight_error);
}

/// The same on a pool of its own.
fn check_on<S: StoredMap>(pool: &Pool, case: &Case, taps: Taps, x_scale: Scale, weight_error: f64) {
    let mut stream = Stream::new(&[case.seed]);
    let mut window = case.window;
    let shape = case.x;
    match taps {
        Taps::Pixels => {}
        Taps::Lines => window.padding = [[0; 2]; 2],
        Taps::Tiles { stride } => {
            let side = [[3, 5], [5, 7]][stride - 1][case.window.kernel[0] % 2];
            let padding = case.window.padding[0][0] + stride - 1;
            window = Window::square(side).stride(stride).padding(padding);
        }
    }
    let x = map::<S>(&mut stream, shape, x_scale);
    let [kh, kw] = window.kernel;
    let size = Shape::new(kh, kw, shape.c, case.c_out);
    let weight = Tensor::from_fn(size, |_| stream.range(-1.0, 1.0));
    let bias: Vec<f64> = (0..case.c_out).map(|_| stream.range(-1.0, 1.0)).collect();
    let mut packed = vec![0; packed_len::<S>(taps, size)];
    let (mut scale, mut shift) = (vec![0.0; case.c_out], vec![0.0; case.c_out]);
    let scales = Scales {
        x: x_scale,
        y: Scale::ONE,
    };
    let vectors = Vectors {
        scale: &mut scale,
        shift: &mut shift,
    };
    let (view, bias_of) = (weight.view(), Some(&bias[..]));
    pack::<f64, S>(pool, taps, scales, view, bias_of, &mut packed, vectors);
    let out = conv2d::shape(&window, shape, size).unwrap();
    let mut y = Tensor::<f32>::zeros(out);
    let filter = Filter {
        packed: &packed,
        scale: &scale,
        shift: &shift,
        weight: size,
        y: Scale::ONE,
    };
    let convolution = Convolution {
        window,
        taps,
        x: x_scale,
        activation: case.activation,
    };
    let view = View::new(&x.stored, shape);
    match taps {
        Taps::Tiles { .. } => {
            let mut kept = vec![S::default(); out.len()];
            let into = smallvec![Output::Stored(ViewMut::new(&mut kept, out))];
            forward::<S>(pool, &convolution, view, &[filter], into);
            y = Tensor::from_vec(out, kept.into_iter().map(S::decode).collect());
        }
        _ => {
            let into = smallvec![Output::Real(y.view_mut())];
            forward::<S>(pool, &convolution, view, &[filter], into);
        }
    }
    let expected = conv2d::reference::forward(&window, x.real.view(), weight.view(), Some(&bias));
    // Each of `k` weights of at most 1 is off by at most half a step, each number at most 2.
    let bound = 2.0 * weight_error * size.rows() as f64 + 1e-5;
    for (i, (&found, &expected)) in y.data().iter().zip(expected.data()).enumerate() {
        let expected = case.activation.apply(expected);
        let rounding = match taps {
            Taps::Tiles { .. } => expected.abs() / 256.0,
            Taps::Pixels | Taps::Lines => 0.0,
        };
        let bound = bound + rounding;
        let error = (f64::from(found) - expected).abs();
        assert!(error <= bound, "{i}: {found} for {expected} ± {bound}");
    }
}

const BYTES: Scale = Scale {
    step: 3.0 / 255.0,
    zero: 85,
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn convolutions_agree_with_the_reference(case in case()) {
        check::<Bf16>(&case, Taps::Pixels, Scale::ONE, 1.0 / 512.0);
        check::<u8>(&case, Taps::Pixels, BYTES, 0.5 / 127.0);
    }

    #[test]
    fn lines_of_a_window_agree_with_the_reference(case in case()) {
        check::<Bf16>(&case, Taps::Lines, Scale::ONE, 1.0 / 512.0);
        check::<u8>(&case, Taps::Lines, BYTES, 0.5 / 127.0);
    }

    #[test]
    fn tiles_of_a_map_agree_with_the_reference_on_every_kernel(case in case()) {
        for kernel in Kernel::ALL.into_iter().filter(|k| k.is_supported()) {
            let pool = Pool::new(2).unwrap().with_kernel(kernel).unwrap();
            let stride = case.window.stride[0];
            // Weights are not rounded.
            check_on::<Bf16>(&pool, &case, Taps::Tiles { stride }, Scale::ONE, 1e-6);
        }
    }

    #[test]
    fn pools_agree_with_the_reference(case in case()) {
        let shape = case.x.with_channels(case.c_out);
        let window = Window::square(3).stride(case.window.stride[0]).padding(1);
        let out = max_pool::shape(&window, shape).unwrap();
        let pool = Pool::serial();
        let mut stream = Stream::new(&[case.seed]);

        let x = map::<Bf16>(&mut stream, shape, Scale::ONE);
        let mut y = vec![Bf16::default(); out.len()];
        let view = View::new(&x.stored, shape);
        let (mut winners, mut expected_winners) = (vec![9; out.len()], vec![9; out.len()]);
        let into = ViewMut::new(&mut y, out);
        stored::max_pool(&pool, &window, view, into, Some(&mut winners));
        let mut expected = Tensor::<f64>::zeros(out);
        let (real, into) = (x.real.view(), expected.view_mut());
        max_pool::forward(&pool, &window, real, into, Some(&mut expected_winners));
        for (y, &expected) in y.iter().zip(expected.data()) {
            prop_assert_eq!(f64::from(y.to_f32()), expected);
        }
        prop_assert_eq!(winners, expected_winners);
        let mut alone = vec![Bf16::default(); out.len()];
        stored::max_pool(&pool, &window, view, ViewMut::new(&mut alone, out), None);
        prop_assert_eq!(alone, y);

        let x = map::<u8>(&mut stream, shape, BYTES);
        let mut y = vec![0u8; out.len()];
        let view = View::new(&x.stored, shape);
        let into = ViewMut::new(&mut y, out);
        stored::avg_pool(&pool, &window, PadCount::Include, BYTES, view, into);
        avg_pool::forward(&pool, &window, PadCount::Include, x.real.view(), expected.view_mut());
        for (&y, &expected) in y.iter().zip(expected.data()) {
            let found = (f64::from(y) - 85.0) * f64::from(BYTES.step);
            let error = (found - expected).abs();
            prop_assert!(error <= 0.5001 * f64::from(BYTES.step), "{found} for {expected}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn kept_numbers_are_normalised_as_the_numbers_that_they_are(case in case()) {
        let (pool, shape) = (Pool::serial(), case.x.with_channels(case.c_out));
        let mut stream = Stream::new(&[case.seed]);
        let x = map::<Bf16>(&mut stream, shape, Scale::ONE);
        let dy = Tensor::from_fn(shape, |_| stream.range(-1.0, 1.0));
        let gamma: Vec<f64> = (0..shape.c).map(|_| stream.range(0.5, 1.5)).collect();
        let of_kept = normalise(&pool, View::new(&x.stored, shape), dy.view(), &gamma);
        let of_real = normalise(&pool, x.real.view(), dy.view(), &gamma);
        prop_assert_eq!(&of_kept, &of_real);
        let (norm, relu) = (norm(&of_kept.mean, &of_kept.var, &gamma), Activation::Relu);
        let mut kept = vec![Bf16::default(); shape.len()];
        let (view, into) = (View::new(&x.stored, shape), ViewMut::new(&mut kept, shape));
        batch_norm::normalize(&pool, &norm, relu, view, into);
        let mut real = Tensor::zeros(shape);
        batch_norm::normalize(&pool, &norm, relu, x.real.view(), real.view_mut());
        let rounded = real.data().iter().map(|&y| Bf16::from_f32(y as f32));
        prop_assert!(rounded.eq(kept.iter().copied()));
    }
}

/// Statistics and gradients of a normalisation with ReLU.
#[derive(Debug, PartialEq)]
struct Normalised {
    mean: Vec<f64>,
    var: Vec<f64>,
    dx: Tensor<f64>,
    dgamma: Vec<f64>,
}

fn norm<'a>(mean: &'a [f64], var: &'a [f64], gamma: &'a [f64]) -> batch_norm::Norm<'a, f64> {
    batch_norm::Norm {
        mean,
        var,
        gamma: Some(gamma),
        beta: None,
        eps: 1e-3,
    }
}

fn normalise<X: Kept>(pool: &Pool, x: View<'_, X>, dy: View<'_, f64>, gamma: &[f64]) -> Normalised {
    let (shape, relu) = (x.shape(), Activation::Relu);
    let mut workspace = vec![0.0; batch_norm::workspace(shape)];
    let (mut mean, mut var) = (vec![0.0; shape.c], vec![0.0; shape.c]);
    batch_norm::statistics(pool, x, &mut mean, &mut var, &mut workspace);
    let (mut dx, mut dgamma) = (Tensor::zeros(shape), vec![0.0; shape.c]);
    let norm = norm(&mean, &var, gamma);
    let grads = batch_norm::Grads {
        dx: Some(dx.view_mut()),
        dgamma: Some(&mut dgamma),
        dbeta: None,
    };
    batch_norm::backward_train(pool, &norm, relu, x, dy, grads, &mut workspace);
    Normalised {
        mean,
        var,
        dx,
        dgamma,
    }
}

#[test]
fn a_border_of_zeros_is_stored_around_a_map() {
    let x = Tensor::from_vec(Shape::new(1, 1, 2, 1), vec![-1.0f32, 2.0]);
    let mut y = vec![0u8; 2 * 5];
    let view = ViewMut::new(&mut y, Shape::new(1, 2, 5, 1));
    stored::store(&Pool::serial(), BYTES, [[1, 0], [2, 1]], x.view(), view);
    assert_eq!(y, [85, 85, 85, 85, 85, 85, 85, 0, 255, 85]);
}

#[test]
fn a_scale_covers_its_numbers_and_holds_zero_exactly() {
    let scale = Scale::covering(0.5, 4.0);
    assert_eq!((scale.step, scale.zero), (4.0 / 255.0, 0));
    assert_eq!(Scale::covering(0.0, 0.0), Scale::ONE);
    assert_eq!(Scale::covering(-3.0, -1.0).zero, 255);
}
