//! Steps along orthogonal matrices.

use super::CHUNK;
use super::rules::Rates;
use crate::norm::Squares;
use inception_tensor::{
    Accumulate, Bank, Element, Epilogue, Operand, Pool, Shape, Terms, View, ViewMut,
    multiply_matrix, multiply_outer, pack, packed_len, with_scratch,
};
use std::sync::atomic::{AtomicBool, Ordering};

/// Steps of the iteration.
const STEPS: usize = 5;
/// `a`, `b`, `c` of `x ← a·x + b·x³ + c·x⁵`, which each step does to every singular value: those
/// above 0.01 end between 0.7 and 1.2.
const POLYNOMIAL: [f64; 3] = [3.4445, -4.775, 2.0315];
/// The least norm that a matrix is divided by.
const LEAST_NORM: f64 = 1e-7;
/// The root of the mean square of a step's numbers, which is that of AdamW's.
const MAGNITUDE: f64 = 0.2;

/// Terms of a product that several threads share.
const LEAST_SHARED: usize = 1 << 20;

/// Moves a matrix `[rows, columns]`: `m ← μm + (1 − μ)g`, and along the orthogonal matrix nearest
/// to `(1 − μ)g + μm`. Comes to whether all results are finite.
pub(super) fn step<T: Element>(
    pool: &Pool,
    rates: &Rates,
    momentum: f64,
    [rows, columns]: [usize; 2],
    [weights, buffer]: [&mut [T]; 2],
    gradient: &[T],
) -> bool {
    let (long, short) = (rows.max(columns), rows.min(columns));
    let across = rows < columns;
    let serial = pool.on_this_thread();
    let pool = match long * short * short < LEAST_SHARED {
        true => &serial,
        false => pool,
    };
    let (scale, keep) = (T::of(rates.scale), T::of(momentum));
    let new = T::one() - keep;
    with_scratch(3 * rows * columns, |scratch: &mut [T]| {
        let (ahead, both) = scratch.split_at_mut(rows * columns);
        pool.for_each_chunks([&mut *ahead, &mut *buffer], CHUNK, |i, [ahead, buffer]| {
            let gradient = &gradient[i * CHUNK..];
            for ((a, m), &g) in ahead.iter_mut().zip(buffer).zip(gradient) {
                let g = new * (g * scale);
                *m = keep * *m + g;
                *a = g + keep * *m;
            }
        });
        let (x, y) = both.split_at_mut(rows * columns);
        match across {
            true => transpose(ahead, columns, x),
            false => x.copy_from_slice(ahead),
        }
        let direction = orthogonal(pool, [x, y], [long, short]);
        let direction = match across {
            true => {
                transpose(direction, short, ahead);
                &*ahead
            }
            false => direction,
        };
        let shrink = T::of(1.0 - rates.lr * rates.decay);
        let rate = T::of(rates.lr * MAGNITUDE * (long as f64).sqrt());
        let bad = AtomicBool::new(false);
        pool.for_each_chunks([weights, buffer], CHUNK, |i, [weights, buffer]| {
            let mut finite = true;
            let direction = &direction[i * CHUNK..];
            for ((w, m), &d) in weights.iter_mut().zip(buffer).zip(direction) {
                *w = shrink * *w - rate * d;
                finite &= w.is_finite() && m.is_finite();
            }
            if !finite {
                bad.store(true, Ordering::Relaxed);
            }
        });
        !bad.into_inner()
    })
}

/// Writes the transpose of a matrix of so many columns.
fn transpose<T: Element>(matrix: &[T], columns: usize, out: &mut [T]) {
    let rows = matrix.len() / columns;
    for (j, out) in out.chunks_exact_mut(rows).enumerate() {
        for (i, x) in out.iter_mut().enumerate() {
            *x = matrix[i * columns + j];
        }
    }
}

/// Brings the singular values of `x`, `long × short`, near 1; the result lies in one of the two.
///
/// # Sources
/// Jordan et al. 2024, *Muon: An optimizer for hidden layers in neural networks*.
fn orthogonal<'a, T: Element>(
    pool: &Pool,
    [mut x, mut y]: [&'a mut [T]; 2],
    [long, short]: [usize; 2],
) -> &'a [T] {
    let squares = x.chunks(CHUNK).map(|chunk| pool.sweep(Squares(chunk)));
    let norm = squares.sum::<f64>().sqrt();
    let shrink = T::of(1.0 / norm.max(LEAST_NORM));
    x.iter_mut().for_each(|x| *x *= shrink);
    let [a, b, c] = POLYNOMIAL.map(T::of);
    let (tall, small) = (Shape::matrix(long, short), Shape::matrix(short, short));
    with_scratch(2 * small.len() + packed_len(short, short), |scratch| {
        let (gram, rest) = scratch.split_at_mut(small.len());
        let (factor, packed) = rest.split_at_mut(small.len());
        for _ in 0..STEPS {
            gram_of(pool, x, tall, gram);
            for (f, &g) in factor.iter_mut().zip(&*gram) {
                *f = c * g;
            }
            pack(
                pool,
                Operand::Plain(View::new(factor, small)),
                short,
                0,
                packed,
            );
            for (i, (f, &g)) in factor.iter_mut().zip(&*gram).enumerate() {
                let one = if i % (short + 1) == 0 { a } else { T::zero() };
                *f = one + b * g;
            }
            product(
                pool,
                View::new(gram, small),
                packed,
                Accumulate::Add,
                factor,
            );
            pack(
                pool,
                Operand::Plain(View::new(factor, small)),
                short,
                0,
                packed,
            );
            product(pool, View::new(x, tall), packed, Accumulate::Replace, y);
            std::mem::swap(&mut x, &mut y);
        }
    });
    x
}

/// `xᵀ·x`.
fn gram_of<T: Element>(pool: &Pool, x: &[T], shape: Shape, gram: &mut [T]) {
    let (long, short) = (shape.rows(), shape.c);
    with_scratch(long, |offsets: &mut [[u32; 2]]| {
        for (i, offset) in offsets.iter_mut().enumerate() {
            *offset = [(i * short) as u32; 2];
        }
        let terms = Terms {
            offsets,
            pitch: [short; 2],
        };
        let gram = ViewMut::new(gram, Shape::matrix(short, short));
        multiply_outer(pool, x, x, terms, Accumulate::Replace, gram);
    });
}

fn product<T: Element>(
    pool: &Pool,
    a: View<'_, T>,
    packed: &[T],
    accumulate: Accumulate,
    c: &mut [T],
) {
    let bank = Bank {
        packed,
        accumulate,
        epilogue: Epilogue::NONE,
        c: ViewMut::new(c, a.shape()),
    };
    multiply_matrix(pool, a, &mut [bank]);
}
