//! Convolutions to test, all their passes, and the same by the definition.

use crate::common::Slice;
use inception_ops::conv2d::{self, Algorithm, Filter, Method, Weight, reference};
use inception_ops::{Activation, Rounding, Window};
use inception_tensor::{Element, Pool, Shape, Tensor, View, ViewMut};
use proptest::prelude::*;

/// A convolution of one input by some banks.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) window: Window,
    pub(crate) algorithm: Algorithm,
    pub(crate) x: Shape,
    /// Filters of each bank.
    pub(crate) banks: Vec<usize>,
    /// Channels before each slice; 0 for dense maps.
    pub(crate) gap: usize,
    pub(crate) seed: u64,
}

impl Case {
    pub(crate) fn new(window: Window, x: [usize; 4], banks: &[usize]) -> Self {
        Self {
            window,
            algorithm: Algorithm::Direct,
            x: x.into(),
            banks: banks.to_vec(),
            gap: 0,
            seed: 1,
        }
    }

    pub(crate) fn method(&self) -> Method {
        Method {
            window: self.window,
            algorithm: self.algorithm,
        }
    }

    pub(crate) fn weight(&self, bank: usize) -> Shape {
        let [kh, kw] = self.window.kernel;
        Shape::new(kh, kw, self.x.c, self.banks[bank])
    }

    pub(crate) fn y(&self, bank: usize) -> Shape {
        conv2d::shape(&self.window, self.x, self.weight(bank)).expect("the window fits")
    }

    pub(crate) fn key(&self, operand: u64, bank: usize) -> [u64; 3] {
        [self.seed, operand, bank as u64]
    }
}

/// Operands of a [`Case`].
pub(crate) struct Operands<T> {
    pub(crate) x: Slice<T>,
    pub(crate) weights: Vec<Slice<T>>,
    pub(crate) biases: Vec<Option<Vec<T>>>,
    pub(crate) dy: Vec<Slice<T>>,
}

/// Everything that the passes compute.
pub(crate) struct Results<T> {
    pub(crate) y: Vec<Tensor<T>>,
    pub(crate) dx: Tensor<T>,
    pub(crate) dw: Vec<Tensor<T>>,
    pub(crate) db: Vec<Vec<T>>,
}

impl<T: Element> Operands<T> {
    pub(crate) fn new<F: FnMut(usize) -> T>(case: &Case, fill: impl Fn(&[u64]) -> F) -> Self {
        let banks = 0..case.banks.len();
        let slices = |operand, shape: &dyn Fn(usize) -> Shape| -> Vec<Slice<T>> {
            let slice = |i| Slice::from_fn(shape(i), case.gap, fill(&case.key(operand, i)));
            banks.clone().map(slice).collect()
        };
        // Every other bank has a bias.
        let bias = |i: usize| -> Option<Vec<T>> {
            let numbers = || (0..case.banks[i]).map(fill(&case.key(3, i))).collect();
            (i + case.seed as usize).is_multiple_of(2).then(numbers)
        };
        Self {
            x: Slice::from_fn(case.x, case.gap, fill(&case.key(0, 0))),
            weights: slices(1, &|i| case.weight(i)),
            dy: slices(2, &|i| case.y(i)),
            biases: banks.clone().map(bias).collect(),
        }
    }
}

pub(crate) fn forward<T: Element>(
    pool: &Pool,
    case: &Case,
    operands: &Operands<T>,
    activation: Activation,
) -> Vec<Tensor<T>> {
    let banks = 0..case.banks.len();
    let filters: Vec<Filter<'_, T>> = banks
        .clone()
        .map(|i| Filter {
            weight: Weight::Plain(operands.weights[i].view()),
            bias: operands.biases[i].as_deref(),
        })
        .collect();
    let mut y: Vec<Slice<T>> = banks.map(|i| Slice::unset(case.y(i), case.gap)).collect();
    let mut outputs: Vec<ViewMut<'_, T>> = y.iter_mut().map(Slice::view_mut).collect();
    let x = operands.x.view();
    let size = conv2d::forward_workspace(&case.method(), filters.iter().map(|f| f.weight.shape()));
    let mut workspace = vec![T::nan(); size];
    conv2d::forward(
        pool,
        &case.method(),
        x,
        &filters,
        activation,
        &mut outputs,
        &mut workspace,
    );
    y.into_iter().map(Slice::into_dense).collect()
}

