//! The transforms of a tile, many channels at once.
//!
//! All forms have 6×6 tiles and share the points 0, ±1, ±2 and ∞, so they share `Bᵀ`, and
//! differ in how many coefficients a polynomial has that is evaluated there (`G`) or
//! recovered (`Aᵀ`).

use super::SIDE;
use inception_tensor::Element;
use std::array;

/// Channels that are transformed together.
pub(super) const LANES: usize = 16;

/// Neighbouring channels of a pixel.
pub(super) type Lane<T> = [T; LANES];

/// A square of pixels.
pub(super) type Square<T, const N: usize> = [[Lane<T>; N]; N];

/// The channels `first ..` of a pixel; 0 beyond its end.
#[inline(always)]
pub(super) fn load<T: Element>(pixel: &[T], first: usize) -> Lane<T> {
    match pixel.get(first..first + LANES) {
        Some(lane) => lane.try_into().expect("a slice of as many"),
        None => {
            let rest = pixel.get(first..).unwrap_or(&[]);
            array::from_fn(|l| rest.get(l).copied().unwrap_or(T::zero()))
        }
    }
}

/// Writes the channels `first ..` of a pixel, as many as it has.
#[inline(always)]
pub(super) fn store<T: Element>(lane: &Lane<T>, pixel: &mut [T], first: usize) {
    match pixel.get_mut(first..first + LANES) {
        Some(target) => target.copy_from_slice(lane),
        None => {
            let rest = &mut pixel[first..];
            rest.copy_from_slice(&lane[..rest.len()]);
        }
    }
}

/// `L·tile·Lᵀ` for the matrix `L` that `line` multiplies by.
#[inline(always)]
pub(super) fn both_ways<T: Element, const N: usize, const M: usize>(
    tile: &Square<T, N>,
    line: impl Fn(&[Lane<T>; N]) -> [Lane<T>; M],
) -> Square<T, M> {
    let columns: [[Lane<T>; M]; N] = array::from_fn(|q| line(&array::from_fn(|p| tile[p][q])));
    array::from_fn(|i| line(&array::from_fn(|q| columns[q][i])))
}

/// `Bᵀ·d`: a line of the input.
#[inline(always)]
pub(super) fn input<T: Element>(d: &[Lane<T>; SIDE]) -> [Lane<T>; SIDE] {
    let [two, four, five] = [2.0, 4.0, 5.0].map(T::of);
    let mut v = [[T::zero(); LANES]; SIDE];
    for l in 0..LANES {
        let [d0, d1, d2, d3, d4, d5] = array::from_fn(|i| d[i][l]);
        let (even, odd) = (d4 - four * d2, d3 - four * d1);
        let (even_far, odd_far) = (d4 - d2, two * (d3 - d1));
        v[0][l] = four * d0 - five * d2 + d4;
        v[1][l] = even + odd;
        v[2][l] = even - odd;
        v[3][l] = even_far + odd_far;
        v[4][l] = even_far - odd_far;
        v[5][l] = four * d1 - five * d3 + d5;
    }
    v
}

/// `G·g`: the polynomial of coefficients `g` at the points, divided by the products of the
/// points' differences.
#[inline(always)]
pub(super) fn evaluate<T: Element, const R: usize>(g: &[Lane<T>; R]) -> [Lane<T>; SIDE] {
    let [two, four] = [2.0, 4.0].map(T::of);
    let [quarter, sixth, part] = [1.0 / 4.0, -1.0 / 6.0, 1.0 / 24.0].map(T::of);
    let mut u = [[T::zero(); LANES]; SIDE];
    for l in 0..LANES {
        let (mut even, mut odd) = (T::zero(), T::zero());
        let (mut even_far, mut odd_far) = (T::zero(), T::zero());
        // Horner's rule in the square of the point.
        for i in (0..R.div_ceil(2)).rev() {
            even += g[2 * i][l];
            even_far = four * even_far + g[2 * i][l];
            if 2 * i + 1 < R {
                odd += g[2 * i + 1][l];
                odd_far = four * odd_far + g[2 * i + 1][l];
            }
        }
        odd_far *= two;
        u[0][l] = quarter * g[0][l];
        u[1][l] = sixth * (even + odd);
        u[2][l] = sixth * (even - odd);
        u[3][l] = part * (even_far + odd_far);
        u[4][l] = part * (even_far - odd_far);
        u[5][l] = g[R - 1][l];
    }
    u
}

/// `Aᵀ·m`: a line of `M` results.
#[inline(always)]
pub(super) fn output<T: Element, const M: usize>(m: &[Lane<T>; SIDE]) -> [Lane<T>; M] {
    let powers: [T; M] = array::from_fn(|i| T::of(f64::from(1 << i)));
    let mut y = [[T::zero(); LANES]; M];
    for l in 0..LANES {
        let (even, odd) = (m[1][l] + m[2][l], m[1][l] - m[2][l]);
        let (even_far, odd_far) = (m[3][l] + m[4][l], m[3][l] - m[4][l]);
        for i in 0..M {
            y[i][l] = match i % 2 {
                0 => even + powers[i] * even_far,
                _ => odd + powers[i] * odd_far,
            };
        }
        y[0][l] += m[0][l];
        y[M - 1][l] += m[5][l];
    }
    y
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line with one number in all its channels.
    fn line<const N: usize>(numbers: [f64; N]) -> [Lane<f64>; N] {
        numbers.map(|x| [x; LANES])
    }

    /// `Aᵀ[(G·g) ⊙ (Bᵀ·d)]` against the filter slid along `d`.
    fn filters<const M: usize, const R: usize>() {
        let d = [0.3, -1.0, 2.5, 0.75, -0.5, 4.0];
        let g: [f64; R] = array::from_fn(|i| [1.5, -0.25, 2.0, 0.7, -3.0][i]);
        let (u, v) = (evaluate(&line(g)), input(&line(d)));
        let product = array::from_fn(|i| array::from_fn(|l| u[i][l] * v[i][l]));
        let found: [Lane<f64>; M] = output(&product);
        for (i, found) in found.iter().enumerate() {
            let expected: f64 = (0..R).map(|j| d[i + j] * g[j]).sum();
            assert!((found[0] - expected).abs() < 1e-13, "F({M}, {R}) at {i}");
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
