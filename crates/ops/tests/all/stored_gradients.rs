//! Gradients by products of pairs against those of the same rounded numbers in `f64`.

use inception_ops::Window;
use inception_ops::conv2d::{self, Method, stored};
use inception_tensor::{Bf16, Kernel, Pool, Shape, Stream, Tensor, View, ViewMut};
use proptest::prelude::*;

#[derive(Clone, Debug)]
struct Case {
    x: Shape,
    window: Window,
    /// Channels of each bank.
    banks: Vec<usize>,
    /// Channels beside those of a map.
    beside: usize,
    seed: u64,
}

fn case() -> impl Strategy<Value = Case> {
    let extents = (1..4usize, 3..13usize, 3..13usize, 1..40usize, 1..40usize);
    let window = (1..4usize, 1..4usize, 0..3usize, 1..3usize);
    (extents, window, 0..4usize, 1..4usize, any::<u64>()).prop_map(
        |((n, h, w, c, c_out), (kh, kw, padding, dilation), beside, banks, seed)| {
            // Windows with dilation are as large as 5.
            let window = Window::new(kh, kw).padding(padding).dilation(dilation);
            let fits = |extent, kernel| extent + 2 * padding > (kernel - 1) * dilation;
            let window = match fits(h, kh) && fits(w, kw) {
                true => window,
                false => Window::square(1),
            };
            Case {
                x: Shape::new(n, h, w, c),
                window,
                banks: match window.is_pointwise() {
                    true => (0..banks).map(|i| 1 + (c_out + 11 * i) % 40).collect(),
                    false => vec![c_out],
                },
                beside,
                seed,
            }
        },
    )
}

/// A channel slice of a larger map, of numbers that survive rounding.
struct Map {
    rounded: Vec<Bf16>,
    real: Vec<f32>,
    exact: Vec<f64>,
    shape: Shape,
    stride: usize,
}

impl Map {
    fn new(stream: &mut Stream, shape: Shape, beside: usize) -> Self {
        let stride = shape.c + beside;
        let numbers = (0..shape.rows() * stride).map(|_| stream.normal() as f32);
        let rounded: Vec<Bf16> = numbers.map(Bf16::from_f32).collect();
        Self {
            real: rounded.iter().map(|x| x.to_f32()).collect(),
            exact: rounded.iter().map(|x| f64::from(x.to_f32())).collect(),
            rounded,
            shape,
            stride,
        }
    }

    fn of<'a, T>(&self, data: &'a [T]) -> View<'a, T> {
        let len = (self.shape.rows() - 1) * self.stride + self.shape.c;
        View::strided(&data[..len], self.shape, self.stride)
    }

    fn rounded(&self) -> View<'_, Bf16> {
        self.of(&self.rounded)
    }

    fn real(&self) -> View<'_, f32> {
        self.of(&self.real)
    }

    fn exact(&self) -> View<'_, f64> {
        self.of(&self.exact)
    }
}

impl Case {
    fn maps(&self) -> (Map, Vec<Map>, Vec<Map>) {
        let mut stream = Stream::new(&[self.seed]);
        let x = Map::new(&mut stream, self.x, self.beside);
        let [kh, kw] = self.window.kernel;
        let (mut weights, mut dys) = (Vec::new(), Vec::new());
        for &c in &self.banks {
            let weight = Map::new(&mut stream, Shape::new(kh, kw, self.x.c, c), 0);
            let y = conv2d::shape(&self.window, self.x, weight.shape).unwrap();
            dys.push(Map::new(&mut stream, y, self.beside));
            weights.push(weight);
        }
        (x, weights, dys)
    }
}

/// On every kernel, by the pool.
fn on_every_kernel(threads: usize, mut find: impl FnMut(&Pool) -> Vec<f32>, expected: &[f64]) {
    let largest = expected.iter().fold(1e-3, |m: f64, x| m.max(x.abs()));
    for kernel in Kernel::ALL.into_iter().filter(|k| k.is_supported()) {
        let pool = Pool::new(threads).unwrap().with_kernel(kernel).unwrap();
        let found = find(&pool);
        for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
            let error = (f64::from(*found) - expected).abs();
            assert!(
                error <= 2e-6 * largest,
                "{kernel:?} {i}: {found} for {expected}"
            );
        }
        let alone = Pool::serial().with_kernel(kernel).unwrap();
        assert_eq!(find(&alone), found, "{kernel:?}: one thread");
    }
}

fn input(case: &Case) {
    let (_, weights, dys) = case.maps();
    let (dy, weight): (Vec<_>, Vec<_>) = (
        dys.iter().map(Map::exact).collect(),
        weights.iter().map(Map::exact).collect(),
    );
    let method = Method::direct(case.window);
    let shapes: Vec<Shape> = weights.iter().map(|w| w.shape).collect();
    let needed = conv2d::backward_input_workspace(&method, case.x, shapes.iter().copied());
    let mut expected = Tensor::<f64>::zeros(case.x);
    let (pool, out) = (Pool::serial(), expected.view_mut());
    conv2d::backward_input(&pool, &method, &dy, &weight, out, &mut vec![0.0; needed]);
    let (dy, weight): (Vec<_>, Vec<_>) = (
        dys.iter().map(Map::real).collect(),
        weights.iter().map(Map::real).collect(),
    );
    let find = |pool: &Pool| {
        let y = dys[0].shape;
        let needed = stored::backward_input_workspace(&case.window, case.x, y, shapes.clone());
        let mut dx = vec![f32::NAN; case.x.len()];
        let (out, mut words) = (ViewMut::new(&mut dx, case.x), vec![u32::MAX; needed]);
        stored::backward_input(pool, &case.window, &dy, &weight, out, &mut words);
        dx
    };
    on_every_kernel(3, find, expected.data());
}

fn weight(case: &Case) {
    let (x, weights, dys) = case.maps();
    let (shape, dy) = (weights[0].shape, &dys[0]);
    let method = Method::direct(case.window);
    let mut expected = Tensor::<f64>::zeros(shape);
    let (pool, out) = (Pool::serial(), expected.view_mut());
    conv2d::backward_weight(&pool, &method, x.exact(), dy.exact(), out, None, &mut []);
    let find = |pool: &Pool| {
        let needed = stored::backward_weight_workspace(&case.window, case.x, dy.shape);
        let mut dw = vec![f32::NAN; shape.len()];
        let (out, mut words) = (ViewMut::new(&mut dw, shape), vec![u32::MAX; needed]);
        let (x, dy) = (x.rounded(), dy.real());
        stored::backward_weight(pool, &case.window, x, dy, out, None, &mut words);
        dw
    };
    on_every_kernel(3, find, expected.data());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_gradient_of_the_input_is_that_of_rounded_numbers(case in case()) {
        input(&case);
    }

    #[test]
    fn the_gradient_of_the_weight_is_that_of_rounded_numbers(case in case()) {
        weight(&case);
    }
}

/// Images of several bands, blocks of several images, and an odd rest of both.
#[test]
fn pixels_of_many_blocks_are_summed() {
    for (n, side, kernel) in [(2, 45, 3), (37, 7, 3), (5, 14, 1), (1, 40, 5)] {
        let case = Case {
            x: Shape::new(n, side, side, 32),
            window: Window::square(kernel).padding(kernel / 2),
            banks: vec![48],
            beside: 16,
            seed: 3,
        };
        input(&case);
        weight(&case);
    }
}