pub(crate) fn backward_input<T: Element>(
    pool: &Pool,
    case: &Case,
    operands: &Operands<T>,
) -> Tensor<T> {
    let shapes: Vec<Shape> = (0..case.banks.len()).map(|i| case.weight(i)).collect();
    let dy: Vec<View<'_, T>> = operands.dy.iter().map(Slice::view).collect();
    let weights: Vec<View<'_, T>> = operands.weights.iter().map(Slice::view).collect();
    let size = conv2d::backward_input_workspace(&case.method(), case.x, shapes);
    let mut workspace = vec![T::nan(); size];
    let mut dx = Slice::unset(case.x, case.gap);
    let out = dx.view_mut();
    conv2d::backward_input(pool, &case.method(), &dy, &weights, out, &mut workspace);
    dx.into_dense()
}

pub(crate) fn backward_weight<T: Element>(
    pool: &Pool,
    case: &Case,
    operands: &Operands<T>,
    bank: usize,
) -> (Tensor<T>, Vec<T>) {
    let (x, dy) = (operands.x.view(), operands.dy[bank].view());
    let mut dw = Slice::unset(case.weight(bank), case.gap);
    let mut db = vec![T::nan(); case.banks[bank]];
    let (method, shape) = (case.method(), case.weight(bank));
    let size = conv2d::backward_weight_workspace(&method, case.y(bank), shape);
    let mut workspace = vec![T::nan(); size];
    let (out, sums) = (dw.view_mut(), Some(&mut db[..]));
    conv2d::backward_weight(pool, &method, x, dy, out, sums, &mut workspace);
    (dw.into_dense(), db)
}

pub(crate) fn run<T: Element>(
    pool: &Pool,
    case: &Case,
    operands: &Operands<T>,
    activation: Activation,
) -> Results<T> {
    let gradients = |bank| backward_weight(pool, case, operands, bank);
    let (dw, db) = (0..case.banks.len()).map(gradients).unzip();
    Results {
        y: forward(pool, case, operands, activation),
        dx: backward_input(pool, case, operands),
        dw,
        db,
    }
}

/// The same by the definition.
pub(crate) fn expected<T: Element>(
    case: &Case,
    operands: &Operands<T>,
    activation: Activation,
) -> Results<T> {
    let (window, x) = (&case.window, operands.x.view());
    let mut results = Results {
        y: Vec::new(),
        dx: Tensor::zeros(case.x),
        dw: Vec::new(),
        db: Vec::new(),
    };
    for (bank, weight) in operands.weights.iter().enumerate() {
        let (weight, dy) = (weight.view(), operands.dy[bank].view());
        let bias = operands.biases[bank].as_deref();
        let mut y = reference::forward(window, x, weight, bias);
        y.data_mut()
            .iter_mut()
            .for_each(|y| *y = activation.apply(*y));
        let dx = reference::backward_input(window, case.x, dy, weight);
        let sums = results.dx.data_mut().iter_mut().zip(dx.data());
        sums.for_each(|(sum, &d)| *sum += d);
        let gradient = reference::backward_weight(window, x, dy);
        results.y.push(y);
        results.dw.push(gradient.dw);
        results.db.push(gradient.db);
    }
    results
}

