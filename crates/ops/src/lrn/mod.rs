//! Local response normalisation across channels (Krizhevsky 2012).
//!
//! `y_c = x_c / (k + a·Σ_j x_j²)^β` over the channels `j` of a window around `c`, with `a` =
//! α or α/size. The window is `c − ⌊size/2⌋ ..= c + ⌊(size − 1)/2⌋`, cut at the ends: for an
//! even size it reaches one channel further down than up, as PyTorch's does (ONNX reaches
//! further up).
//!
//! # Sources
//! Krizhevsky et al., "ImageNet classification with deep convolutional neural networks",
//! 2012, §3.3; PyTorch `local_response_norm`; Caffe `LRNLayer`.
use crate::OpError;
use crate::tile::{assert_same, rows_per_tile};
use inception_tensor::{Element, Pool, Vectorize, View, ViewMut, with_scratch};

mod power;
pub mod reference;

use power::inverse_power;

/// Whether α is divided by the size of the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AlphaScale {
    /// α/size: Caffe, PyTorch, ONNX.
    BySize,
    /// α as it is: TensorFlow.
    Plain,
}
/// Constants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lrn {
    /// Channels in the window.
    pub size: usize,
    /// α.
    pub alpha: f64,
    /// β.
    pub beta: f64,
    /// k.
    pub k: f64,
    /// What α is divided by.
    pub alpha_scale: AlphaScale,
}
impl Default for Lrn {
    /// GoogLeNet's: size 5, α = 1e-4 divided by the size, β = 0.75, k = 1.
    fn default() -> Self {
        Self {
            size: 5,
            alpha: 1e-4,
            beta: 0.75,
            k: 1.0,
            alpha_scale: AlphaScale::BySize,
        }
    }
}
impl Lrn {
    /// Checks the constants: size ≥ 1, α ≥ 0, k > 0, all finite.
    ///
    /// With them no denominator is 0 or a NaN.
    ///
    /// # Errors
    /// When one is out of range; the message names it.
    pub fn check(&self) -> Result<(), OpError> {
        let fail = |name: &str, expected: &str, found: f64| {
            Err(OpError::Setting {
                op: "lrn",
                detail: format!("{name} must be {expected}, found {found}"),
            })
        };
        if self.size == 0 {
            return fail("size", "at least 1", 0.0);
        }
        if !(self.alpha.is_finite() && self.alpha >= 0.0) {
            return fail("alpha", "a finite number of at least 0", self.alpha);
        }
        if !self.beta.is_finite() {
            return fail("beta", "a finite number", self.beta);
        }
        if !(self.k.is_finite() && self.k > 0.0) {
            return fail("k", "a finite number above 0", self.k);
        }
        Ok(())
    }

    /// What the sum of squares is multiplied with.
    pub(crate) fn factor(&self) -> f64 {
        match self.alpha_scale {
            AlphaScale::BySize => self.alpha / self.size as f64,
            AlphaScale::Plain => self.alpha,
        }
    }
}

/// Constants as a kernel wants them.
#[derive(Clone, Copy)]
struct Kernel<T> {
    size: usize,
    /// Channels of a window below its centre.
    below: usize,
    /// Channels of a window above its centre.
    above: usize,
    /// `√a`: inputs are scaled before they are squared, so that large ones stay in range.
    root: T,
    k: T,
    beta: f64,
}

impl<T: Element> Kernel<T> {
    fn new(lrn: &Lrn) -> Self {
        lrn.check().unwrap_or_else(|error| panic!("{error}"));
        Self {
            size: lrn.size,
            below: lrn.size / 2,
            above: (lrn.size - 1) / 2,
            root: T::of(lrn.factor().sqrt()),
            k: T::of(lrn.k),
            beta: lrn.beta,
        }
    }

    /// Length of `channels` numbers between the zeros that windows at the ends read.
    fn padded(&self, channels: usize) -> usize {
        channels + self.size - 1
    }

    /// `k + a·Σ x²` of one pixel into `sums`; `squares` has [`Kernel::padded`] numbers, its
    /// ends zero.
    #[inline(always)]
    fn denominators(&self, x: &[T], squares: &mut [T], sums: &mut [T]) {
        for (s, &x) in squares[self.below..].iter_mut().zip(x) {
            let x = self.root * x;
            *s = x * x;
        }
        window_sums(self.size, self.k, squares, sums);
    }
}

/// `sums[c] = start + Σ_{j < size} values[c + j]`.
#[inline(always)]
fn window_sums<T: Element>(size: usize, start: T, values: &[T], sums: &mut [T]) {
    if size == 5 {
        for (sum, &[a, b, c, d, e]) in sums.iter_mut().zip(values.array_windows()) {
            *sum = start + ((a + b) + (c + d) + e);
        }
        return;
    }
    sums.fill(start);
    for j in 0..size {
        sums.iter_mut()
            .zip(&values[j..])
            .for_each(|(s, &v)| *s += v);
    }
}

