//! Cutting matrix products into tasks that write apart.

use crate::transpose::STRIP;
use inception_tensor::{Element, Pool, Shape, View, ViewMut, with_scratch};
use smallvec::SmallVec;
use std::ops::Range;
use std::sync::Mutex;

/// Output matrices that share their rows.
pub(crate) type Outputs<'a, T> = SmallVec<[ViewMut<'a, T>; 4]>;

/// Below this many rows, a product is cut into columns: each tile of rows packs the whole
/// right factor anew, which only pays where it meets that many rows.
const FEW_ROWS: usize = 128;

/// What a task computes of one output matrix: its rows, and columns from `column` on.
///
/// `out` may have more rows than the task, up to a multiple of [`STRIP`], to be filled with
/// anything.
#[derive(Debug)]
pub(crate) struct Part<'a, T> {
    /// Which of the matrices.
    pub(crate) bank: usize,
    /// The first column.
    pub(crate) column: usize,
    /// Where the result goes.
    pub(crate) out: ViewMut<'a, T>,
}

/// How many numbers of scratch memory a task needs, and the most rows it takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tile {
    /// Scratch numbers for each row.
    pub(crate) scratch: usize,
    /// Scratch numbers besides.
    pub(crate) fixed: usize,
    /// The most rows.
    pub(crate) rows: usize,
}

impl Tile {
    /// Numbers of scratch memory for so many rows.
    fn numbers(self, rows: usize) -> usize {
        rows.next_multiple_of(STRIP) * self.scratch + self.fixed
    }

    /// Rows of each task: enough tasks for a few threads, yet no tiny ones.
    fn rows_of(self, total: usize) -> usize {
        let even = total.div_ceil(8).next_multiple_of(STRIP);
        even.clamp(FEW_ROWS / 2, self.rows.max(FEW_ROWS / 2))
    }
}

/// Rows `first .. first + count` of a matrix, without a copy.
pub(crate) fn rows<'a, T>(matrix: View<'a, T>, first: usize, count: usize) -> View<'a, T> {
    let data = &matrix.data()[first * matrix.stride()..];
    View::strided(
        data,
        Shape::matrix(count, matrix.shape().c),
        matrix.stride(),
    )
}

/// Calls `f(rows, parts, scratch)` until each element of `outputs` was in one part.
///
/// Many rows are cut into tiles, each with all columns of all outputs; of few rows, each
/// task takes all, and some columns of one output.
pub(crate) fn for_each_part<T: Element>(
    pool: &Pool,
    outputs: Outputs<'_, T>,
    tile: Tile,
    f: impl Fn(Range<usize>, &mut [Part<'_, T>], &mut [T]) + Sync,
) {
    let total = outputs.first().map_or(0, |y| y.shape().rows());
    if total >= FEW_ROWS {
        let tile = Tile {
            rows: tile.rows_of(total),
            ..tile
        };
        by_rows(pool, outputs, tile, 0, &f);
    } else if total > 0 {
        by_columns(pool, outputs, tile, &f);
    }
}

/// Halves the outputs until one tile is left.
fn by_rows<T: Element>(
    pool: &Pool,
    outputs: Outputs<'_, T>,
    tile: Tile,
    first: usize,
    f: &(impl Fn(Range<usize>, &mut [Part<'_, T>], &mut [T]) + Sync),
) {
    let total = outputs[0].shape().rows();
    if total > tile.rows {
        let half = total.div_ceil(tile.rows) / 2 * tile.rows;
        let (head, tail) = outputs.into_iter().map(|y| y.split_rows(half)).unzip();
        pool.join(
            || by_rows(pool, head, tile, first, f),
            || by_rows(pool, tail, tile, first + half, f),
        );
        return;
    }
    let mut parts: SmallVec<[Part<'_, T>; 4]> = (0..)
        .zip(outputs)
        .map(|(bank, out)| Part {
            bank,
            column: 0,
            out,
        })
        .collect();
    with_scratch(tile.numbers(total), |scratch| {
        f(first..first + total, &mut parts, scratch);
    });
}

/// Columns of each task of a product of `width` columns.
fn block_columns(width: usize) -> usize {
    let tasks = match width {
        0..32 => 1,
        32..128 => 2,
        128..1024 => 4,
        _ => 8,
    };
    width.div_ceil(tasks).next_multiple_of(STRIP)
}

/// Computes blocks of columns in scratch memory, and copies them when they are done.
fn by_columns<T: Element>(
    pool: &Pool,
    outputs: Outputs<'_, T>,
    tile: Tile,
    f: &(impl Fn(Range<usize>, &mut [Part<'_, T>], &mut [T]) + Sync),
) {
    let total = outputs[0].shape().rows();
    let widths: SmallVec<[usize; 4]> = outputs.iter().map(|y| y.shape().c).collect();
    let block = block_columns(widths.iter().sum());
    let tasks = widths.iter().map(|width| width.div_ceil(block)).sum();
    let outputs = Mutex::new(outputs);
    pool.for_each(tasks, |task| {
        let (bank, column) = locate(&widths, block, task);
        let width = block.min(widths[bank] - column);
        let shape = Shape::matrix(total.next_multiple_of(STRIP), width);
        with_scratch(shape.len() + tile.numbers(total), |memory| {
            let (product, scratch) = memory.split_at_mut(shape.len());
            let out = ViewMut::new(product, shape);
            f(0..total, &mut [Part { bank, column, out }], scratch);
            let mut outputs = outputs.lock().expect("copying does not panic");
            let mut out = outputs[bank].reborrow().channels(column, width);
            let done = Shape::matrix(total, width);
            out.copy_from(View::strided(product, done, width));
        });
    });
}

/// The output and first column of a task.
fn locate(widths: &[usize], block: usize, mut task: usize) -> (usize, usize) {
    for (bank, width) in widths.iter().enumerate() {
        let tasks = width.div_ceil(block);
        if task < tasks {
            return (bank, task * block);
        }
        task -= tasks;
    }
    unreachable!("there are as many tasks as blocks")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_element_is_in_one_part_for_few_and_many_rows() {
        let pool = Pool::new(3).unwrap();
        for total in [0, 1, 49, 127, 128, 129, 1000] {
            let mut a = vec![0.0f32; total * 9];
            let mut b = vec![0.0f32; total * 70];
            let outputs = Outputs::from_iter([
                ViewMut::new(&mut a, Shape::matrix(total, 9)).channels(2, 5),
                ViewMut::new(&mut b, Shape::matrix(total, 70)),
            ]);
            let tile = Tile {
                scratch: 2,
                fixed: 5,
                rows: 96,
            };
            for_each_part(&pool, outputs, tile, |rows, parts, scratch| {
                for part in parts {
                    let most = part.out.shape().rows();
                    assert!(scratch.len() >= most * 2 + 5 && most >= rows.len());
                    for r in 0..rows.len() {
                        for (c, x) in part.out.row_mut(r).iter_mut().enumerate() {
                            // Blocks of columns start from scratch memory, so the value is
                            // set: what is missing stays zero.
                            *x = (1 + rows.start + r + part.bank + part.column + c) as f32;
                        }
                    }
                }
            });
            for r in 0..total {
                let expected = |c: usize, bank: usize| (1 + r + bank + c) as f32;
                for c in 0..9 {
                    let inside = (2..7).contains(&c);
                    let value = if inside { expected(c - 2, 0) } else { 0.0 };
                    assert_eq!(a[r * 9 + c], value);
                }
                for c in 0..70 {
                    assert_eq!(b[r * 70 + c], expected(c, 1));
                }
            }
        }
    }
}
