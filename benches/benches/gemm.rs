//! The matrix product on one thread, at the sizes of 1×1 convolutions of GoogLeNet.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use inception_benches::block::random;
use inception_tensor::{Accumulate, Epilogue, Operand, Shape, Tensor, gemm};

/// A product of `m × k` and `k × n`.
struct Size {
    name: &'static str,
    m: usize,
    k: usize,
    n: usize,
}

/// One image's pixels by the channels of a layer.
const SIZES: [Size; 4] = [
    Size {
        name: "conv2",
        m: 56 * 56,
        k: 64,
        n: 64,
    },
    Size {
        name: "3a/branch1",
        m: 28 * 28,
        k: 192,
        n: 64,
    },
    Size {
        name: "4e/branch1",
        m: 14 * 14,
        k: 528,
        n: 256,
    },
    Size {
        name: "5b/branch1",
        m: 7 * 7,
        k: 832,
        n: 384,
    },
];

fn products(c: &mut Criterion) {
    let mut group = c.benchmark_group("gemm");
    for size in &SIZES {
        let matrix = |rows: usize, columns: usize, name| {
            Tensor::from_vec(Shape::matrix(rows, columns), random(rows * columns, name))
        };
        let (a, b) = (matrix(size.m, size.k, "a"), matrix(size.k, size.n, "b"));
        let mut y = Tensor::zeros(Shape::matrix(size.m, size.n));
        group.throughput(Throughput::Elements((2 * size.m * size.k * size.n) as u64));
        group.bench_function(BenchmarkId::from_parameter(size.name), |bench| {
            bench.iter(|| {
                gemm(
                    Operand::Plain(a.view()),
                    Operand::Plain(b.view()),
                    Accumulate::Replace,
                    Epilogue::NONE,
                    y.view_mut(),
                );
            });
        });
    }
    group.finish();
}

criterion_group!(benches, products);
criterion_main!(benches);
