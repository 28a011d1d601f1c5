//! Products of stored numbers against the same numbers multiplied in `f64`.

use inception_tensor::{
    Accumulate, Bf16, DotBank, DotMap, DotRows, Kernel, PADDING, Pool, Shape, Stored, Stream,
    ViewMut, dot_rows, pack_words, packed_words,
};
use proptest::prelude::*;

/// Sizes of a product, and where its pieces lie.
#[derive(Clone, Debug)]
struct Case {
    rows: usize,
    taps: usize,
    width: usize,
    columns: usize,
    seed: u64,
}

fn case() -> impl Strategy<Value = Case> {
    (1..130usize, 1..5usize, 1..11usize, 1..70usize, any::<u64>()).prop_map(
        |(rows, taps, width, columns, seed)| Case {
            rows,
            taps,
            width,
            columns,
            seed,
        },
    )
}

/// Numbers that a test multiplies.
trait Sample: Stored {
    const PADDING: Self;
    fn number(stream: &mut Stream) -> Self;
    fn weight(stream: &mut Stream) -> Self::Weight;
    fn real(weight: Self::Weight) -> f64;
}

impl Sample for Bf16 {
    const PADDING: Self = Self::from_bits(0);
    fn number(stream: &mut Stream) -> Self {
        Self::from_f32(stream.normal() as f32)
    }
    fn weight(stream: &mut Stream) -> Self {
        Self::number(stream)
    }
    fn real(weight: Self) -> f64 {
        f64::from(weight.to_f32())
    }
}

impl Sample for u8 {
    const PADDING: Self = 7;
    fn number(stream: &mut Stream) -> Self {
        stream.below(256) as Self
    }
    fn weight(stream: &mut Stream) -> i8 {
        (stream.below(255) as i16 - 127) as i8
    }
    fn real(weight: i8) -> f64 {
        f64::from(weight)
    }
}

/// Operands of a case.
struct Operands<S: Stored> {
    data: Vec<S>,
    offsets: Vec<u32>,
    weights: Vec<S::Weight>,
    packed: Vec<u32>,
    bias: Vec<f32>,
}

impl Case {
    fn operands<S: Sample>(&self) -> Operands<S> {
        let mut stream = Stream::new(&[self.seed]);
        let len = 3 * self.width + 40;
        let data = (0..len).map(|_| S::number(&mut stream)).collect();
        let offsets = (0..self.taps * self.rows).map(|_| match stream.below(5) {
            0 => PADDING,
            _ => stream.below((len - self.width + 1) as u64) as u32,
        });
        let offsets = offsets.collect();
        let k = self.taps * self.width;
        let weights: Vec<S::Weight> = (0..k * self.columns)
            .map(|_| S::weight(&mut stream))
            .collect();
        let mut packed = vec![0; packed_words::<S>(self.taps, self.width, self.columns)];
        let row = |k: usize, first: usize, line: &mut [S::Weight]| {
            line.copy_from_slice(&weights[k * self.columns + first..][..line.len()]);
        };
        let (pool, columns) = (Pool::serial(), self.columns);
        pack_words::<S>(&pool, self.taps, self.width, columns, row, &mut packed);
        let bias = (0..self.columns).map(|_| stream.normal() as f32).collect();
        Operands {
            data,
            offsets,
            weights,
            packed,
            bias,
        }
    }

    /// Rows `first ..` of the places, as `locate` writes them.
    fn locate(&self, all: &[u32], first: usize, offsets: &mut [u32]) {
        let count = offsets.len() / self.taps;
        for (i, offset) in offsets.iter_mut().enumerate() {
            *offset = all[i / count * self.rows + first + i % count];
        }
    }

    fn product<S: Sample>(
        &self,
        pool: &Pool,
        operands: &Operands<S>,
        scale: f32,
        accumulate: Accumulate,
        c: DotMap<'_, S>,
    ) {
        let scale = vec![scale; self.columns];
        let rows = DotRows {
            data: &operands.data,
            taps: self.taps,
            width: self.width,
            padding: S::PADDING,
        };
        let bank = DotBank {
            packed: &operands.packed,
            scale: &scale,
            bias: &operands.bias,
            low: match &c {
                DotMap::Stored(_) => 0.0,
                DotMap::Real(_) => f32::NEG_INFINITY,
            },
            high: match S::GROUP {
                4 => 255.0 * scale[0].max(1.0) * 1e6,
                _ => f32::INFINITY,
            },
            accumulate,
            c,
        };
        let locate = |first: usize, offsets: &mut [u32]| {
            self.locate(&operands.offsets, first, offsets);
        };
        dot_rows(pool, rows, locate, &mut [bank]);
    }

