//! Softmax, and cross-entropy with its gradient, over a thousand classes.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use inception_benches::block::random;
use inception_ops::softmax::{Targets, cross_entropy, cross_entropy_backward, forward};
use inception_tensor::{Shape, Tensor};

const LOGITS: Shape = Shape::matrix(32, 1000);

fn passes(c: &mut Criterion) {
    let pool = inception_benches::pool();
    let mut group = c.benchmark_group("softmax/32x1000");
    group.throughput(Throughput::Elements(LOGITS.len() as u64));
    let logits = Tensor::from_vec(LOGITS, random(LOGITS.len(), "logits"));
    let labels: Vec<u32> = (0..LOGITS.n as u32).map(|i| 31 * i).collect();
    let targets = Targets::Labels(&labels);
    let (mut out, mut loss) = (Tensor::zeros(LOGITS), 0.0);
    group.bench_function("forward", |bench| {
        bench.iter(|| forward(&pool, logits.view(), out.view_mut()));
    });
    let mut log_probs = Tensor::zeros(LOGITS);
    group.bench_function("cross_entropy", |bench| {
        bench.iter(|| {
            let log_probs = log_probs.view_mut();
            cross_entropy(&pool, 0.1, logits.view(), targets, log_probs, &mut loss);
        });
    });
    group.bench_function("cross_entropy_backward", |bench| {
        bench.iter(|| {
            let out = out.view_mut();
            cross_entropy_backward(&pool, 0.1, log_probs.view(), targets, 1.0, out);
        });
    });
    group.finish();
}

criterion_group!(benches, passes);
criterion_main!(benches);
