//! Fully connected layers against their definition.

use crate::common::{Slice, bits, check_gradient, dense, dot, integers, pools, reals};
use inception_ops::linear::{self, reference};
use inception_ops::{Activation, Window, conv2d};
use inception_tensor::{Element, Pool, Shape, Tensor};
use proptest::prelude::*;

/// `n` rows of `from` numbers to `n` rows of `to`.
#[derive(Clone, Copy, Debug)]
struct Case {
    n: usize,
    from: usize,
    to: usize,
    gap: usize,
    seed: u64,
}

impl Case {
    const fn new(n: usize, from: usize, to: usize) -> Self {
        Self {
            n,
            from,
            to,
            gap: 0,
            seed: 3,
        }
    }

    fn weight(self) -> Shape {
        Shape::new(1, 1, self.from, self.to)
    }
}

struct Operands<T> {
    x: Slice<T>,
    weight: Slice<T>,
    bias: Vec<T>,
    dy: Slice<T>,
}

#[derive(PartialEq)]
struct Results<T> {
    y: Tensor<T>,
    dx: Tensor<T>,
    dw: Tensor<T>,
    db: Vec<T>,
}

impl<T: Element> Operands<T> {
    fn new<F: FnMut(usize) -> T>(case: Case, fill: impl Fn(&[u64]) -> F) -> Self {
        let slice = |operand, shape| Slice::from_fn(shape, case.gap, fill(&[case.seed, operand]));
        Self {
            x: slice(0, Shape::matrix(case.n, case.from)),
            weight: slice(1, case.weight()),
            dy: slice(2, Shape::matrix(case.n, case.to)),
            bias: (0..case.to).map(fill(&[case.seed, 3])).collect(),
        }
    }
}

fn forward<T: Element>(
    pool: &Pool,
    case: Case,
    operands: &Operands<T>,
    activation: Activation,
) -> Tensor<T> {
    let mut y = Slice::unset(Shape::matrix(case.n, case.to), case.gap);
    let (x, weight) = (operands.x.view(), operands.weight.view());
    let bias = Some(&operands.bias[..]);
    linear::forward(pool, x, weight, bias, activation, y.view_mut());
    y.into_dense()
}

fn run<T: Element>(
    pool: &Pool,
    case: Case,
    operands: &Operands<T>,
    activation: Activation,
) -> Results<T> {
    let (x, weight, dy) = (
        operands.x.view(),
        operands.weight.view(),
        operands.dy.view(),
    );
    let mut dx = Slice::unset(x.shape(), case.gap);
    let mut dw = Slice::unset(case.weight(), case.gap);
    let mut db = vec![T::nan(); case.to];
    linear::backward_input(pool, dy, weight, dx.view_mut());
    linear::backward_weight(pool, x, dy, dw.view_mut(), Some(&mut db));
    Results {
        y: forward(pool, case, operands, activation),
        dx: dx.into_dense(),
        dw: dw.into_dense(),
        db,
    }
}

fn expected<T: Element>(operands: &Operands<T>, activation: Activation) -> Results<T> {
    let (x, weight, dy) = (
        operands.x.view(),
        operands.weight.view(),
        operands.dy.view(),
    );
    let y = reference::forward(x, weight, Some(&operands.bias));
    let ones = Tensor::from_fn(Shape::matrix(x.shape().n, 1), |_| T::one());
    Results {
        y: Tensor::from_fn(y.shape(), |i| activation.apply(y.data()[i])),
        dx: reference::backward_input(dy, weight),
        dw: reference::backward_weight(x, dy),
        db: reference::backward_weight(ones.view(), dy).into_vec(),
    }
}

fn check_integers(case: Case) {
    let operands = Operands::<f32>::new(case, integers);
    for activation in [Activation::None, Activation::Relu] {
        let found = run(&Pool::new(2).unwrap(), case, &operands, activation);
        assert!(found == expected(&operands, activation), "{case:?}");
    }
}

fn all_bits(results: &Results<f32>) -> Vec<u64> {
    let maps = [&results.y, &results.dx, &results.dw];
    let numbers = maps.into_iter().flat_map(|map| bits(map.data()));
    numbers.chain(bits(&results.db)).collect()
}

/// Few and many rows, wide and deep.
const LARGE: [Case; 6] = [
    Case::new(1, 1024, 1000),
    Case::new(32, 777, 301),
    Case::new(127, 100, 200),
    Case::new(128, 530, 33),
    Case::new(2500, 21, 17),
    Case::new(5, 9, 2100),
];

