//! Every kernel that this processor has, against plain sums in `f64`, and against each other.

use inception_tensor::{
    Accumulate, Bank, Element, Epilogue, Kernel, Operand, PADDING, Pool, Rows, Shape, Stream,
    Tensor, Terms, View, ViewMut, fnv1a, gemm, multiply_matrix, multiply_outer, multiply_rows,
    pack, packed_len,
};
use proptest::prelude::*;

fn kernels() -> impl Iterator<Item = Kernel> {
    Kernel::ALL.into_iter().filter(|k| k.is_supported())
}

/// Integers small enough that every sum of them is exact in `f32`.
fn integers(key: u64, len: usize) -> Vec<f32> {
    let mut stream = Stream::new(&[key]);
    (0..len).map(|_| stream.below(9) as f32 - 4.0).collect()
}

/// A product of located rows: sizes, places, operands.
#[derive(Debug, Clone)]
struct Case {
    count: usize,
    taps: usize,
    width: usize,
    n: usize,
    stride: usize,
    add: bool,
    bias: bool,
    relu: bool,
    key: u64,
}

fn cases() -> impl Strategy<Value = Case> {
    (
        (1usize..260, 0usize..6, 0usize..40, 1usize..100, 0usize..5),
        any::<(bool, bool, bool, u64)>(),
    )
        .prop_map(
            |((count, taps, width, n, gap), (add, bias, relu, key))| Case {
                count,
                taps,
                width,
                n,
                stride: n + gap,
                add,
                bias,
                relu,
                key,
            },
        )
}

impl Case {
    fn offset(&self, row: usize, tap: usize) -> u32 {
        let x = Stream::new(&[self.key, row as u64, tap as u64]).at(0);
        match x % 5 {
            0 => PADDING,
            _ => (x >> 8) as u32 % 500,
        }
    }

    fn operands<T: Element>(&self) -> (Vec<T>, Vec<T>, Vec<T>, Vec<T>) {
        let cast = |v: Vec<f32>| v.into_iter().map(|x| T::of(f64::from(x))).collect();
        let k = self.taps * self.width;
        (
            cast(integers(self.key ^ 1, 500 + self.width)),
            cast(integers(self.key ^ 2, k * self.n)),
            cast(integers(self.key ^ 3, self.n)),
            cast(integers(self.key ^ 4, self.count * self.stride)),
        )
    }

    fn run<T: Element>(&self, pool: &Pool) -> Vec<T> {
        let (data, b, bias, mut c) = self.operands::<T>();
        let k = self.taps * self.width;
        let mut packed = vec![T::of(f64::NAN); packed_len(k, self.n)];
        for tap in 0..self.taps {
            let part = &b[tap * self.width * self.n..][..self.width * self.n];
            let part = View::new(part, Shape::matrix(self.width, self.n));
            pack(pool, Operand::Plain(part), k, tap * self.width, &mut packed);
        }
        let shape = Shape::matrix(self.count, self.n);
        let bank = Bank {
            packed: &packed,
            accumulate: if self.add {
                Accumulate::Add
            } else {
                Accumulate::Replace
            },
            epilogue: Epilogue {
                bias: self.bias.then_some(&bias[..]),
                relu: self.relu,
            },
            c: inception_tensor::ViewMut::strided(&mut c, shape, self.stride),
        };
        let rows = Rows {
            data: &data,
            taps: self.taps,
            width: self.width,
        };
        let locate = |first: usize, offsets: &mut [u32]| {
            let count = offsets.len() / self.taps.max(1);
            for (i, offset) in offsets.iter_mut().enumerate() {
                *offset = self.offset(first + i % count, i / count);
            }
        };
        multiply_rows(pool, rows, locate, &mut [bank]);
        c
    }

