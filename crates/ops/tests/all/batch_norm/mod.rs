//! Batch normalisation against its definition: exact statistics of integers, large means,
//! both modes, fused ReLU, folding, threads, derivatives, refusals.

mod case;
use crate::common::cases::{
    MANY, Map, as_map, check_smooth, distance, maps, same_on_all_pools, written,
};
use crate::common::{dense, dot, integers, reals};
use case::*;
use inception_ops::Activation;
use inception_ops::batch_norm::{self, Grads, Norm, reference};
use inception_tensor::{Pool, Shape, Tensor};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(MANY))]

    #[test]
    fn statistics_of_integers_are_exact(map in maps(12, 37)) {
        let x = map.operand(0, integers::<f32>);
        let found = statistics(&Pool::new(2).unwrap(), x.view());
        let values = |c: usize| (0..map.shape.rows()).map(move |p| (p, c));
        let n = map.shape.rows() as f64;
        for c in 0..map.shape.c {
            let at = |(p, c): (usize, usize)| f64::from(x.view().row(p)[c]);
            let sum: f64 = values(c).map(at).sum();
            prop_assert_eq!(found.mean[c], (sum / n) as f32);
            let squares: f64 = values(c).map(|i| at(i) * at(i)).sum();
            let var = (squares - sum * sum / n) / n;
            prop_assert!((f64::from(found.var[c]) - var).abs() <= var * 2f64.powi(-24) + 1e-13);
        }
    }

    #[test]
    fn statistics_equal_the_reference(map in maps(9, 37)) {
        let x = map.operand(0, reals::<f64>);
        let found = statistics(&Pool::serial(), x.view());
        let expected = reference::statistics(&dense(x.view()));
        prop_assert!(distance(&found.mean, &expected.mean) <= 1e-13);
        prop_assert!(distance(&found.var, &expected.var) <= 1e-13);
    }

    #[test]
    fn training_passes_equal_the_reference(
        map in batches(7, 21),
        affine in any::<bool>(),
        relu in any::<bool>(),
    ) {
        training_equals_the_reference::<f32>(&map, affine, relu, 6e-7);
        training_equals_the_reference::<f64>(&map, affine, relu, 1e-13);
    }

    #[test]
    fn gradients_in_training_are_derivatives(map in batches(5, 5), affine in any::<bool>()) {
        check_derivatives(Mode::Train, &map, affine);
    }

    #[test]
    fn gradients_of_frozen_statistics_are_derivatives(map in maps(5, 5), affine in any::<bool>()) {
        check_derivatives(Mode::Eval, &map, affine);
    }

    #[test]
    fn a_folded_convolution_gives_the_normalised_output(
        map in maps(3, 9),
        c_in in 1..4usize,
        affine in any::<bool>(),
    ) {
        // Of a 1×1 convolution: y = bias + Σ_i x_i·w_i.
        let c = map.shape.c;
        let weight = Tensor::from_fn(Shape::new(1, 1, c_in, c), reals::<f64>(&[map.seed, 1]));
        let bias: Vec<f64> = (0..c).map(reals(&[map.seed, 2])).collect();
        let vectors = Vectors::<f64>::new(map.seed, c, affine);
        let (mut w, mut b) = (Tensor::zeros(weight.shape()), vec![0.0; c]);
        let bias = affine.then_some(&bias[..]);
        batch_norm::fold(&vectors.norm(), weight.view(), bias, w.view_mut(), &mut b);
        let input: Vec<f64> = (0..c_in).map(reals(&[map.seed, 3])).collect();
        let conv = |weight: &Tensor<f64>, bias: Option<&[f64]>| {
            Tensor::from_fn(Shape::vector(c), |o| {
                let products = (0..c_in).map(|i| input[i] * weight.view().row(i)[o]);
                products.sum::<f64>() + bias.map_or(0.0, |b| b[o])
            })
        };
        let expected = reference::normalize(&vectors.norm(), &conv(&weight, bias));
        let folded = conv(&w, Some(&b));
        prop_assert!(distance(folded.data(), expected.data()) <= 1e-12);
    }
}

