//! Pools on shapes of GoogLeNet, forward and backward.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use inception_benches::block::random;
use inception_ops::{Window, adaptive_avg_pool, max_pool};
use inception_tensor::{Shape, Tensor};

/// Images in a batch.
const BATCH: usize = 8;

/// A max pool of the network.
struct Layer {
    name: &'static str,
    window: Window,
    input: Shape,
}

const LAYERS: [Layer; 3] = [
    Layer {
        name: "pool1-3x3-s2",
        window: Window::square(3).stride(2).ceil(),
        input: Shape::new(BATCH, 112, 112, 64),
    },
    Layer {
        name: "3a-3x3-s1",
        window: Window::square(3).padding(1),
        input: Shape::new(BATCH, 28, 28, 192),
    },
    Layer {
        name: "5a-3x3-s1",
        window: Window::square(3).padding(1),
        input: Shape::new(BATCH, 7, 7, 832),
    },
];

fn tensor(shape: Shape, name: &str) -> Tensor<f32> {
    Tensor::from_vec(shape, random(shape.len(), name))
}

fn max_pools(c: &mut Criterion) {
    let pool = inception_benches::pool();
    for layer in &LAYERS {
        let mut group = c.benchmark_group(format!("max_pool/{}", layer.name));
        let x = tensor(layer.input, "x");
        let shape = max_pool::shape(&layer.window, layer.input).expect("a layer of the network");
        let mut y = Tensor::zeros(shape);
        let mut winners = vec![0; shape.len()];
        group.throughput(Throughput::Elements(layer.input.len() as u64));
        group.bench_function("inference", |bench| {
            bench.iter(|| max_pool::forward(&pool, &layer.window, x.view(), y.view_mut(), None));
        });
        group.bench_function("training", |bench| {
            bench.iter(|| {
                let winners = Some(&mut winners[..]);
                max_pool::forward(&pool, &layer.window, x.view(), y.view_mut(), winners);
            });
        });
        let mut dx = Tensor::zeros(layer.input);
        group.bench_function("backward", |bench| {
            bench.iter(|| {
                max_pool::backward(&pool, &layer.window, y.view(), &winners, dx.view_mut());
            });
        });
        group.finish();
    }
}

fn global_average(c: &mut Criterion) {
    let pool = inception_benches::pool();
    let mut group = c.benchmark_group("adaptive_avg_pool");
    let input = Shape::new(BATCH, 7, 7, 1024);
    let x = tensor(input, "x");
    let mut y = Tensor::zeros(Shape::new(BATCH, 1, 1, 1024));
    let mut dx = Tensor::zeros(input);
    group.throughput(Throughput::Elements(input.len() as u64));
    group.bench_function(BenchmarkId::new("forward", "7x7x1024"), |bench| {
        bench.iter(|| adaptive_avg_pool::forward(&pool, x.view(), y.view_mut()));
    });
    group.bench_function(BenchmarkId::new("backward", "7x7x1024"), |bench| {
        bench.iter(|| adaptive_avg_pool::backward(&pool, y.view(), dx.view_mut()));
    });
    group.finish();
}

criterion_group!(benches, max_pools, global_average);
criterion_main!(benches);
