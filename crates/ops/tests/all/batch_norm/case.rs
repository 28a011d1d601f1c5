//! A random normalisation, run by the operator and by the reference.

use crate::common::cases::{Map, distance, maps, written};
use crate::common::{dense, reals};
use inception_ops::Activation;
use inception_ops::batch_norm::{self, Grads, Norm, reference};
use inception_tensor::{Element, Pool, View};
use proptest::prelude::*;

/// Per-channel vectors of a random normalisation.
#[derive(Clone, Debug)]
pub(crate) struct Vectors<T> {
    pub(crate) mean: Vec<T>,
    pub(crate) var: Vec<T>,
    pub(crate) gamma: Option<Vec<T>>,
    pub(crate) beta: Option<Vec<T>>,
}

impl<T: Element> Vectors<T> {
    /// Variances at least 0.1, γ of either sign; `affine` 0 leaves γ and β out.
    pub(crate) fn new(seed: u64, channels: usize, affine: bool) -> Self {
        let vector = |i: u64, scale: f64, shift: f64| -> Vec<T> {
            let mut fill = reals::<f64>(&[seed, i, 31]);
            (0..channels)
                .map(|c| T::of(fill(c) * scale + shift))
                .collect()
        };
        Self {
            mean: vector(0, 1.0, 0.0),
            var: vector(1, 0.5, 0.7),
            gamma: affine.then(|| vector(2, 1.0, 0.2)),
            beta: affine.then(|| vector(3, 1.0, 0.0)),
        }
    }

    pub(crate) fn norm(&self) -> Norm<'_, T> {
        Norm {
            mean: &self.mean,
            var: &self.var,
            gamma: self.gamma.as_deref(),
            beta: self.beta.as_deref(),
            eps: 1e-3,
        }
    }
}

/// Mean and variance of a batch.
pub(crate) fn statistics<T: Element>(pool: &Pool, x: View<'_, T>) -> reference::Statistics<T> {
    let c = x.shape().c;
    let (mut mean, mut var) = (vec![T::nan(); c], vec![T::nan(); c]);
    let mut workspace = vec![T::nan(); batch_norm::workspace(x.shape())];
    batch_norm::statistics(pool, x, &mut mean, &mut var, &mut workspace);
    reference::Statistics { mean, var }
}

/// Which statistics a backward pass takes as constants.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mode {
    Train,
    Eval,
}

impl Mode {
    /// The backward function without an activation.
    pub(crate) fn backward(
        self,
        norm: &Norm<'_, f32>,
        [x, dy]: [View<'_, f32>; 2],
        grads: Grads<'_, f32>,
        workspace: &mut [f32],
    ) {
        let (pool, none) = (Pool::serial(), Activation::None);
        match self {
            Self::Train => {
                batch_norm::backward_train(&pool, norm, none, x, dy, grads, workspace);
            }
            Self::Eval => {
                batch_norm::backward_eval(&pool, norm, none, x, dy, grads, workspace);
            }
        }
    }
}

/// All gradients, `dx` into a map like `map`.
pub(crate) fn gradients<T: Element>(
    pool: &Pool,
    mode: Mode,
    norm: &Norm<'_, T>,
    map: &Map,
    [x, dy]: [View<'_, T>; 2],
    activation: Activation,
) -> reference::Gradients<T> {
    let (mut dgamma, mut dbeta) = (vec![T::nan(); map.shape.c], vec![T::nan(); map.shape.c]);
    let mut workspace = vec![T::nan(); batch_norm::workspace(map.shape)];
    let backward = match mode {
        Mode::Train => batch_norm::backward_train::<T, T>,
        Mode::Eval => batch_norm::backward_eval::<T, T>,
    };
    let dx = written(map, |dx| {
        let grads = Grads {
            dx: Some(dx),
            dgamma: Some(&mut dgamma),
            dbeta: Some(&mut dbeta),
        };
        backward(pool, norm, activation, x, dy, grads, &mut workspace);
    });
    reference::Gradients { dx, dgamma, dbeta }
}

/// Both passes in training against the reference in double precision.
pub(crate) fn training_equals_the_reference<T: Element>(
    map: &Map,
    affine: bool,
    relu: bool,
    tolerance: f64,
) {
    let pool = Pool::new(2).unwrap();
    let (x, dy) = (map.operand(0, reals::<T>), map.operand(1, reals::<T>));
    let stats = statistics(&pool, x.view());
    let vectors = Vectors {
        mean: stats.mean,
        var: stats.var,
        ..Vectors::new(map.seed, map.shape.c, affine)
    };
    let wide = Vectors::<f64> {
        mean: vectors.mean.iter().map(|v| v.f64()).collect(),
        var: vectors.var.iter().map(|v| v.f64()).collect(),
        gamma: vectors
            .gamma
            .as_ref()
            .map(|g| g.iter().map(|v| v.f64()).collect()),
        beta: vectors
            .beta
            .as_ref()
            .map(|b| b.iter().map(|v| v.f64()).collect()),
    };
    let activation = if relu {
        Activation::Relu
    } else {
        Activation::None
    };
    let y = written(map, |y| {
        batch_norm::normalize(&pool, &vectors.norm(), activation, x.view(), y);
    });
    let exact = [x.view(), dy.view()].map(|v| dense(v).cast::<f64>());
    let mut expected = reference::normalize(&wide.norm(), &exact[0]);
    expected
        .data_mut()
        .iter_mut()
        .for_each(|y| *y = activation.apply(*y));
    let far = distance(y.data(), expected.data());
    assert!(far <= tolerance, "y {far}");

    let found = gradients(
        &pool,
        Mode::Train,
        &vectors.norm(),
        map,
        [x.view(), dy.view()],
        activation,
    );
    let mut dz = exact[1].clone();
    for (d, y) in dz.data_mut().iter_mut().zip(y.data()) {
        if relu && y.f64() <= 0.0 {
            *d = 0.0;
        }
    }
    let expected = reference::backward_train(&wide.norm(), &exact[0], &dz);
    // Differences of terms of this size remain.
    let scale = dz.data().iter().fold(0.0f64, |m, d| m.max(d.abs())) * 30.0;
    for (name, found, expected) in [
        ("dx", found.dx.data(), expected.dx.data()),
        ("dgamma", &found.dgamma[..], &expected.dgamma[..]),
        ("dbeta", &found.dbeta[..], &expected.dbeta[..]),
    ] {
        for (f, e) in found.iter().zip(expected) {
            let far = (f.f64() - e).abs();
            assert!(
                far <= tolerance * 10.0 * e.abs().max(scale),
                "{name} {f} {e}"
            );
        }
    }
}

/// Maps with more than one value per channel.
pub(crate) fn batches(side: usize, channels: usize) -> impl Strategy<Value = Map> {
    maps(side, channels).prop_filter("one value", |m| batch_norm::check_train(m.shape).is_ok())
}