    /// As `f32`.
    fn real<S: Sample>(&self, pool: &Pool, operands: &Operands<S>) -> Vec<f32> {
        let mut c = vec![f32::NAN; self.rows * self.columns];
        let view = ViewMut::new(&mut c, Shape::matrix(self.rows, self.columns));
        self.product(pool, operands, 1.0, Accumulate::Replace, DotMap::Real(view));
        c
    }

    /// The product, and the sum of the sizes of its terms.
    fn reference<S: Sample>(&self, operands: &Operands<S>) -> Vec<(f64, f64)> {
        let element = |i: usize| {
            let (row, column) = (i / self.columns, i % self.columns);
            let bias = f64::from(operands.bias[column]);
            let mut sum = (bias, bias.abs());
            for tap in 0..self.taps {
                let offset = operands.offsets[tap * self.rows + row];
                for j in 0..self.width {
                    let a = match offset {
                        PADDING => S::PADDING,
                        offset => operands.data[offset as usize + j],
                    };
                    let k = tap * self.width + j;
                    let b = S::real(operands.weights[k * self.columns + column]);
                    let term = f64::from(a.decode()) * b;
                    sum = (sum.0 + term, sum.1 + term.abs());
                }
            }
            sum
        };
        (0..self.rows * self.columns).map(element).collect()
    }
}

fn kernels() -> impl Iterator<Item = Kernel> {
    Kernel::ALL.into_iter().filter(|k| k.is_supported())
}

fn agrees<S: Sample>(case: &Case) {
    compare(case, &case.operands::<S>());
}

