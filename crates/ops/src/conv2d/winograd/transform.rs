//! The transforms of a tile, [`LANES`] channels at once.
//!
//! All forms have 6×6 tiles and share the points 0, ±1, ±2 and ∞, so they share `Bᵀ`, and
//! differ in how many coefficients a polynomial has that is evaluated there (`G`) or
//! recovered (`Aᵀ`).

use super::SIDE;
use inception_tensor::{Element, Lanes};

#[cfg(doc)]
use inception_tensor::LANES;

/// A matrix `SIDE × N` or `M × SIDE` that a line of a tile is multiplied by.
pub(super) trait Line<T: Element, const N: usize, const M: usize>:
    Copy + Send + Sync
{
    fn apply<L: Lanes<T>>(self, lanes: L, line: &[L::V; N]) -> [L::V; M];
}

/// Half of a transform, which does not fit into registers: the rows of a tile whose columns are
/// transformed. Kept between tiles, so that none begins with writing zeros.
pub(super) type Half<V> = [[V; SIDE]; SIDE];

/// Memory for [`both_ways`].
#[inline(always)]
pub(super) fn half<T: Element, L: Lanes<T>>(lanes: L) -> Half<L::V> {
    [[lanes.splat(T::zero()); SIDE]; SIDE]
}

/// `L·tile·Lᵀ` for the matrix `L` of `line`, number by number from `load(row, column)` to
/// `store(row, column, number)`.
#[inline(always)]
pub(super) fn both_ways<T, L, F, const N: usize, const M: usize>(
    lanes: L,
    line: F,
    rows: &mut Half<L::V>,
    load: impl Fn(usize, usize) -> L::V,
    mut store: impl FnMut(usize, usize, L::V),
) where
    T: Element,
    L: Lanes<T>,
    F: Line<T, N, M>,
{
    // Arrays of known length by value: such loops stay in registers.
    let none = lanes.splat(T::zero());
    for q in 0..N {
        let mut numbers = [none; N];
        for (p, number) in numbers.iter_mut().enumerate() {
            *number = load(p, q);
        }
        let column: [_; M] = line.apply(lanes, &numbers);
        for (row, &number) in rows.iter_mut().zip(&column) {
            row[q] = number;
        }
    }
    for (i, row) in rows.iter().enumerate().take(M) {
        let mut numbers = [none; N];
        numbers.copy_from_slice(&row[..N]);
        let results: [_; M] = line.apply(lanes, &numbers);
        for (j, &number) in results.iter().enumerate() {
            store(i, j, number);
        }
    }
}

/// `Bᵀ`: a line of the input.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input;

impl<T: Element> Line<T, SIDE, SIDE> for Input {
    #[inline(always)]
    fn apply<L: Lanes<T>>(self, lanes: L, d: &[L::V; SIDE]) -> [L::V; SIDE] {
        let (two, four) = (lanes.splat(T::of(2.0)), lanes.splat(T::of(4.0)));
        let (minus_four, minus_five) = (lanes.splat(T::of(-4.0)), lanes.splat(T::of(-5.0)));
        let [d0, d1, d2, d3, d4, d5] = *d;
        let even = lanes.mul_add(minus_four, d2, d4);
        let odd = lanes.mul_add(minus_four, d1, d3);
        let even_far = lanes.sub(d4, d2);
        let odd_far = lanes.mul(two, lanes.sub(d3, d1));
        [
            lanes.mul_add(four, d0, lanes.mul_add(minus_five, d2, d4)),
            lanes.add(even, odd),
            lanes.sub(even, odd),
            lanes.add(even_far, odd_far),
            lanes.sub(even_far, odd_far),
            lanes.mul_add(four, d1, lanes.mul_add(minus_five, d3, d5)),
        ]
    }
}

/// `G`: the polynomial of some coefficients at the points, divided by the products of the
/// points' differences.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evaluate;

