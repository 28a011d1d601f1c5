//! Mean and variance of a batch.

use super::partial;
use crate::tile::{cut, pixels};
use inception_tensor::{Element, Kept, Pool, Vectorize, View};

/// Mean and variance (divisor N) of each channel.
///
/// With `d = x − x[0]`: `mean = x[0] + Σd/N`, `var = (Σd² − (Σd)²/N)/N`, all in double
/// precision. Taking the first pixel off keeps a mean that is far larger than the deviation
/// from swallowing it.
///
/// # Shapes
/// `x` is `[n, h, w, c]`, perhaps a channel slice; `mean` and `var` have `c` numbers,
/// `workspace` at least [`workspace`](super::workspace).
///
/// # Panics
/// When they do not, or `x` has no pixels.
pub fn statistics<T: Element, X: Kept>(
    pool: &Pool,
    x: View<'_, X>,
    mean: &mut [T],
    var: &mut [T],
    workspace: &mut [T],
) {
    let shape = x.shape();
    let pixels = shape.rows();
    assert!(pixels > 0, "batch_norm: no pixels in {shape}");
    assert_eq!(mean.len(), shape.c, "batch_norm: means of {shape}");
    assert_eq!(var.len(), shape.c, "batch_norm: variances of {shape}");
    let mut partials = partial::split(shape, workspace).partials;
    partials.compute(pool, pixels, |first, rows, sums| {
        let (sum, squares) = sums.split_at_mut(shape.c);
        pool.kernel().vectorize(Part {
            x,
            first,
            rows,
            sum,
            squares,
        });
    });
    let count = pixels as f64;
    partials.totals(pool, |totals| {
        for (c, (mean, var)) in mean.iter_mut().zip(var).enumerate() {
            let sums = totals.of(c);
            let offset = sums.first / count;
            *mean = T::of(x.row(0)[c].number::<f64>() + offset);
            let centred = sums.second / count - offset * offset;
            // Rounding may leave a constant channel below 0; a NaN stays.
            *var = T::of(if centred < 0.0 { 0.0 } else { centred });
        }
    });
}

/// Adds the deviations of a part from the first pixel, and their squares, four pixels at a
/// time.
struct Part<'a, X> {
    x: View<'a, X>,
    first: usize,
    rows: usize,
    sum: &'a mut [f64],
    squares: &'a mut [f64],
}

impl<X: Kept> Vectorize for Part<'_, X> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (x, origin, end) = (self.x, self.x.row(0), self.first + self.rows);
        let mut row = self.first;
        while row + 4 <= end {
            add_rows::<_, 4>(origin, pixels(&x, row), self.sum, self.squares);
            row += 4;
        }
        for row in row..end {
            add_rows(origin, [x.row(row)], self.sum, self.squares);
        }
    }
}

/// Adds `N` pixels.
#[inline(always)]
fn add_rows<X: Kept, const N: usize>(
    origin: &[X],
    rows: [&[X]; N],
    sum: &mut [f64],
    squares: &mut [f64],
) {
    let len = origin.len();
    let rows = cut(rows, len);
    let (sum, squares) = (&mut sum[..len], &mut squares[..len]);
    for c in 0..len {
        let (mut s, mut q) = (0.0, 0.0);
        for row in &rows {
            let d = row[c].number::<f64>() - origin[c].number::<f64>();
            s += d;
            q += d * d;
        }
        sum[c] += s;
        squares[c] += q;
    }
}
