//! Local response normalisation at the two places of the paper's network.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use inception_benches::block::random;
use inception_ops::lrn::{Lrn, backward, forward};
use inception_tensor::{Shape, Tensor};

/// After the first pool, and before the second.
const INPUTS: [Shape; 2] = [Shape::new(8, 56, 56, 64), Shape::new(8, 56, 56, 192)];

fn passes(c: &mut Criterion) {
    let pool = inception_benches::pool();
    let lrn = Lrn::default();
    for shape in INPUTS {
        let mut group = c.benchmark_group(format!("lrn/{shape}"));
        group.throughput(Throughput::Elements(shape.len() as u64));
        let tensor = |name| Tensor::from_vec(shape, random(shape.len(), name));
        let (x, dy) = (tensor("x"), tensor("dy"));
        let mut out = Tensor::zeros(shape);
        group.bench_function("forward", |bench| {
            bench.iter(|| forward(&pool, &lrn, x.view(), out.view_mut()));
        });
        group.bench_function("backward", |bench| {
            bench.iter(|| backward(&pool, &lrn, x.view(), dy.view(), out.view_mut()));
        });
        group.finish();
    }
}

criterion_group!(benches, passes);
criterion_main!(benches);