fn compare<S: Sample>(case: &Case, operands: &Operands<S>) {
    let expected = case.reference(operands);
    for kernel in kernels() {
        let pool = Pool::serial().with_kernel(kernel).unwrap();
        let found = case.real(&pool, operands);
        for (i, (&found, &(expected, size))) in found.iter().zip(&expected).enumerate() {
            let error = (f64::from(found) - expected).abs();
            let bound = 1e-6 * size;
            assert!(error <= bound, "{kernel:?} {i}: {found} for {expected}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn pairs_are_multiplied_and_summed(case in case()) {
        agrees::<Bf16>(&case);
    }

    #[test]
    fn fours_are_multiplied_and_summed(case in case()) {
        agrees::<u8>(&case);
    }

    #[test]
    fn stored_results_are_real_results_rounded(case in case()) {
        let operands = case.operands::<Bf16>();
        for kernel in kernels() {
            let pool = Pool::serial().with_kernel(kernel).unwrap();
            let real = case.real(&pool, &operands);
            let stride = case.columns + 3;
            let mut c = vec![Bf16::from_bits(9); case.rows * stride];
            let shape = Shape::matrix(case.rows, case.columns);
            let view = ViewMut::strided(&mut c, shape, stride);
            case.product(&pool, &operands, 1.0, Accumulate::Replace, DotMap::Stored(view));
            for (line, real) in c.chunks(stride).zip(real.chunks(case.columns)) {
                let rounded = real.iter().map(|&x| Bf16::from_f32(x.max(0.0)));
                prop_assert!(rounded.eq(line[..case.columns].iter().copied()));
                prop_assert!(line[case.columns..].iter().all(|x| x.to_bits() == 9));
            }
        }
    }

    #[test]
    fn threads_change_no_bit(case in case()) {
        let operands = case.operands::<Bf16>();
        let bits = |threads| {
            let c = case.real(&Pool::new(threads).unwrap(), &operands);
            c.iter().map(|x| x.to_bits()).collect::<Vec<_>>()
        };
        prop_assert_eq!(bits(1), bits(3));
    }
}

/// Rows of whole chunks at even distances, which tiles may read where they lie: whole blocks of
/// 16, the last one ragged, and ones whose distance changes between registers or within one.
#[test]
fn rows_at_even_distances_are_multiplied_as_any_others() {
    for (rows, taps, turn) in [
        (64, 1, 64),
        (80, 3, 80),
        (53, 2, 53),
        (96, 2, 48),
        (80, 2, 37),
        (32, 1, 7),
    ] {
        let case = Case {
            rows,
            taps,
            width: 64,
            columns: 45,
            seed: 5,
        };
        let offset = |i: usize| {
            let (tap, row) = (i / rows, i % rows);
            let distance = if row < turn { 96 } else { 70 };
            (tap * 7 + row * distance) as u32
        };
        let mut operands = case.operands::<Bf16>();
        operands.offsets = (0..taps * rows).map(offset).collect();
        let mut stream = Stream::new(&[6]);
        operands.data = (0..taps * 7 + rows * 96 + 64)
            .map(|_| Bf16::number(&mut stream))
            .collect();
        compare(&case, &operands);
    }
}

#[test]
fn results_are_added_where_asked_for() {
    let case = Case {
        rows: 37,
        taps: 2,
        width: 9,
        columns: 35,
        seed: 7,
    };
    let operands = case.operands::<Bf16>();
    for kernel in kernels() {
        let pool = Pool::serial().with_kernel(kernel).unwrap();
        let once = case.real(&pool, &operands);
        let mut c: Vec<f32> = (0..once.len()).map(|i| i as f32).collect();
        let view = ViewMut::new(&mut c, Shape::matrix(case.rows, case.columns));
        case.product(&pool, &operands, 1.0, Accumulate::Add, DotMap::Real(view));
        for (i, (c, once)) in c.iter().zip(&once).enumerate() {
            assert_eq!(*c, i as f32 + once, "{kernel:?} {i}");
        }
    }
}

/// One number by one weight, into a byte.
fn byte(a: u8, scale: f32, bias: f32, [low, high]: [f32; 2], kernel: Kernel) -> u8 {
    let mut packed = vec![0; packed_words::<u8>(1, 1, 1)];
    let pool = Pool::serial();
    pack_words::<u8>(&pool, 1, 1, 1, |_, _, line| line.fill(1), &mut packed);
    let mut c = [0u8];
    let rows = DotRows {
        data: &[a],
        taps: 1,
        width: 1,
        padding: 0,
    };
    let bank = DotBank {
        packed: &packed,
        scale: &[scale],
        bias: &[bias],
        low,
        high,
        accumulate: Accumulate::Replace,
        c: DotMap::Stored(ViewMut::vector(&mut c)),
    };
    let pool = Pool::serial().with_kernel(kernel).unwrap();
    dot_rows(&pool, rows, |_, offsets| offsets.fill(0), &mut [bank]);
    c[0]
}

#[test]
fn bytes_are_scaled_shifted_clamped_and_rounded_to_even() {
    for kernel in kernels() {
        let y = |a, scale, bias| byte(a, scale, bias, [3.0, 255.0], kernel);
        assert_eq!([y(5, 0.5, 1.0), y(5, 0.5, 2.0), y(5, 0.5, 3.0)], [4, 4, 6]);
        assert_eq!([y(200, 2.0, 0.0), y(10, -1.0, 0.0)], [255, 3]);
    }
}

#[test]
fn a_nan_is_passed_on_and_stays_in_its_row() {
    for kernel in kernels() {
        let one = Bf16::from_f32(1.0);
        let data = [one, Bf16::from_f32(f32::NAN), one];
        let mut packed = vec![0; packed_words::<Bf16>(1, 1, 1)];
        let pool = Pool::serial();
        pack_words::<Bf16>(&pool, 1, 1, 1, |_, _, line| line.fill(one), &mut packed);
        let mut c = [Bf16::default(); 3];
        let rows = DotRows {
            data: &data,
            taps: 1,
            width: 1,
            padding: Bf16::default(),
        };
        let bank = DotBank {
            packed: &packed,
            scale: &[1.0],
            bias: &[0.0],
            low: 0.0,
            high: f32::INFINITY,
            accumulate: Accumulate::Replace,
            c: DotMap::Stored(ViewMut::new(&mut c, Shape::matrix(3, 1))),
        };
        let pool = Pool::serial().with_kernel(kernel).unwrap();
        let locate = |first: usize, offsets: &mut [u32]| {
            for (i, offset) in offsets.iter_mut().enumerate() {
                *offset = (first + i) as u32;
            }
        };
        dot_rows(&pool, rows, locate, &mut [bank]);
        let nans = c.map(|x| x.to_f32().is_nan());
        assert_eq!(nans, [false, true, false], "{kernel:?}");
    }
}