/// Gradients of input, γ and β, with and without ReLU, against the stencil.
fn check_derivatives(mode: Mode, map: &Map, affine: bool) {
    let (c, seed) = (map.shape.c, map.seed);
    let vectors = Vectors::<f64>::new(seed, c, true);
    // Two far values a channel keep the variance of a batch above 0.1.
    let x = Tensor::from_fn(map.shape, |i| {
        let far = if i / c % 2 == 0 { 0.7 } else { -0.7 };
        far + 0.2 * reals::<f64>(&[seed, 1])(i)
    });
    let u = Tensor::from_fn(map.shape, reals::<f64>(&[seed, 2]));
    let pool = Pool::serial();
    // The output for an input, a γ and a β.
    let run = |x: &[f64], gamma: &[f64], beta: &[f64]| {
        let x = as_map(x, map.shape);
        let stats = match mode {
            Mode::Train => statistics(&pool, x),
            Mode::Eval => reference::Statistics {
                mean: vectors.mean.clone(),
                var: vectors.var.clone(),
            },
        };
        let now = Vectors {
            mean: stats.mean,
            var: stats.var,
            gamma: affine.then(|| gamma.to_vec()),
            beta: affine.then(|| beta.to_vec()),
        };
        let mut y = Tensor::zeros(map.shape);
        batch_norm::normalize(&pool, &now.norm(), Activation::None, x, y.view_mut());
        (now, y)
    };
    let (gamma, beta) = (
        vectors.gamma.as_deref().unwrap(),
        vectors.beta.as_deref().unwrap(),
    );
    let (now, y) = run(x.data(), gamma, beta);
    // A ReLU where every number is far from the bend, else none.
    let relu = y.data().iter().all(|y| y.abs() > 0.05);
    let activation = if relu {
        Activation::Relu
    } else {
        Activation::None
    };
    let grads = gradients(
        &pool,
        mode,
        &now.norm(),
        map,
        [x.view(), u.view()],
        activation,
    );
    let loss = |y: &Tensor<f64>| {
        let y: Vec<f64> = y.data().iter().map(|&y| activation.apply(y)).collect();
        dot(&y, u.data())
    };
    for d in 0..3 {
        let key = [seed, d];
        check_smooth("dx", x.data(), grads.dx.data(), &key, |x| {
            loss(&run(x, gamma, beta).1)
        });
        if affine {
            check_smooth("dgamma", gamma, &grads.dgamma, &key, |g| {
                loss(&run(x.data(), g, beta).1)
            });
            check_smooth("dbeta", beta, &grads.dbeta, &key, |b| {
                loss(&run(x.data(), gamma, b).1)
            });
        }
    }
}

#[test]
fn a_mean_of_10_000_does_not_swallow_a_deviation_of_1() {
    let map = Map::new([4, 28, 28, 33]);
    let x = map.operand(0, |key| {
        let stream = inception_tensor::Stream::new(key);
        move |i| {
            let sum: f64 = (0..12)
                .map(|j| f64::from(stream.uniform_at(i as u64 * 12 + j)))
                .sum();
            (1e4 + (sum - 6.0)) as f32
        }
    });
    let found = statistics(&Pool::new(2).unwrap(), x.view());
    let expected = reference::statistics(&dense(x.view()).cast::<f64>());
    for c in 0..33 {
        assert!((f64::from(found.mean[c]) / expected.mean[c] - 1.0).abs() <= 6e-8);
        assert!((f64::from(found.var[c]) / expected.var[c] - 1.0).abs() <= 1e-6);
    }
    let vectors = Vectors {
        mean: found.mean,
        var: found.var,
        gamma: None,
        beta: None,
    };
    let y = written(&map, |y| {
        let norm = Norm {
            eps: 0.0,
            ..vectors.norm()
        };
        batch_norm::normalize(&Pool::serial(), &norm, Activation::None, x.view(), y);
    });
    let again = reference::statistics(&y.cast::<f64>());
    assert!(
        again.var.iter().all(|v| (v - 1.0).abs() <= 1e-5),
        "{:?}",
        again.var
    );
}

