//! The matrix product.

use crate::{
    Bank, Element, Pool, Terms, View, ViewMut, multiply_matrix, multiply_outer, pack, packed_len,
    with_scratch,
};

/// A matrix operand: a view's rows and channels, or their transpose.
#[derive(Clone, Copy, Debug)]
pub enum Operand<'a, T> {
    /// The view's `rows × c` matrix.
    Plain(View<'a, T>),
    /// The transpose of it, `c × rows`.
    Transposed(View<'a, T>),
}

impl<T: Element> Operand<'_, T> {
    /// Rows and columns.
    pub(crate) fn size(&self) -> (usize, usize) {
        match self {
            Self::Plain(v) => (v.shape().rows(), v.shape().c),
            Self::Transposed(v) => (v.shape().c, v.shape().rows()),
        }
    }

    fn view(&self) -> &View<'_, T> {
        match self {
            Self::Plain(v) | Self::Transposed(v) => v,
        }
    }

    /// Row and column stride.
    fn strides(&self) -> (isize, isize) {
        let stride = self.view().stride() as isize;
        match self {
            Self::Plain(_) => (stride, 1),
            Self::Transposed(_) => (1, stride),
        }
    }
}

/// Whether a product replaces what is in the output or is added to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accumulate {
    /// `C = A·B`; what was in `C`, even a NaN, has no influence.
    Replace,
    /// `C += A·B`.
    Add,
}

/// What is done to each finished output element while it is still in cache.
#[derive(Clone, Copy, Debug)]
pub struct Epilogue<'a, T> {
    /// One number per output column, added.
    pub bias: Option<&'a [T]>,
    /// `max(x, 0)`, after the bias; a NaN stays.
    pub relu: bool,
}

impl<T> Epilogue<'_, T> {
    /// Leave the product as it is.
    pub const NONE: Self = Self {
        bias: None,
        relu: false,
    };
}

impl<T: Element> Epilogue<'_, T> {
    /// Applies the steps to one finished row.
    pub(crate) fn apply(&self, row: &mut [T]) {
        if let Some(bias) = self.bias {
            row.iter_mut().zip(bias).for_each(|(x, &b)| *x += b);
        }
        if self.relu {
            // `x < 0` is false for NaN, so a NaN is passed on, as in PyTorch.
            row.iter_mut()
                .for_each(|x| *x = if *x < T::zero() { T::zero() } else { *x });
        }
    }
}

/// `C = epilogue(A·B)` or `C = epilogue(C + A·B)`, on the calling thread.
///
/// The sum over `k` of an output element runs in an order that depends on `k` alone: an
/// element has the same bits whatever rows and columns it is computed together with.
///
/// # Shapes
/// `a`: `m × k`, `b`: `k × n`, `c`: `m` rows of `n` channels, bias: `n`.
///
/// # Panics
/// When the sizes do not fit each other.
///
/// # Examples
/// ```
/// use inception_tensor::{Accumulate, Epilogue, Operand, Shape, Tensor, gemm};
///
/// let a = Tensor::from_vec(Shape::matrix(1, 2), vec![1.0f32, -2.0]);
/// let b = Tensor::from_vec(Shape::matrix(2, 2), vec![1.0, 2.0, 3.0, 4.0]);
/// let mut c = Tensor::zeros(Shape::matrix(1, 2));
/// let epilogue = Epilogue { bias: Some(&[4.0, 4.0]), relu: true };
/// gemm(
///     Operand::Plain(a.view()),
///     Operand::Plain(b.view()),
///     Accumulate::Replace,
///     epilogue,
///     c.view_mut(),
/// );
/// assert_eq!(c.data(), [0.0, 0.0]);
/// ```
pub fn gemm<T: Element>(
    a: Operand<'_, T>,
    b: Operand<'_, T>,
    accumulate: Accumulate,
    epilogue: Epilogue<'_, T>,
    mut c: ViewMut<'_, T>,
) {
    let ((m, k), (k_b, n)) = (a.size(), b.size());
    let c_size = (c.shape().rows(), c.shape().c);
    assert!(
        k == k_b && c_size == (m, n),
        "gemm: {m}×{k} times {k_b}×{n} into {}×{}",
        c_size.0,
        c_size.1
    );
    assert!(
        epilogue.bias.is_none_or(|bias| bias.len() == n),
        "gemm: bias of {n}"
    );
    if m == 0 || n == 0 {
        return;
    }
    if k == 0 {
        return empty_sum(accumulate, epilogue, c);
    }
    match (a, b) {
        (Operand::Plain(a), b) => by_rows(a, b, accumulate, epilogue, c),
        (Operand::Transposed(a), Operand::Plain(b)) => {
            by_terms(a, b, accumulate, c.reborrow());
            finish(epilogue, c);
        }
        (Operand::Transposed(_), Operand::Transposed(_)) => {
            both_transposed(a, b, accumulate, c.reborrow());
            finish(epilogue, c);
        }
    }
}

