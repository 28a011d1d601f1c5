//! How elementwise and reducing kernels cut maps into tiles.

use inception_tensor::{Element, Pool, Shape, Vectorize, View, ViewMut};

/// Numbers in a tile: 64 KiB of `f32`, which the second-level cache of a core holds beside
/// the other operands, and enough work to pay for handing a tile to a thread.
const TILE: usize = 1 << 14;

/// How many pixels of `numbers` numbers each make a tile.
pub(crate) fn rows_per_tile(numbers: usize) -> usize {
    (TILE / numbers.max(1)).max(1)
}

/// Panics unless both maps have as many pixels and channels.
#[track_caller]
pub(crate) fn assert_same(op: &str, a: Shape, b: Shape) {
    assert_eq!(
        (a.rows(), a.c),
        (b.rows(), b.c),
        "{op}: {a} and {b} differ in pixels or channels"
    );
}

/// `rows` pixels of `x` from pixel `first` as one slice: one pixel, or any number of a dense
/// map.
#[inline(always)]
pub(crate) fn span<'a, T: Element>(x: &View<'a, T>, first: usize, rows: usize) -> &'a [T] {
    match rows {
        1 => x.row(first),
        _ => &x.dense()[first * x.shape().c..][..rows * x.shape().c],
    }
}

/// Whether spans may be longer than a pixel.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spans {
    /// Every map is dense: a span is a whole tile.
    Tiles,
    /// Some map is a channel slice: a span is one pixel.
    Pixels,
}

impl Spans {
    /// The longest spans that `inputs` and `output` allow.
    pub(crate) fn of<T: Element>(inputs: &[View<'_, T>], output: &ViewMut<'_, T>) -> Self {
        if output.is_dense() && inputs.iter().all(View::is_dense) {
            Self::Tiles
        } else {
            Self::Pixels
        }
    }
}

/// Calls `f(first, rows, numbers)` for spans of `output`, in parallel over tiles.
pub(crate) fn for_each_span<T: Element>(
    pool: &Pool,
    spans: Spans,
    output: ViewMut<'_, T>,
    f: impl Fn(usize, usize, &mut [T]) + Send + Sync,
) {
    let rows = rows_per_tile(output.shape().c);
    pool.for_each_rows(output, rows, |first, mut block| match spans {
        Spans::Tiles => f(first, block.shape().n, block.dense_mut()),
        Spans::Pixels => {
            for r in 0..block.shape().n {
                f(first + r, 1, block.row_mut(r));
            }
        }
    });
}

/// Calls `f(at, numbers of each input, numbers of the output)` for spans of maps of one
/// shape; `at` is the first number's place in `[n, h, w, c]` order.
pub(crate) fn for_each_run<T: Element, const N: usize>(
    pool: &Pool,
    op: &str,
    inputs: [View<'_, T>; N],
    output: ViewMut<'_, T>,
    f: impl Fn(usize, [&[T]; N], &mut [T]) + Send + Sync,
) {
    let shape = output.shape();
    inputs
        .iter()
        .for_each(|x| assert_same(op, x.shape(), shape));
    let spans = Spans::of(&inputs, &output);
    for_each_span(pool, spans, output, |first, rows, numbers| {
        f(
            first * shape.c,
            inputs.map(|x| span(&x, first, rows)),
            numbers,
        );
    });
}

/// `output[i] = f(numbers i of the inputs, output[i])` for maps of one shape. `f` is a few
/// operations, which are inlined where they become vectors.
pub(crate) fn map<T: Element, const N: usize>(
    pool: &Pool,
    op: &str,
    inputs: [View<'_, T>; N],
    output: ViewMut<'_, T>,
    f: impl Fn([T; N], T) -> T + Copy + Send + Sync,
) {
    for_each_run(pool, op, inputs, output, |_, inputs, output| {
        pool.sweep(Map { inputs, output, f });
    });
}

/// A function of each number of a span.
struct Map<'a, T, F, const N: usize> {
    inputs: [&'a [T]; N],
    output: &'a mut [T],
    f: F,
}

impl<T: Element, F: Fn([T; N], T) -> T, const N: usize> Vectorize for Map<'_, T, F, N> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let len = self.output.len();
        let (inputs, output) = (cut(self.inputs, len), &mut self.output[..len]);
        for i in 0..len {
            output[i] = (self.f)(inputs.map(|x| x[i]), output[i]);
        }
    }
}

/// The first `len` numbers of each row, which spares loops over them the checks.
#[inline(always)]
pub(crate) fn cut<T, const N: usize>(mut rows: [&[T]; N], len: usize) -> [&[T]; N] {
    // `map` of an array is a call, which costs as much as a short row.
    for row in &mut rows {
        *row = &row[..len];
    }
    rows
}

/// `N` numbers from `first` on, by value: a loop over them has no memory to tell apart from
/// what it writes, so they stay in registers.
#[inline(always)]
pub(crate) fn chunk<T: Copy, const N: usize>(numbers: &[T], first: usize) -> [T; N] {
    *numbers[first..].first_chunk().expect("a chunk of numbers")
}

/// Where the chunks of `N` of at least as many numbers start; the last may hold some of those
/// before once more.
#[inline(always)]
pub(crate) fn starts<const N: usize>(numbers: usize) -> impl Iterator<Item = usize> {
    (0..numbers)
        .step_by(N)
        .map(move |start| start.min(numbers - N))
}

/// Pixels `first .. first + N` of `x`.
#[inline(always)]
pub(crate) fn pixels<'a, T, const N: usize>(x: &View<'a, T>, first: usize) -> [&'a [T]; N] {
    let mut rows: [&[T]; N] = [&[]; N];
    for (i, row) in rows.iter_mut().enumerate() {
        *row = x.row(first + i);
    }
    rows
}

/// `sum[i] = Σ_r rows[r][i]`, four rows a pass: each pass adds `(a + b) + (c + d)`.
///
/// The order depends on the number of rows alone, and four rows share one load and store of
/// the running sum.
#[inline(always)]
pub(crate) fn sum_rows<'a, T: Element>(sum: &mut [T], mut rows: impl Iterator<Item = &'a [T]>) {
    match rows.next() {
        Some(first) => sum.copy_from_slice(first),
        None => return sum.fill(T::zero()),
    }
    let len = sum.len();
    while let Some(a) = rows.next() {
        match (rows.next(), rows.next(), rows.next()) {
            (Some(b), Some(c), Some(d)) => {
                let (a, b, c, d) = (&a[..len], &b[..len], &c[..len], &d[..len]);
                for i in 0..len {
                    sum[i] += (a[i] + b[i]) + (c[i] + d[i]);
                }
            }
            (b, c, _) => {
                for row in [Some(a), b, c].into_iter().flatten() {
                    sum.iter_mut().zip(row).for_each(|(s, &x)| *s += x);
                }
            }
        }
    }
}
