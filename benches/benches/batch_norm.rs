//! Batch normalisation with ReLU, forward and backward.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use inception_benches::block::random;
use inception_ops::Activation;
use inception_ops::batch_norm::{Grads, Norm, backward_train, normalize, statistics, workspace};
use inception_tensor::{Shape, Tensor};

/// Outputs of convolutions: of the stem, of 3a's 3×3 branch, of 5b's.
const INPUTS: [Shape; 3] = [
    Shape::new(8, 56, 56, 192),
    Shape::new(8, 28, 28, 128),
    Shape::new(8, 7, 7, 384),
];

fn training(c: &mut Criterion) {
    let pool = inception_benches::pool();
    for shape in INPUTS {
        let Shape {
            n,
            h,
            w,
            c: channels,
        } = shape;
        let mut group = c.benchmark_group(format!("batch_norm/{n}x{h}x{w}x{channels}"));
        group.throughput(Throughput::Elements(shape.len() as u64));
        let x = Tensor::from_vec(shape, random(shape.len(), "x"));
        let dy = Tensor::from_vec(shape, random(shape.len(), "dy"));
        let (gamma, beta) = (random(channels, "gamma"), random(channels, "beta"));
        let (mut mean, mut var) = (vec![0.0; channels], vec![0.0; channels]);
        let mut space = vec![0.0; workspace(shape)];
        let mut y = Tensor::zeros(shape);
        group.bench_function("statistics", |bench| {
            bench.iter(|| statistics(&pool, x.view(), &mut mean, &mut var, &mut space));
        });
        let norm = Norm {
            mean: &mean,
            var: &var,
            gamma: Some(&gamma),
            beta: Some(&beta),
            eps: 1e-3,
        };
        group.bench_function("normalize", |bench| {
            bench.iter(|| normalize(&pool, &norm, Activation::Relu, x.view(), y.view_mut()));
        });
        let mut dx = Tensor::zeros(shape);
        let (mut dgamma, mut dbeta) = (vec![0.0; channels], vec![0.0; channels]);
        group.bench_function("backward", |bench| {
            bench.iter(|| {
                let grads = Grads {
                    dx: Some(dx.view_mut()),
                    dgamma: Some(&mut dgamma),
                    dbeta: Some(&mut dbeta),
                };
                let (x, dy) = (x.view(), dy.view());
                backward_train(&pool, &norm, Activation::Relu, x, dy, grads, &mut space);
            });
        });
        group.finish();
    }
}

criterion_group!(benches, training);
criterion_main!(benches);