#[test]
fn an_outlier_first_does_not_spoil_the_statistics() {
    let mut x = Tensor::from_fn(Shape::new(1, 40, 40, 3), reals::<f32>(&[5]));
    x.data_mut()[..3].fill(1e6);
    let found = statistics(&Pool::serial(), x.view());
    let expected = reference::statistics(&x.cast::<f64>());
    for c in 0..3 {
        assert!((f64::from(found.var[c]) / expected.var[c] - 1.0).abs() <= 1e-6);
        assert!((f64::from(found.mean[c]) / expected.mean[c] - 1.0).abs() <= 1e-6);
    }
}

#[test]
fn constant_channels_give_no_nan() {
    let map = Map::new([2, 3, 3, 4]);
    let x = Tensor::from_fn(map.shape, |_| 0.1f32);
    let dy = Tensor::from_fn(map.shape, reals::<f32>(&[1]));
    let pool = Pool::serial();
    let stats = statistics(&pool, x.view());
    assert_eq!(stats.var, [0.0; 4]);
    assert_eq!(stats.mean, [0.1; 4]);
    let vectors = Vectors {
        mean: stats.mean,
        var: stats.var,
        gamma: None,
        beta: None,
    };
    for eps in [1e-3, 0.0] {
        let norm = Norm {
            eps,
            ..vectors.norm()
        };
        let y = written(&map, |y| {
            batch_norm::normalize(&pool, &norm, Activation::None, x.view(), y);
        });
        assert!(y.data().iter().all(|&y| y == 0.0));
        let grads = gradients(
            &pool,
            Mode::Train,
            &norm,
            &map,
            [x.view(), dy.view()],
            Activation::None,
        );
        assert!(grads.dx.data().iter().all(|d| d.is_finite()));
        assert_eq!(grads.dgamma, [0.0; 4]);
    }
}

#[test]
fn a_nan_shows_in_its_channel_alone() {
    let map = Map::new([2, 3, 3, 2]);
    let mut x = Tensor::from_fn(map.shape, reals::<f32>(&[1]));
    x.data_mut()[5] = f32::NAN;
    let stats = statistics(&Pool::serial(), x.view());
    assert!(stats.mean[1].is_nan() && stats.var[1].is_nan());
    assert!(stats.mean[0].is_finite() && stats.var[0].is_finite());
    let vectors = Vectors {
        mean: vec![0.0, 0.0],
        var: vec![1.0, f32::NAN],
        gamma: None,
        beta: None,
    };
    let mut y = Tensor::zeros(map.shape);
    let clean = Tensor::from_fn(map.shape, |_| 1.0f32);
    let none = Activation::None;
    batch_norm::normalize(
        &Pool::serial(),
        &vectors.norm(),
        none,
        clean.view(),
        y.view_mut(),
    );
    assert!(y.data()[1].is_nan() && y.data()[0].is_finite());
}

#[test]
fn a_relu_in_the_same_pass_is_a_relu_after_it() {
    let map = Map {
        gap: 2,
        ..Map::new([2, 5, 5, 19])
    };
    let (x, dy) = (map.operand(0, reals::<f32>), map.operand(1, reals::<f32>));
    let pool = Pool::serial();
    let vectors = Vectors::<f32>::new(3, 19, true);
    let run = |activation| {
        written(&map, |y| {
            batch_norm::normalize(&pool, &vectors.norm(), activation, x.view(), y);
        })
    };
    let (mut plain, fused) = (run(Activation::None), run(Activation::Relu));
    inception_ops::relu::forward_in_place(&pool, plain.view_mut());
    assert_eq!(plain, fused);
    let mut dz = Tensor::zeros(map.shape);
    inception_ops::relu::backward(&pool, fused.view(), dy.view(), dz.view_mut());
    for mode in [Mode::Train, Mode::Eval] {
        let run = |dy, activation| {
            let operands = [x.view(), dy];
            gradients(&pool, mode, &vectors.norm(), &map, operands, activation)
        };
        let fused = run(dy.view(), Activation::Relu);
        let apart = run(dz.view(), Activation::None);
        assert_eq!(fused.dx, apart.dx);
        assert_eq!((fused.dgamma, fused.dbeta), (apart.dgamma, apart.dbeta));
    }
}