/// `y_c = x_c·(k + a·Σ_j x_j²)^−β`.
///
/// # Shapes
/// `x` and `y` have as many pixels and channels; either may be a channel slice.
///
/// # Panics
/// When they do not, or [`Lrn::check`] refuses the constants.
///
/// # Examples
/// ```
/// use inception_ops::lrn::{self, Lrn};
/// use inception_tensor::{Pool, Shape, Tensor};
///
/// let x = Tensor::from_vec(Shape::vector(1), vec![1.0f32]);
/// let mut y = Tensor::zeros(x.shape());
/// let lrn = Lrn { size: 1, alpha: 15.0, ..Lrn::default() };
/// lrn::forward(&Pool::serial(), &lrn, x.view(), y.view_mut());
/// assert_eq!(y.data(), [0.125]); // 16^-0.75
/// ```
pub fn forward<T: Element>(pool: &Pool, lrn: &Lrn, x: View<'_, T>, y: ViewMut<'_, T>) {
    assert_same("lrn", x.shape(), y.shape());
    let kernel = Kernel::new(lrn);
    let c = x.shape().c;
    let padded = kernel.padded(c);
    pool.for_each_rows(y, rows_per_tile(c), |first, y| {
        with_scratch(padded + c, |scratch| {
            let (squares, sums) = scratch.split_at_mut(padded);
            squares.fill(T::zero());
            pool.sweep(Forward {
                kernel,
                x,
                first,
                y,
                squares,
                sums,
            });
        });
    });
}

/// Consecutive pixels of the output.
struct Forward<'a, T> {
    kernel: Kernel<T>,
    x: View<'a, T>,
    first: usize,
    y: ViewMut<'a, T>,
    squares: &'a mut [T],
    sums: &'a mut [T],
}

impl<T: Element> Vectorize for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        for r in 0..self.y.shape().n {
            let (x, y) = (self.x.row(self.first + r), self.y.row_mut(r));
            self.kernel.denominators(x, self.squares, self.sums);
            inverse_power(self.kernel.beta, self.sums, y);
            y.iter_mut().zip(x).for_each(|(y, &x)| *y *= x);
        }
    }
}

/// `dx` from `x` and `dy`; the denominators are computed again.
///
/// With `s` the denominator's base: `dx_j = dy_j·s_j^−β − 2aβ·x_j·Σ_c dy_c·x_c·s_c^(−β−1)`
/// over the `c` whose window holds `j`.
///
/// # Shapes
/// `x`, `dy` and `dx` have as many pixels and channels; each may be a channel slice.
///
/// # Panics
/// When they do not, or [`Lrn::check`] refuses the constants.
pub fn backward<T: Element>(
    pool: &Pool,
    lrn: &Lrn,
    x: View<'_, T>,
    dy: View<'_, T>,
    dx: ViewMut<'_, T>,
) {
    assert_same("lrn", x.shape(), dx.shape());
    assert_same("lrn", dy.shape(), dx.shape());
    let kernel = Kernel::new(lrn);
    let c = x.shape().c;
    let scratch_len = 2 * kernel.padded(c) + 2 * c;
    pool.for_each_rows(dx, rows_per_tile(c), |first, dx| {
        with_scratch(scratch_len, |scratch| {
            scratch.fill(T::zero());
            pool.sweep(Backward {
                kernel,
                x,
                dy,
                first,
                dx,
                scratch,
            });
        });
    });
}

/// Consecutive pixels of the input's gradient.
struct Backward<'a, T> {
    kernel: Kernel<T>,
    x: View<'a, T>,
    dy: View<'a, T>,
    first: usize,
    dx: ViewMut<'a, T>,
    scratch: &'a mut [T],
}

impl<T: Element> Vectorize for Backward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        for r in 0..self.dx.shape().n {
            let rows = [self.x.row(self.first + r), self.dy.row(self.first + r)];
            backward_pixel(&self.kernel, rows, self.scratch, self.dx.row_mut(r));
        }
    }
}

/// The gradient of one pixel.
#[inline(always)]
fn backward_pixel<T: Element>(
    kernel: &Kernel<T>,
    [x, dy]: [&[T]; 2],
    scratch: &mut [T],
    dx: &mut [T],
) {
    let c = x.len();
    let (squares, rest) = scratch.split_at_mut(kernel.padded(c));
    let (shares, rest) = rest.split_at_mut(kernel.padded(c));
    let (sums, powers) = rest.split_at_mut(c);
    kernel.denominators(x, squares, sums);
    inverse_power(kernel.beta, sums, powers);
    // The windows that hold a channel reach as far up as a window reaches down.
    let terms = shares[kernel.above..].iter_mut().zip(&*sums).zip(&*powers);
    for (((share, &s), &p), (&x, &dy)) in terms.zip(x.iter().zip(dy)) {
        *share = (kernel.root * x) * p * (dy / s);
    }
    window_sums(kernel.size, T::zero(), shares, sums);
    let factor = T::of(2.0 * kernel.beta) * kernel.root;
    let terms = dx.iter_mut().zip(&*sums).zip(&*powers);
    for (((dx, &sum), &p), (&x, &dy)) in terms.zip(x.iter().zip(dy)) {
        *dx = dy * p - factor * x * sum;
    }
}