    fn expected(&self) -> Vec<f64> {
        let (data, b, bias, mut c) = self.operands::<f64>();
        for row in 0..self.count {
            for j in 0..self.n {
                let out = &mut c[row * self.stride + j];
                let mut sum = if self.add { *out } else { 0.0 };
                for tap in 0..self.taps {
                    let offset = self.offset(row, tap);
                    if offset != PADDING {
                        for i in 0..self.width {
                            let x = data[offset as usize + i];
                            sum += x * b[(tap * self.width + i) * self.n + j];
                        }
                    }
                }
                if self.bias {
                    sum += bias[j];
                }
                *out = if self.relu && sum < 0.0 { 0.0 } else { sum };
            }
        }
        c
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn located_rows_multiply_exactly_on_every_kernel(case in cases(), threads in 1usize..4) {
        let expected = case.expected();
        let pool = Pool::new(threads).unwrap();
        for kernel in kernels() {
            let pool = pool.clone().with_kernel(kernel).unwrap();
            let found = case.run::<f32>(&pool);
            for (i, (x, y)) in found.iter().zip(&expected).enumerate() {
                prop_assert_eq!(f64::from(*x), *y, "{:?}, number {}", kernel, i);
            }
        }
        prop_assert_eq!(case.run::<f64>(&pool), expected);
    }

    #[test]
    fn outer_products_sum_exactly_on_every_kernel(
        m in 1usize..60, n in 1usize..300, k in 0usize..300, gap in 0usize..4, pitch in 0usize..999, add: bool, key: u64,
    ) {
        let (a, b) = (integers(key, 400 + m), integers(key ^ 1, 300 + n));
        let mut stream = Stream::new(&[key, 2]);
        let offsets: Vec<[u32; 2]> =
            (0..k).map(|_| [stream.below(400) as u32, stream.below(300) as u32]).collect();
        let start = integers(key ^ 3, m * (n + gap));
        let accumulate = if add { Accumulate::Add } else { Accumulate::Replace };
        for kernel in kernels() {
            let mut c = start.clone();
            let shape = Shape::matrix(m, n);
            let view = inception_tensor::ViewMut::strided(&mut c, shape, n + gap);
            let pool = Pool::new(2).unwrap().with_kernel(kernel).unwrap();
            let terms = Terms { offsets: &offsets, pitch: [pitch, 2 * pitch] };
            multiply_outer(&pool, &a, &b, terms, accumulate, view);
            for i in 0..m {
                for j in 0..n + gap {
                    let at = i * (n + gap) + j;
                    let sum = offsets
                        .iter()
                        .map(|&[x, y]| a[x as usize + i] * b.get(y as usize + j).unwrap_or(&0.0))
                        .sum::<f32>();
                    let expected = match (j < n, add) {
                        (false, _) => start[at],
                        (true, false) => sum,
                        (true, true) => start[at] + sum,
                    };
                    prop_assert_eq!(c[at], expected, "{:?} at {},{}", kernel, i, j);
                }
            }
        }
    }

    #[test]
    fn products_of_any_layout_equal_plain_sums(
        m in 1usize..50, k in 0usize..60, n in 1usize..50, ta: bool, tb: bool, key: u64,
    ) {
        let (a, b) = (integers(key, m * k), integers(key ^ 1, k * n));
        let shape = |rows, columns| Shape::matrix(rows, columns);
        let (a_shape, b_shape) = (
            if ta { shape(k, m) } else { shape(m, k) },
            if tb { shape(n, k) } else { shape(k, n) },
        );
        let a_view = View::new(&a, a_shape);
        let b_view = View::new(&b, b_shape);
        let operand = |v, t| if t { Operand::Transposed(v) } else { Operand::Plain(v) };
        let mut c = Tensor::from_vec(shape(m, n), vec![f32::NAN; m * n]);
        gemm(operand(a_view, ta), operand(b_view, tb), Accumulate::Replace, Epilogue::NONE, c.view_mut());
        for i in 0..m {
            for j in 0..n {
                let at = |v: &[f32], t, r, c, rows, columns| {
                    if t { v[c * rows + r] } else { v[r * columns + c] }
                };
                let sum: f32 = (0..k)
                    .map(|l| at(&a, ta, i, l, m, k) * at(&b, tb, l, j, k, n))
                    .sum();
                prop_assert_eq!(c.data()[i * n + j], sum);
            }
        }
    }
}

/// Checksums of fixed products: the same for every vector kernel on every processor.
const ROWS: u64 = 0x0301_2416_7725_96aa;
const OUTER: u64 = 0xe7d9_f899_1e79_6835;

/// What is the same only if all bits are.
fn checksum(numbers: &[f32]) -> u64 {
    let bytes: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
    fnv1a(&bytes)
}

#[test]
fn outer_products_of_vector_kernels_have_the_same_bits_everywhere() {
    let (m, n, k) = (37, 75, 3000);
    let mut stream = Stream::new(&[6]);
    let mut random = |len: usize| -> Vec<f32> {
        let numbers = (0..len).map(|_| stream.range(-1.0, 1.0) as f32);
        numbers.collect()
    };
    let (a, b) = (random(k * m), random(k * n));
    let offsets: Vec<[u32; 2]> = (0..k).map(|i| [(i * m) as u32, (i * n) as u32]).collect();
    for kernel in kernels().filter(|&kernel| kernel != Kernel::Portable) {
        let mut c = Tensor::from_vec(Shape::matrix(m, n), vec![0.25f32; m * n]);
        let pool = Pool::serial().with_kernel(kernel).unwrap();
        let terms = Terms::scattered(&offsets);
        multiply_outer(&pool, &a, &b, terms, Accumulate::Add, c.view_mut());
        assert_eq!(checksum(c.data()), OUTER, "{kernel:?}");
    }
}

#[test]
fn vector_kernels_give_the_same_bits_everywhere_and_a_row_has_them_alone_too() {
    let (k, n, m) = (9000, 45, 31);
    let mut stream = Stream::new(&[5]);
    let mut random = |len| {
        (0..len)
            .map(|_| stream.range(-1.0, 1.0) as f32)
            .collect::<Vec<f32>>()
    };
    let (a, b) = (random(m * k), random(k * n));
    let mut packed = vec![0.0; packed_len(k, n)];
    let b_view = View::new(&b, Shape::matrix(k, n));
    pack(&Pool::serial(), Operand::Plain(b_view), k, 0, &mut packed);
    let product = |kernel, first: usize, count: usize| {
        let mut c = Tensor::<f32>::zeros(Shape::matrix(count, n));
        let bank = Bank {
            packed: &packed,
            accumulate: Accumulate::Replace,
            epilogue: Epilogue::NONE,
            c: c.view_mut(),
        };
        let rows = Rows {
            data: &a,
            taps: 1,
            width: k,
        };
        let locate = |from: usize, offsets: &mut [u32]| {
            for (i, offset) in offsets.iter_mut().enumerate() {
                *offset = ((first + from + i) * k) as u32;
            }
        };
        let pool = Pool::serial().with_kernel(kernel).unwrap();
        multiply_rows(&pool, rows, locate, &mut [bank]);
        c.into_vec()
    };
    let mut vector_kernels = kernels().filter(|&k| k != Kernel::Portable);
    let Some(kernel) = vector_kernels.next() else {
        return;
    };
    let all = product(kernel, 0, m);
    assert_eq!(checksum(&all), ROWS, "{kernel:?}");
    for other in vector_kernels {
        assert_eq!(product(other, 0, m), all);
    }
    for row in 0..m {
        assert_eq!(product(kernel, row, 1), all[row * n..][..n]);
    }
    let exact: f64 = (0..k).map(|i| f64::from(a[i]) * f64::from(b[i * n])).sum();
    assert!(
        (f64::from(all[0]) - exact).abs() < 1e-3,
        "{} {exact}",
        all[0]
    );
}

#[test]
fn a_nan_reaches_the_output_through_bias_and_relu() {
    for kernel in kernels() {
        let pool = Pool::serial().with_kernel(kernel).unwrap();
        let mut packed = vec![0.0f32; packed_len(1, 2)];
        let b = View::new(&[1.0, -1.0], Shape::matrix(1, 2));
        pack(&pool, Operand::Plain(b), 1, 0, &mut packed);
        let mut c = Tensor::from_vec(Shape::matrix(2, 2), vec![9.0; 4]);
        let bank = Bank {
            packed: &packed,
            accumulate: Accumulate::Replace,
            epilogue: Epilogue {
                bias: Some(&[0.5, 0.5]),
                relu: true,
            },
            c: c.view_mut(),
        };
        let rows = Rows {
            data: &[f32::NAN, 2.0],
            taps: 1,
            width: 1,
        };
        let locate = |_: usize, offsets: &mut [u32]| offsets.copy_from_slice(&[0, 1]);
        multiply_rows(&pool, rows, locate, &mut [bank]);
        assert!(c.data()[0].is_nan() && c.data()[1].is_nan(), "{kernel:?}");
        assert_eq!(c.data()[2..], [2.5, 0.0], "{kernel:?}");
    }
}

#[test]
#[should_panic(expected = "a piece lies outside the data")]
fn a_piece_outside_the_data_is_refused() {
    let mut c = Tensor::<f32>::zeros(Shape::matrix(1, 1));
    let bank = Bank {
        packed: &[0.0; 64],
        accumulate: Accumulate::Replace,
        epilogue: Epilogue::NONE,
        c: c.view_mut(),
    };
    let rows = Rows {
        data: &[0.0; 8],
        taps: 1,
        width: 2,
    };
    multiply_rows(
        &Pool::serial(),
        rows,
        |_: usize, o: &mut [u32]| o.fill(7),
        &mut [bank],
    );
}

#[test]
fn maps_that_are_written_past_the_cache_hold_the_same_numbers() {
    // 16 MiB and more, in lines of a cache; one number a row, so that each element is its row.
    let (rows, columns) = (1 << 16, 64);
    let data: Vec<f32> = (0..rows).map(|i| (i % 4099) as f32).collect();
    let b: Vec<f32> = (0..columns).map(|i| i as f32).collect();
    let pool = Pool::new(2).unwrap();
    let mut packed = vec![0.0; packed_len(1, columns)];
    let weights = View::new(&b, Shape::matrix(1, columns));
    pack(&pool, Operand::Plain(weights), 1, 0, &mut packed);
    let mut memory = vec![f32::NAN; rows * columns + 16];
    let start = memory.as_ptr().align_offset(64);
    for kernel in Kernel::ALL.into_iter().filter(|k| k.is_supported()) {
        let pool = pool.clone().with_kernel(kernel).unwrap();
        let bank = Bank {
            packed: &packed,
            accumulate: Accumulate::Replace,
            epilogue: Epilogue::NONE,
            c: ViewMut::new(
                &mut memory[start..][..rows * columns],
                Shape::matrix(rows, columns),
            ),
        };
        let a = View::new(&data, Shape::matrix(rows, 1));
        multiply_matrix(&pool, a, &mut [bank]);
        for (i, found) in memory[start..][..rows * columns].iter_mut().enumerate() {
            assert_eq!(*found, data[i / columns] * b[i % columns], "{kernel:?}");
            *found = f32::NAN;
        }
    }
}
