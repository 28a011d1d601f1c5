//! Whole Inception modules: inference, and forward with backward.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use inception_benches::forms;
use inception_benches::training::{Training, TrainingConfig};
use inception_nn::models::{InceptionRow, TABLE1};
use inception_nn::modules::ConvStyle;
use inception_tensor::Shape;
use std::cell::RefCell;

/// Images in a batch.
const BATCH: usize = 8;

/// A module of Table 1 and what it reads.
fn modules() -> [(&'static InceptionRow, Shape); 2] {
    [
        (&TABLE1[0], Shape::new(BATCH, 28, 28, 192)),
        (&TABLE1[6], Shape::new(BATCH, 14, 14, 528)),
    ]
}

fn inference(c: &mut Criterion) {
    let pool = inception_benches::pool();
    let mut group = c.benchmark_group("module/inference");
    for (row, input) in modules() {
        let block = forms::reduced(input, &row.config).expect("a module of the network");
        group.throughput(Throughput::Elements(block.cost().flops));
        let runner = RefCell::new(block.runner(&pool).expect("memory for a module"));
        let (load, run) = (
            || runner.borrow_mut().load(),
            |()| runner.borrow_mut().run(),
        );
        group.bench_function(row.name, |bench| {
            bench.iter_batched(load, run, BatchSize::PerIteration);
        });
    }
    group.finish();
}

fn training(c: &mut Criterion) {
    let pool = inception_benches::pool();
    for (style, name) in [
        (ConvStyle::Biased, "biased"),
        (ConvStyle::BatchNorm, "batch-norm"),
    ] {
        let mut group = c.benchmark_group(format!("module/training-{name}"));
        for (row, input) in modules() {
            let config = row.config;
            let config = TrainingConfig {
                input,
                style,
                third_kernel: 5,
                config,
            };
            let training = Training::new(&config, &pool).expect("memory for a module");
            let training = RefCell::new(training);
            let load = || training.borrow_mut().load();
            let run = |()| training.borrow_mut().run();
            group.throughput(Throughput::Elements(BATCH as u64));
            group.bench_function(row.name, |bench| {
                bench.iter_batched(load, run, BatchSize::PerIteration);
            });
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = inference, training
}
criterion_main!(benches);