#[test]
fn gradients_that_nobody_asks_for_change_no_other() {
    let map = Map::new([2, 4, 4, 5]);
    let (x, dy) = (map.operand(0, reals::<f32>), map.operand(1, reals::<f32>));
    let vectors = Vectors::<f32>::new(3, 5, true);
    let (norm, operands) = (vectors.norm(), [x.view(), dy.view()]);
    let mut workspace = vec![0.0; batch_norm::workspace(map.shape)];
    for mode in [Mode::Train, Mode::Eval] {
        let all = gradients(
            &Pool::serial(),
            mode,
            &norm,
            &map,
            operands,
            Activation::None,
        );
        let dx = written(&map, |dx| {
            let grads = Grads {
                dx: Some(dx),
                dgamma: None,
                dbeta: None,
            };
            mode.backward(&norm, operands, grads, &mut workspace);
        });
        assert_eq!(dx, all.dx);
        let mut dgamma = vec![0.0; 5];
        let grads = Grads {
            dx: None,
            dgamma: Some(&mut dgamma),
            dbeta: None,
        };
        mode.backward(&norm, operands, grads, &mut workspace);
        assert_eq!(dgamma, all.dgamma);
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let map = Map::new([3, 29, 28, 65]);
    let (x, dy) = (map.operand(0, reals::<f32>), map.operand(1, reals::<f32>));
    same_on_all_pools(|pool| {
        let stats = statistics(pool, x.view());
        let vectors = Vectors {
            mean: stats.mean,
            var: stats.var,
            ..Vectors::new(9, 65, true)
        };
        let mut y = Tensor::zeros(map.shape);
        batch_norm::normalize(
            pool,
            &vectors.norm(),
            Activation::Relu,
            x.view(),
            y.view_mut(),
        );
        let operands = [x.view(), dy.view()];
        let grads = gradients(
            pool,
            Mode::Train,
            &vectors.norm(),
            &map,
            operands,
            Activation::Relu,
        );
        let frozen = gradients(
            pool,
            Mode::Eval,
            &vectors.norm(),
            &map,
            operands,
            Activation::None,
        );
        [
            vectors.mean,
            vectors.var,
            y.into_vec(),
            grads.dx.into_vec(),
            grads.dgamma,
            grads.dbeta,
            frozen.dx.into_vec(),
        ]
        .concat()
    });
}

#[test]
fn running_statistics_move_as_pytorchs() {
    // torch.nn.BatchNorm1d(1, momentum=0.1) on [1, 2, 3, 6]: mean 3, unbiased variance 14/3.
    let (mut mean, mut var) = ([0.0f64], [0.0f64]);
    let batch = (&[3.0][..], &[3.5][..]);
    let running = (&[0.0][..], &[1.0][..]);
    batch_norm::update_running(0.1, 4, batch, running, &mut mean, &mut var);
    assert!((mean[0] - 0.3).abs() < 1e-15);
    assert!((var[0] - (0.9 + 0.1 * 14.0 / 3.0)).abs() < 1e-15);
}

#[test]
fn one_value_per_channel_is_no_batch() {
    assert_eq!(batch_norm::check_train(Shape::new(1, 1, 2, 3)), Ok(()));
    assert_eq!(
        batch_norm::check_train(Shape::new(1, 1, 1, 3))
            .unwrap_err()
            .to_string(),
        "batch_norm: training needs more than 1 value per channel, found [1, 1, 1, 3]"
    );
    assert!(batch_norm::check_train(Shape::new(0, 7, 7, 3)).is_err());
}

#[test]
#[should_panic(expected = "batch_norm: 18 numbers of workspace for [1, 1, 2, 3], found 17")]
fn a_short_workspace_is_refused() {
    let x = Tensor::<f32>::zeros(Shape::new(1, 1, 2, 3));
    let (mut mean, mut var) = ([0.0; 3], [0.0; 3]);
    batch_norm::statistics(
        &Pool::serial(),
        x.view(),
        &mut mean,
        &mut var,
        &mut [0.0; 17],
    );
}