impl<T: Element, const R: usize> Line<T, R, SIDE> for Evaluate {
    #[inline(always)]
    fn apply<L: Lanes<T>>(self, lanes: L, g: &[L::V; R]) -> [L::V; SIDE] {
        let [two, four] = [2.0, 4.0].map(|x| lanes.splat(T::of(x)));
        let factors = [1.0 / 4.0, -1.0 / 6.0, 1.0 / 24.0];
        let [quarter, sixth, part] = factors.map(|x| lanes.splat(T::of(x)));
        let zero = lanes.splat(T::zero());
        let [mut even, mut odd, mut even_far, mut odd_far] = [zero; 4];
        // Horner's rule in the square of the point.
        for i in (0..R.div_ceil(2)).rev() {
            even = lanes.add(even, g[2 * i]);
            even_far = lanes.mul_add(four, even_far, g[2 * i]);
            if 2 * i + 1 < R {
                odd = lanes.add(odd, g[2 * i + 1]);
                odd_far = lanes.mul_add(four, odd_far, g[2 * i + 1]);
            }
        }
        let odd_far = lanes.mul(two, odd_far);
        [
            lanes.mul(quarter, g[0]),
            lanes.mul(sixth, lanes.add(even, odd)),
            lanes.mul(sixth, lanes.sub(even, odd)),
            lanes.mul(part, lanes.add(even_far, odd_far)),
            lanes.mul(part, lanes.sub(even_far, odd_far)),
            g[R - 1],
        ]
    }
}

/// `Aᵀ`: a line of results.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output;

impl<T: Element, const M: usize> Line<T, SIDE, M> for Output {
    #[inline(always)]
    fn apply<L: Lanes<T>>(self, lanes: L, m: &[L::V; SIDE]) -> [L::V; M] {
        let (even, odd) = (lanes.add(m[1], m[2]), lanes.sub(m[1], m[2]));
        let (even_far, odd_far) = (lanes.add(m[3], m[4]), lanes.sub(m[3], m[4]));
        let mut y = [lanes.add(m[0], lanes.add(even, even_far)); M];
        for (i, y) in y.iter_mut().enumerate().skip(1) {
            let power = lanes.splat(T::of(f64::from(1u32 << i)));
            *y = match i % 2 {
                0 => lanes.mul_add(power, even_far, even),
                _ => lanes.mul_add(power, odd_far, odd),
            };
        }
        y[M - 1] = lanes.add(y[M - 1], m[5]);
        y
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use inception_tensor::{Kernel, LANES, WithLanes};

    /// `Aᵀ[(G·g) ⊙ (Bᵀ·d)]`.
    struct Filtered<'a, const R: usize, const M: usize> {
        d: [f64; SIDE],
        g: &'a [f64; R],
    }

    impl<const R: usize, const M: usize> WithLanes<f64> for Filtered<'_, R, M> {
        type Output = [f64; M];

        fn run(self, lanes: impl Lanes<f64>) -> [f64; M] {
            let u = Evaluate.apply(lanes, &self.g.map(|x| lanes.splat(x)));
            let v = Input.apply(lanes, &self.d.map(|x| lanes.splat(x)));
            let product = std::array::from_fn(|i| lanes.mul(u[i], v[i]));
            Output.apply(lanes, &product).map(|y| {
                let mut all = [0.0; LANES];
                lanes.store(y, &mut all);
                assert!(all.iter().all(|&x| x == all[0]));
                all[0]
            })
        }
    }

    fn filters<const M: usize, const R: usize>() {
        let d = [0.3, -1.0, 2.5, 0.75, -0.5, 4.0];
        let g: [f64; R] = std::array::from_fn(|i| [1.5, -0.25, 2.0, 0.7, -3.0][i]);
        let found: [f64; M] = Kernel::active().with_lanes(Filtered { d, g: &g });
        for (i, found) in found.iter().enumerate() {
            let expected: f64 = (0..R).map(|j| d[i + j] * g[j]).sum();
            assert!((found - expected).abs() < 1e-13, "F({M}, {R}) at {i}");
        }
    }

    #[test]
    fn every_form_filters_a_line() {
        filters::<4, 3>();
        filters::<2, 5>();
        filters::<3, 4>();
        filters::<5, 2>();
    }
}
