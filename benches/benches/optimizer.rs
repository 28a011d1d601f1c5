//! One step of each optimiser over as many numbers as a large layer has.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use inception_benches::block::random;
use inception_train::{Optimizer, OptimizerConfig, OptimizerKind, Trained, Update};

const LEN: usize = 1 << 20;

const KINDS: [(&str, OptimizerKind); 4] = [
    (
        "sgd",
        OptimizerKind::Sgd {
            momentum: 0.9,
            nesterov: false,
        },
    ),
    (
        "nesterov",
        OptimizerKind::Sgd {
            momentum: 0.9,
            nesterov: true,
        },
    ),
    (
        "adamw",
        OptimizerKind::AdamW {
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
        },
    ),
    (
        "rmsprop",
        OptimizerKind::RmsProp {
            alpha: 0.9,
            eps: 1e-8,
            momentum: 0.9,
        },
    ),
];

fn steps(c: &mut Criterion) {
    let pool = inception_benches::pool();
    let mut group = c.benchmark_group("optimizer");
    group.throughput(Throughput::Elements(LEN as u64));
    let gradient = random(LEN, "gradient");
    for (name, kind) in KINDS {
        let config = OptimizerConfig {
            kind,
            weight_decay: 1e-4,
        };
        let trained = Trained::new("weight", LEN);
        let mut optimizer = Optimizer::new(config, vec![trained]);
        let mut weights = random(LEN, "weights");
        let update = Update {
            lr: 1e-6,
            scale: 1.0,
        };
        group.bench_function(BenchmarkId::from_parameter(name), |bench| {
            bench.iter(|| {
                let _ = optimizer.update(&pool, 0, update, &mut weights, &gradient);
                optimizer.advance();
            });
        });
    }
    group.finish();
}

criterion_group!(benches, steps);
criterion_main!(benches);
