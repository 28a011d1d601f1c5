//! The three passes of a convolution on shapes of GoogLeNet.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use inception_benches::block::random;
use inception_ops::conv2d::{
    Algorithm, Filter, Method, Weight, backward_input, backward_input_workspace, backward_weight,
    backward_weight_workspace, forward, forward_workspace, shape,
};
use inception_ops::{Activation, Window};
use inception_tensor::{Pool, Shape, Tensor};

/// Images in a batch.
const BATCH: usize = 8;

/// A convolution of the network.
struct Layer {
    name: &'static str,
    side: usize,
    window: Window,
    c_in: usize,
    c_out: usize,
}

const fn layer(
    name: &'static str,
    side: usize,
    window: Window,
    [c_in, c_out]: [usize; 2],
) -> Layer {
    Layer {
        name,
        side,
        window,
        c_in,
        c_out,
    }
}

const LAYERS: [Layer; 7] = [
    layer(
        "conv1-7x7",
        224,
        Window::square(7).stride(2).padding(3),
        [3, 64],
    ),
    layer("conv3-3x3", 56, Window::square(3).padding(1), [64, 192]),
    layer("3a-1x1", 28, Window::square(1), [192, 64]),
    layer("3a-3x3", 28, Window::square(3).padding(1), [96, 128]),
    layer("3a-5x5", 28, Window::square(5).padding(2), [16, 32]),
    layer("4e-3x3", 14, Window::square(3).padding(1), [160, 320]),
    layer("5b-3x3", 7, Window::square(3).padding(1), [192, 384]),
];

/// The operands of a layer's passes.
struct Operands {
    x: Tensor<f32>,
    weight: Tensor<f32>,
    bias: Vec<f32>,
    y: Tensor<f32>,
    macs: u64,
}

impl Operands {
    fn new(layer: &Layer) -> Self {
        let [kh, kw] = layer.window.kernel;
        let x = Shape::new(BATCH, layer.side, layer.side, layer.c_in);
        let weight = Shape::new(kh, kw, layer.c_in, layer.c_out);
        let y = shape(&layer.window, x, weight).expect("a layer of the network");
        let tensor = |shape: Shape, name| Tensor::from_vec(shape, random(shape.len(), name));
        Self {
            x: tensor(x, "x"),
            weight: tensor(weight, "weight"),
            bias: random(layer.c_out, "bias"),
            y: tensor(y, "y"),
            macs: (y.rows() * weight.len()) as u64,
        }
    }
}

fn passes(c: &mut Criterion) {
    let pool = inception_benches::pool();
    for pass in ["forward", "backward_input", "backward_weight"] {
        let mut group = c.benchmark_group(format!("conv2d/{pass}"));
        for layer in &LAYERS {
            for algorithm in [Algorithm::Direct, Algorithm::Winograd] {
                let window = layer.window;
                let method = Method { window, algorithm };
                if method.effective() != algorithm {
                    continue;
                }
                let mut operands = Operands::new(layer);
                group.throughput(Throughput::Elements(2 * operands.macs));
                let mut run = prepare(pass, method, &mut operands, &pool);
                let id = BenchmarkId::new(algorithm.name(), layer.name);
                group.bench_function(id, |bench| bench.iter(&mut run));
            }
        }
        group.finish();
    }
}

/// One pass, with its outputs and workspace allocated.
fn prepare<'a>(
    pass: &str,
    method: Method,
    operands: &'a mut Operands,
    pool: &'a Pool,
) -> Box<dyn FnMut() + 'a> {
    let (x, weight) = (operands.x.shape(), operands.weight.shape());
    match pass {
        "forward" => {
            let mut workspace = vec![0.0; forward_workspace(&method, [weight])];
            Box::new(move || {
                let filter = Filter {
                    weight: Weight::Plain(operands.weight.view()),
                    bias: Some(&operands.bias),
                };
                let (x, y) = (operands.x.view(), &mut [operands.y.view_mut()]);
                let relu = Activation::Relu;
                forward(pool, &method, x, &[filter], relu, y, &mut workspace);
            })
        }
        "backward_input" => {
            let mut dx = Tensor::zeros(x);
            let mut workspace = vec![0.0; backward_input_workspace(&method, x, [weight])];
            Box::new(move || {
                let (dy, weight) = ([operands.y.view()], [operands.weight.view()]);
                let dx = dx.view_mut();
                backward_input(pool, &method, &dy, &weight, dx, &mut workspace);
            })
        }
        _ => {
            let mut dw = Tensor::zeros(weight);
            let mut db = vec![0.0; weight.c];
            let size = backward_weight_workspace(&method, operands.y.shape(), weight);
            let mut workspace = vec![0.0; size];
            Box::new(move || {
                let (x, dy) = (operands.x.view(), operands.y.view());
                let (dw, db) = (dw.view_mut(), Some(&mut db[..]));
                backward_weight(pool, &method, x, dy, dw, db, &mut workspace);
            })
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = passes
}
criterion_main!(benches);