/// Windows and inputs that fit them, many at an edge.
pub(crate) fn cases(extent: usize, channels: usize, batch: usize) -> impl Strategy<Value = Case> {
    let side = prop_oneof![Just(1usize), Just(3), 1usize..8];
    let window = (
        [side.clone(), side],
        [1usize..4, 1..4],
        [1usize..4, 1..4],
        prop::array::uniform4(0.0f64..1.0),
        any::<(bool, bool)>(),
    )
        .prop_map(|(kernel, stride, dilation, padding, (padded, ceil))| {
            let pad = |i: usize| {
                let most = kernel[i / 2] as f64;
                if padded {
                    (padding[i] * most) as usize
                } else {
                    0
                }
            };
            Window {
                kernel,
                stride,
                padding: [[pad(0), pad(1)], [pad(2), pad(3)]],
                dilation,
                rounding: if ceil {
                    Rounding::Ceil
                } else {
                    Rounding::Floor
                },
            }
        });
    let banks = prop::collection::vec(1..=channels, 1..4);
    let maps = (0..=batch, [0..extent, 0..extent], 1..=channels, banks);
    (window, maps, 0usize..3, any::<u32>()).prop_map(|(window, maps, gap, seed)| {
        let (n, extra, c, banks) = maps;
        let fit = |i: usize| {
            let [before, after] = window.padding[i];
            window.span()[i].saturating_sub(before + after).max(1) + extra[i]
        };
        Case {
            window,
            algorithm: Algorithm::Direct,
            x: Shape::new(n, fit(0), fit(1), c),
            banks,
            gap,
            seed: u64::from(seed),
        }
    })
}

/// Shapes that take the paths for large operands, which random small ones do not.
pub(crate) fn large_cases() -> Vec<Case> {
    let square = Window::square;
    vec![
        // Patches deeper than one block of them, few and many rows.
        Case::new(square(3).padding(1), [1, 7, 7, 75], &[40, 9]),
        Case::new(square(3).padding(1), [3, 9, 9, 75], &[33]),
        // Sums over pixels in several parts.
        Case::new(square(7).stride(2).padding(3), [2, 65, 63, 3], &[10]),
        Case::new(square(1), [3, 29, 31, 17], &[13, 5]),
        // Strided and deep; phases of different sizes.
        Case::new(square(3).stride(2), [2, 24, 23, 80], &[70]),
        Case::new(square(5).stride(3).padding(2), [1, 40, 41, 30], &[31, 2]),
        // Phases without any tap.
        Case::new(square(1).stride(2), [2, 21, 22, 70], &[66]),
        Case::new(square(2).stride(3), [2, 20, 20, 3], &[5]),
        // Wider than a tile.
        Case::new(square(3).padding(1), [1, 4, 700, 3], &[4]),
        Case::new(square(3).stride(2).padding(1), [1, 5, 1300, 3], &[4]),
        // Factored filters of Inception.
        Case::new(Window::new(1, 7).padding_hw(0, 3), [2, 17, 17, 20], &[24]),
        Case::new(Window::new(7, 1).padding_hw(3, 0), [2, 17, 17, 20], &[24]),
        // Few rows, many columns.
        Case::new(square(1), [1, 3, 3, 600], &[300, 17, 130]),
    ]
}

/// Cases of Winograd's filtering: whole tiles and cut ones, few channels and many, several
/// tasks and blocks.
pub(crate) fn winograd_cases() -> Vec<Case> {
    let square = Window::square;
    let line = |[kh, kw]: [usize; 2]| Window {
        padding: [kh, kw].map(|taps| [taps / 2; 2]),
        ..Window::new(kh, kw)
    };
    let cases = vec![
        Case::new(square(3).padding(1), [3, 28, 27, 40], &[48]),
        Case::new(square(3).padding(1), [2, 7, 7, 200], &[65, 9]),
        Case::new(square(3), [1, 35, 35, 17], &[33]),
        Case::new(square(3).padding(1), [5, 5, 300, 3], &[4]),
        Case::new(square(5).padding(2), [2, 14, 13, 24], &[64]),
        Case::new(square(5).padding(2), [1, 40, 41, 16], &[32, 7]),
        Case::new(square(7).stride(2).padding(3), [2, 56, 57, 3], &[64]),
        Case::new(square(11).stride(4).padding(2), [1, 71, 70, 3], &[40]),
        Case::new(line([1, 7]), [2, 17, 17, 40], &[48]),
        Case::new(line([7, 1]), [1, 17, 16, 33], &[65]),
        Case::new(line([1, 3]), [3, 8, 8, 48], &[24, 40]),
        Case::new(line([3, 1]), [1, 9, 8, 100], &[33]),
    ];
    let winograd = |case| Case {
        algorithm: Algorithm::Winograd,
        ..case
    };
    cases.into_iter().map(winograd).collect()
}