#[test]
fn large_integer_layers_are_exact() {
    for case in LARGE {
        check_integers(case);
        check_integers(Case { gap: 3, ..case });
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let pools = pools();
    for case in LARGE {
        let operands = Operands::<f32>::new(case, reals);
        let one = all_bits(&run(&pools[0], case, &operands, Activation::None));
        for pool in &pools[1..] {
            let many = all_bits(&run(pool, case, &operands, Activation::None));
            assert!(one == many, "{pool:?}: {case:?}");
        }
    }
}

#[test]
fn a_row_has_the_same_bits_alone_as_in_a_batch() {
    let pool = Pool::new(2).unwrap();
    for case in LARGE {
        let operands = Operands::<f32>::new(case, reals);
        let together = forward(&pool, case, &operands, Activation::None);
        let row = case.n - 1;
        let x = dense(operands.x.view().images(row, 1));
        let one = Case { n: 1, ..case };
        let alone = Operands {
            x: Slice::from_fn(x.shape(), 0, |i| x.data()[i]),
            dy: Slice::unset(Shape::matrix(1, case.to), 0),
            ..operands
        };
        let alone = forward(&pool, one, &alone, Activation::None);
        assert!(
            bits(together.view().row(row)) == bits(alone.data()),
            "{case:?}"
        );
    }
}

#[test]
fn a_layer_is_a_pointwise_convolution() {
    let (x, weight) = (Shape::matrix(4, 5), Shape::new(1, 1, 5, 6));
    assert_eq!(linear::shape(x, weight), Ok(Shape::matrix(4, 6)));
    assert_eq!(
        linear::shape(x, weight),
        conv2d::shape(&Window::square(1), x, weight)
    );
}

#[test]
fn refusals_name_the_operator_and_both_shapes() {
    let message = |x: [usize; 4], weight: [usize; 4]| {
        let error = linear::shape(x.into(), weight.into()).unwrap_err();
        error.to_string()
    };
    assert_eq!(
        message([2, 1, 1, 1023], [1, 1, 1024, 1000]),
        "linear: weight [1, 1, 1024, 1000] (1, 1, in, out) reads 1024 numbers, \
         input [2, 1, 1, 1023] has 1023"
    );
    assert_eq!(
        message([2, 7, 7, 1024], [1, 1, 1024, 1000]),
        "linear: input [2, 7, 7, 1024] must be [n, 1, 1, in]: flatten it first"
    );
    assert_eq!(
        message([2, 1, 3, 4], [1, 1, 4, 5]),
        "linear: input [2, 1, 3, 4] must be [n, 1, 1, in]: flatten it first"
    );
    assert_eq!(
        message([2, 1, 1, 4], [3, 1, 4, 5]),
        "linear: weight [3, 1, 4, 5] must be [1, 1, in, out]"
    );
    assert_eq!(
        message([2, 1, 1, 4], [1, 1, 4, 0]),
        "linear: weight [1, 1, 4, 0] (1, 1, in, out) needs at least one row and column"
    );
}

#[test]
#[should_panic(expected = "linear: output of [2, 1, 1, 4] by [1, 1, 4, 5]")]
fn an_output_of_another_size_is_refused() {
    let (x, weight) = (
        Tensor::<f32>::zeros([2, 1, 1, 4].into()),
        [1, 1, 4, 5].into(),
    );
    linear::forward(
        &Pool::serial(),
        x.view(),
        Tensor::zeros(weight).view(),
        None,
        Activation::None,
        Tensor::zeros([2, 1, 1, 6].into()).view_mut(),
    );
}

prop_compose! {
    fn cases()(n in 0usize..5, from in 1usize..20, to in 1usize..40, gap in 0usize..3, seed: u32)
        -> Case
    {
        Case { n, from, to, gap, seed: u64::from(seed) }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn small_integer_layers_are_exact(case in cases()) {
        check_integers(case);
    }

    #[test]
    fn gradients_are_the_derivatives(case in cases()) {
        check_gradients(case);
    }

    #[test]
    fn the_backward_pass_is_the_transpose(case in cases()) {
        let mut operands = Operands::<f64>::new(case, reals);
        operands.bias.fill(0.0);
        let found = run(&Pool::serial(), case, &operands, Activation::None);
        let (x, u) = (dense(operands.x.view()), dense(operands.dy.view()));
        let left = dot(found.y.data(), u.data());
        let right = dot(x.data(), found.dx.data());
        let third = dot(dense(operands.weight.view()).data(), found.dw.data());
        let size = (dot(found.y.data(), found.y.data()) * dot(u.data(), u.data())).sqrt();
        prop_assert!((left - right).abs() <= 1e-12 * size, "{left} {right}");
        prop_assert!((left - third).abs() <= 1e-12 * size, "{left} {third}");
    }
}

/// With the loss `Σ u·y + y²/2`, whose derivative by `y` is `u + y`.
fn check_gradients(case: Case) {
    let pool = Pool::serial();
    let operands = Operands::<f64>::new(case, reals);
    let y = forward(&pool, case, &operands, Activation::None);
    let u = dense(operands.dy.view());
    let operands = Operands {
        dy: Slice::from_fn(y.shape(), case.gap, |i| u.data()[i] + y.data()[i]),
        ..operands
    };
    let found = run(&pool, case, &operands, Activation::None);
    let loss = |x: &Slice<f64>, weight: &Slice<f64>, bias: &[f64]| {
        let mut y = Tensor::zeros(Shape::matrix(case.n, case.to));
        let out = y.view_mut();
        linear::forward(
            &pool,
            x.view(),
            weight.view(),
            Some(bias),
            Activation::None,
            out,
        );
        dot(u.data(), y.data()) + 0.5 * dot(y.data(), y.data())
    };
    let Operands {
        x, weight, bias, ..
    } = &operands;
    let (x_numbers, w_numbers) = (dense(x.view()), dense(weight.view()));
    for direction in 0..3 {
        let key = [case.seed, direction];
        check_gradient(
            "x",
            x_numbers.data(),
            found.dx.data(),
            1e-8,
            &key,
            |moved| {
                let x = Slice::from_fn(x_numbers.shape(), case.gap, |i| moved[i]);
                loss(&x, weight, bias)
            },
        );
        check_gradient(
            "w",
            w_numbers.data(),
            found.dw.data(),
            1e-8,
            &key,
            |moved| {
                let weight = Slice::from_fn(w_numbers.shape(), case.gap, |i| moved[i]);
                loss(x, &weight, bias)
            },
        );
        check_gradient("b", bias, &found.db, 1e-8, &key, |moved| {
            loss(x, weight, moved)
        });
    }
}
