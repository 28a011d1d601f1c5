//! The gradients of weights and bias.

use super::patches::{Lowered, ROWS, cut};
use super::{NAME, check};
use crate::Window;
use crate::parts::rows;
use crate::transpose::STRIP;
use inception_tensor::{
    Accumulate, Element, Epilogue, Operand, Pool, Shape, View, ViewMut, gemm, with_scratch,
};
use std::ops::Range;

/// Rows of the gradient that a task computes.
const BLOCK: usize = 256;

/// Tasks that a product should have at least.
const TASKS: usize = 8;

/// The sum over pixels is cut only into parts of at least this many.
const FEW_PIXELS: usize = 1024;

/// How many parts the sum over `pixels` is cut into: as many as give [`TASKS`] tasks, where
/// the gradient's `depth` rows alone do not.
fn parts(depth: usize, pixels: usize) -> usize {
    let wanted = TASKS / depth.div_ceil(BLOCK).max(1);
    wanted.min(pixels / FEW_PIXELS).max(1)
}

/// Numbers of workspace that [`backward_weight`] needs.
///
/// # Shapes
/// `x`: `[n, h, w, c_in]`, `dy`: `[n, oh, ow, c_out]`.
pub fn backward_weight_workspace(window: &Window, x: Shape, dy: Shape) -> usize {
    let depth = window.kernel[0] * window.kernel[1] * x.c;
    match parts(depth, dy.rows()) {
        1 => 0,
        parts => parts * (depth + 1) * dy.c,
    }
}

/// `dw[p, q, c, o] = Σ_{n, i, j} x[n, i·s + p·d − t, j·s + q·d − l, c]·dy[n, i, j, o]` and,
/// where asked for, `db[o] = Σ_{n, i, j} dy[n, i, j, o]`.
///
/// The order of each sum depends on shapes alone. All operands may be channel slices. An
/// empty batch gives zeros.
///
/// # Shapes
/// `x`: `[n, h, w, c_in]`, `dy`: `[n, oh, ow, c_out]`, `dw`: `[kh, kw, c_in, c_out]`, `db`:
/// `c_out`, workspace: at least [`backward_weight_workspace`].
///
/// # Panics
/// When shapes do not fit or the workspace is too small.
pub fn backward_weight<T: Element>(
    pool: &Pool,
    window: &Window,
    x: View<'_, T>,
    dy: View<'_, T>,
    dw: ViewMut<'_, T>,
    db: Option<&mut [T]>,
    workspace: &mut [T],
) {
    let (grid, pixels) = ([dy.shape().h, dy.shape().w], dy.shape().rows());
    check_gradients(window, x, dy, &dw, db.as_deref());
    let lowered = Lowered::new(window, x, grid);
    let (depth, c_out) = (lowered.depth(), dy.shape().c);
    let parts = parts(depth, pixels);
    if parts == 1 {
        return sweep(pool, &lowered, dy, 0..pixels, narrow(depth), dw, db);
    }
    let (needed, size) = (parts * (depth + 1) * c_out, (depth + 1) * c_out);
    assert!(
        workspace.len() >= needed,
        "{NAME}: workspace of {} numbers, needs {needed}",
        workspace.len()
    );
    let share = pixels.div_ceil(parts);
    let partials = &mut workspace[..needed];
    pool.for_each_chunk(partials, size, |part, partial| {
        let (matrix, sums) = partial.split_at_mut(depth * c_out);
        let matrix = ViewMut::new(matrix, Shape::matrix(depth, c_out));
        let sums = db.is_some().then_some(sums);
        let start = pixels.min(part * share);
        let range = start..pixels.min(start + share);
        sweep(pool, &lowered, dy, range, BLOCK, matrix, sums);
    });
    add_partials(pool, partials, size, dw, db);
}

/// [`backward_weight`] of a pointwise window with the sum over pixels in one part, which
/// needs no workspace.
pub(crate) fn backward_weight_by_rows<T: Element>(
    pool: &Pool,
    x: View<'_, T>,
    dy: View<'_, T>,
    dw: ViewMut<'_, T>,
    db: Option<&mut [T]>,
) {
    check_gradients(&Window::square(1), x, dy, &dw, db.as_deref());
    let pixels = 0..dy.shape().rows();
    sweep(
        pool,
        &Lowered::Rows(x),
        dy,
        pixels,
        narrow(x.shape().c),
        dw,
        db,
    );
}