fn finish<T: Element>(epilogue: Epilogue<'_, T>, mut c: ViewMut<'_, T>) {
    if epilogue.bias.is_some() || epilogue.relu {
        (0..c.shape().rows()).for_each(|row| epilogue.apply(c.row_mut(row)));
    }
}

fn empty_sum<T: Element>(accumulate: Accumulate, epilogue: Epilogue<'_, T>, mut c: ViewMut<'_, T>) {
    if accumulate == Accumulate::Replace {
        c.fill(T::zero());
    }
    finish(epilogue, c);
}

/// The left operand's rows are contiguous along `k`; the right one is packed.
fn by_rows<T: Element>(
    a: View<'_, T>,
    b: Operand<'_, T>,
    accumulate: Accumulate,
    epilogue: Epilogue<'_, T>,
    c: ViewMut<'_, T>,
) {
    let (k, n) = b.size();
    let pool = Pool::serial();
    with_scratch(packed_len(k, n), |packed| {
        pack(&pool, b, k, 0, packed);
        let bank = Bank {
            packed,
            accumulate,
            epilogue,
            c,
        };
        multiply_matrix(&pool, a, &mut [bank]);
    });
}

/// Both operands are contiguous across the output.
fn by_terms<T: Element>(a: View<'_, T>, b: View<'_, T>, accumulate: Accumulate, c: ViewMut<'_, T>) {
    let k = a.shape().rows();
    with_scratch(k, |offsets: &mut [[u32; 2]]| {
        for (i, offset) in offsets.iter_mut().enumerate() {
            *offset = [(i * a.stride()) as u32, (i * b.stride()) as u32];
        }
        let terms = Terms {
            offsets,
            pitch: [a.stride(), b.stride()],
        };
        multiply_outer(&Pool::serial(), a.data(), b.data(), terms, accumulate, c);
    });
}

fn both_transposed<T: Element>(
    a: Operand<'_, T>,
    b: Operand<'_, T>,
    accumulate: Accumulate,
    mut c: ViewMut<'_, T>,
) {
    let ((m, k), (_, n)) = (a.size(), b.size());
    let beta = match accumulate {
        Accumulate::Replace => T::zero(),
        Accumulate::Add => T::one(),
    };
    let row_stride = c.stride() as isize;
    // SAFETY:
    // - a view spans `(rows - 1)·stride + c` numbers (checked when it was made), which are
    //   all that its size and strides, plain or transposed, address;
    // - `c` is borrowed mutably, so nothing else reaches it, and `stride ≥ c` keeps its rows
    //   apart.
    unsafe {
        T::raw_gemm(
            m,
            k,
            n,
            a.view().data().as_ptr(),
            a.strides(),
            b.view().data().as_ptr(),
            b.strides(),
            beta,
            c.data_mut().as_mut_ptr(),
            row_stride,
        );
    }
}