fn check_gradients<T: Element>(
    window: &Window,
    x: View<'_, T>,
    dy: View<'_, T>,
    dw: &ViewMut<'_, T>,
    db: Option<&[T]>,
) {
    check(window, x.shape(), dw.shape(), dy.shape());
    assert!(
        db.is_none_or(|db| db.len() == dy.shape().c),
        "{NAME}: the bias of weight {} has another size",
        dw.shape()
    );
}

/// Rows of each task where the rows alone must keep all threads busy.
fn narrow(depth: usize) -> usize {
    let even = depth.div_ceil(TASKS).next_multiple_of(STRIP);
    even.clamp(BLOCK / 4, BLOCK)
}

/// Both gradients, summed over a range of pixels, by tasks of `block` rows.
fn sweep<T: Element>(
    pool: &Pool,
    lowered: &Lowered<'_, T>,
    dy: View<'_, T>,
    pixels: Range<usize>,
    block: usize,
    mut dw: ViewMut<'_, T>,
    db: Option<&mut [T]>,
) {
    if pixels.is_empty() {
        dw.fill(T::zero());
        if let Some(db) = db {
            db.fill(T::zero());
        }
        return;
    }
    let dy = rows(dy, pixels.start, pixels.len());
    pool.join(
        || {
            pool.for_each_rows(dw, block, |first, out| {
                let depth = first..first + out.shape().n;
                product(lowered, pixels.start, dy, depth, out);
            });
        },
        || {
            if let Some(db) = db {
                column_sums(dy, db);
            }
        },
    );
}

/// Rows `depth` of the gradient: `loweredᵀ·dy`.
fn product<T: Element>(
    lowered: &Lowered<'_, T>,
    first: usize,
    dy: View<'_, T>,
    depth: Range<usize>,
    mut out: ViewMut<'_, T>,
) {
    let pixels = dy.shape().rows();
    let (step, scratch) = match lowered {
        Lowered::Rows(_) => (pixels, 0),
        Lowered::Patches(..) => (2 * ROWS, 2 * ROWS * depth.len()),
    };
    with_scratch(scratch, |scratch| {
        for range in cut(0..pixels, step) {
            let (start, count) = (range.start, range.len());
            let left = lowered.block(first + start, count, depth.clone(), scratch);
            let accumulate = match start {
                0 => Accumulate::Replace,
                _ => Accumulate::Add,
            };
            gemm(
                Operand::Transposed(left),
                Operand::Plain(rows(dy, start, count)),
                accumulate,
                Epilogue::NONE,
                out.reborrow(),
            );
        }
    });
}

/// Sums of columns, by blocks of rows so that rounding errors stay apart.
fn column_sums<T: Element>(matrix: View<'_, T>, sums: &mut [T]) {
    sums.fill(T::zero());
    with_scratch(sums.len(), |partial: &mut [T]| {
        for block in cut(0..matrix.shape().rows(), ROWS) {
            partial.fill(T::zero());
            for row in block {
                add(partial, matrix.row(row));
            }
            add(sums, partial);
        }
    });
}

fn add<T: Element>(sums: &mut [T], row: &[T]) {
    sums.iter_mut().zip(row).for_each(|(sum, &x)| *sum += x);
}

/// Adds partial gradients, each of `size` numbers with the bias last, in their order.
fn add_partials<T: Element>(
    pool: &Pool,
    partials: &[T],
    size: usize,
    dw: ViewMut<'_, T>,
    db: Option<&mut [T]>,
) {
    let c_out = dw.shape().c;
    let sum_row = |row: usize, out: &mut [T]| {
        out.fill(T::zero());
        for partial in partials.chunks_exact(size) {
            add(out, &partial[row * c_out..][..c_out]);
        }
    };
    if let Some(db) = db {
        sum_row(size / c_out - 1, db);
    }
    pool.for_each_rows(dw, 16, |first, mut block| {
        for row in 0..block.shape().n {
            sum_row(first + row, block.row_mut(row));
        }
    });
}
