//! The product of located rows and packed panels: convolution without a patch matrix.

use crate::kernel::{self, Finish, Isa, Kernel, PANEL, RowsTile, WithIsa};
use crate::{Accumulate, Element, Epilogue, LANES, Pool, View, ViewMut, packed_len, with_scratch};
use smallvec::SmallVec;
use std::ops::Range;

/// A place of no data: reads as zeros.
pub const PADDING: u32 = u32::MAX;

/// A place of a piece that lies partly outside of the data: [`Locate::write`] writes it.
pub const BORDER: u32 = u32::MAX - 1;

/// Where the pieces of a product's rows lie. A closure locates pieces that are nowhere on the
/// border.
pub trait Locate<T>: Sync {
    /// Writes where the pieces of rows `first ..` start in `data`: `offsets[tap·count + i]` for
    /// row `first + i`, with `count = offsets.len() / taps`, [`PADDING`] for a piece of zeros
    /// and [`BORDER`] for one that has to be written.
    fn locate(&self, first: usize, offsets: &mut [u32]);

    /// Writes a piece that was said to be on the border.
    fn write(&self, row: usize, tap: usize, piece: &mut [T]);
}

impl<T, F: Fn(usize, &mut [u32]) + Sync> Locate<T> for F {
    fn locate(&self, first: usize, offsets: &mut [u32]) {
        self(first, offsets);
    }

    fn write(&self, row: usize, tap: usize, _: &mut [T]) {
        panic!("piece {tap} of row {row} is on a border that nothing writes");
    }
}

/// The left operand: row `p` is `taps` pieces of `width` numbers, each found somewhere in
/// `data`. A convolution's row is an output pixel, its pieces are the input pixels under the
/// window.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a, T> {
    /// What the pieces lie in.
    pub data: &'a [T],
    /// Pieces in a row.
    pub taps: usize,
    /// Numbers in a piece.
    pub width: usize,
}

/// A right operand and what becomes of its product.
#[derive(Debug)]
pub struct Bank<'a, T> {
    /// `taps·width × c` numbers as [`pack`](crate::pack) writes them.
    pub packed: &'a [T],
    /// Whether the product is added to what is there.
    pub accumulate: Accumulate,
    /// What follows.
    pub epilogue: Epilogue<'a, T>,
    /// The output: as many rows as the left operand, `c` channels.
    pub c: ViewMut<'a, T>,
}

/// Rows of a task. Many tiles of every kernel, few enough that their input stays in a core's
/// own cache.
const TASK_ROWS: usize = 112;
/// Bytes of input that stay in a core's own cache while it reads all panels, so that these are
/// read once.
const CACHED: usize = 512 << 10;
/// Rows that lie a multiple of so many bytes apart share the lines of a set of the first cache,
/// which has few: a tile of more rows would throw out what it is about to read.
const SAME_SET: usize = 4096;
/// Lines of a set.
const WAYS: usize = 8;
/// So many panels for each thread, and all end at about the same time, though each panel is one
/// task.
const PANELS_A_THREAD: usize = 4;
/// Fewer tasks of whole rows than this are cut along columns, too.
const ENOUGH_TASKS: usize = 16;
/// The longest chain of additions; longer sums are cut and the parts added.
const CHAIN: usize = 4096;

/// Multiplies located rows by every bank: `c = epilogue(rows·b)` or `epilogue(c + rows·b)`.
///
/// The sum of an output element runs over taps and pieces in order, so it has the same bits
/// whatever it is computed together with and on however many threads.
///
/// # Panics
/// When sizes do not fit each other, or a piece lies outside `data`.
pub fn multiply_rows<T: Element>(
    pool: &Pool,
    rows: Rows<'_, T>,
    places: impl Locate<T>,
    banks: &mut [Bank<'_, T>],
) {
    let Some(count) = banks.first().map(|b| b.c.shape().rows()) else {
        return;
    };
    let k = rows.taps * rows.width;
    assert!(rows.data.len() < BORDER as usize, "offsets have 32 bits");
    let targets: SmallVec<[Target<T>; 4]> = banks
        .iter_mut()
        .map(|bank| {
            let n = bank.c.shape().c;
            assert_eq!(bank.c.shape().rows(), count, "rows of a bank's output");
            assert_eq!(bank.packed.len(), packed_len(k, n), "packed {k}×{n}");
            let bias = bank.epilogue.bias;
            assert!(bias.is_none_or(|b| b.len() == n), "bias of {n}");
            Target {
                packed: bank.packed.as_ptr(),
                c: bank.c.data_mut().as_mut_ptr(),
                stride: bank.c.stride(),
                n,
                add: bank.accumulate == Accumulate::Add,
                bias: bias.map_or(std::ptr::null(), <[T]>::as_ptr),
                relu: bank.epilogue.relu,
                past_cache: kernel::is_past_cache(&mut bank.c),
            }
        })
        .collect();
    let panels: usize = targets.iter().map(|t| t.n.div_ceil(PANEL)).sum();
    if count == 0 || panels == 0 {
        return;
    }
    let is_cached = count * k * size_of::<T>() <= CACHED;
    let enough_panels = pool.threads() == 1 || panels >= PANELS_A_THREAD * pool.threads();
    let task_rows = match is_cached && enough_panels {
        true => count,
        false => TASK_ROWS,
    };
    let down = count.div_ceil(task_rows);
    let across = match pool.threads() {
        1 => 1,
        _ => ENOUGH_TASKS.div_ceil(down).min(panels),
    };
    let share = panels.div_ceil(across);
    let job = Job {
        rows,
        kernel: match T::VECTOR_KERNELS {
            true => pool.kernel(),
            false => Kernel::Portable,
        },
        targets: &targets,
    };
    pool.for_each(down * across, |task| {
        let first = task / across * task_rows;
        let part = task % across * share;
        let block = Block {
            first,
            count: task_rows.min(count - first),
            panels: part.min(panels)..(part + share).min(panels),
        };
        job.run(&block, &places);
    });
}

/// Multiplies the rows of a matrix as they lie in memory by every bank, as
/// [`multiply_rows`] does.
///
/// # Shapes
/// `a`: `m` rows of `k` channels; each bank: `k × c` packed numbers, output of `m` rows.
///
/// # Panics
/// When sizes do not fit each other.
pub fn multiply_matrix<T: Element>(pool: &Pool, a: View<'_, T>, banks: &mut [Bank<'_, T>]) {
    let rows = Rows {
        data: a.data(),
        taps: 1,
        width: a.shape().c,
    };
    let locate = |first: usize, offsets: &mut [u32]| {
        for (i, offset) in offsets.iter_mut().enumerate() {
            *offset = ((first + i) * a.stride()) as u32;
        }
    };
    multiply_rows(pool, rows, locate, banks);
}

/// A bank as pointers, since tasks write parts of its output that interleave.
struct Target<T> {
    packed: *const T,
    c: *mut T,
    stride: usize,
    n: usize,
    add: bool,
    bias: *const T,
    relu: bool,
    past_cache: bool,
}

// SAFETY: tasks read `packed` and `bias` only, and each writes elements of `c` that no other
// task touches: `multiply_rows` gives every pair of a row and a panel to one task.
unsafe impl<T: Element> Sync for Target<T> {}

struct Job<'a, T> {
    rows: Rows<'a, T>,
    kernel: Kernel,
    targets: &'a [Target<T>],
}

/// What a task computes: rows, and panels counted over all banks.
struct Block {
    first: usize,
    count: usize,
    panels: Range<usize>,
}

impl<T: Element> Job<'_, T> {
    fn run(&self, block: &Block, places: &impl Locate<T>) {
        let Rows { data, taps, width } = self.rows;
        with_scratch(taps * block.count, |offsets: &mut [u32]| {
            places.locate(block.first, offsets);
            let inside = |&o: &u32| o >= BORDER || o as usize + width <= data.len();
            assert!(offsets.iter().all(inside), "a piece lies outside the data");
            let borders = offsets.iter().filter(|&&o| o == BORDER).count();
            with_scratch(borders * width, |written: &mut [T]| {
                let mut pieces = written.chunks_exact_mut(width.max(1));
                for (i, _) in offsets.iter().enumerate().filter(|o| *o.1 == BORDER) {
                    let (tap, row) = (i / block.count, block.first + i % block.count);
                    places.write(row, tap, pieces.next().unwrap_or_default());
                }
                kernel::dispatch(
                    self.kernel,
                    Task {
                        job: self,
                        block,
                        offsets,
                        written,
                    },
                );
                if self.targets.iter().any(|t| t.past_cache) {
                    kernel::wait_for_memory();
                }
            });
        });
    }

    /// The panels of a block, with their banks.
    fn panels(&self, block: &Block) -> impl Iterator<Item = (&Target<T>, usize)> {
        let all = self
            .targets
            .iter()
            .flat_map(|t| (0..t.n.div_ceil(PANEL)).map(move |panel| (t, panel)));
        all.skip(block.panels.start).take(block.panels.len())
    }
}

/// A block with its pieces located: every offset is [`PADDING`], [`BORDER`] or inside the data.
struct Task<'a, T> {
    job: &'a Job<'a, T>,
    block: &'a Block,
    offsets: &'a [u32],
    /// The pieces on the border, in order.
    written: &'a [T],
}

impl<T: Element> WithIsa for Task<'_, T> {
    type Output = ();

    fn with(self, isa: impl Isa) {
        let Rows { data, taps, width } = self.job.rows;
        // Only `f32` has vector kernels, so these casts change no type.
        let data: *const f32 = data.as_ptr().cast();
        let written: *const f32 = self.written.as_ptr().cast();
        with_scratch(width, |zeros: &mut [f32]| {
            zeros.fill(0.0);
            let (zeros, data) = (zeros.as_ptr().expose_provenance(), data.expose_provenance());
            let mut written = written.expose_provenance();
            with_scratch(self.offsets.len(), |addresses: &mut [usize]| {
                for (address, &offset) in addresses.iter_mut().zip(self.offsets) {
                    *address = match offset {
                        PADDING => zeros,
                        BORDER => {
                            written += width * size_of::<f32>();
                            written - width * size_of::<f32>()
                        }
                        offset => data + offset as usize * size_of::<f32>(),
                    };
                }
                for piece in pieces(taps, width) {
                    self.piece(isa, &piece, addresses);
                }
            });
        });
    }

    fn portable(self) {
        let Rows { data, taps, width } = self.job.rows;
        let (k, count) = (taps * width, self.block.count);
        with_scratch(k * count, |patches: &mut [T]| {
            let mut written = self.written.chunks_exact(width.max(1));
            for (i, &offset) in self.offsets.iter().enumerate() {
                let (tap, row) = (i / count, i % count);
                let patch = &mut patches[row * k + tap * width..][..width];
                match offset {
                    PADDING => patch.fill(T::zero()),
                    BORDER => patch.copy_from_slice(written.next().unwrap_or_default()),
                    offset => patch.copy_from_slice(&data[offset as usize..][..width]),
                }
            }
            for (target, panel) in self.job.panels(self.block) {
                self.portable_panel(patches, target, panel);
            }
        });
    }
}

/// What tile `tile` of those that read a panel of `k` rows at `b` fetches of the next one: the
/// first tiles half of it each, the others nothing new.
pub(crate) fn later_panel(b: *const f32, k: usize, tile: usize) -> *const f32 {
    let halves = PANEL / LANES;
    match tile < halves {
        true => b.wrapping_add((k * halves + tile * k) * LANES),
        false => b,
    }
}

/// A part of `k`: some taps, and some numbers of each piece.
struct Piece {
    taps: Range<usize>,
    numbers: Range<usize>,
    is_first: bool,
    is_last: bool,
}

/// Parts of `k` of at most [`CHAIN`] numbers, in order.
fn pieces(taps: usize, width: usize) -> impl Iterator<Item = Piece> {
    let tap_step = (CHAIN / width.max(1)).clamp(1, taps.max(1));
    let number_step = CHAIN.min(width.max(1));
    let tap_parts = taps.div_ceil(tap_step).max(1);
    let number_parts = width.div_ceil(number_step).max(1);
    (0..tap_parts * number_parts).map(move |i| {
        let (tap, number) = (i / number_parts * tap_step, i % number_parts * number_step);
        Piece {
            taps: tap..(tap + tap_step).min(taps),
            numbers: number..(number + number_step).min(width),
            is_first: i == 0,
            is_last: i + 1 == tap_parts * number_parts,
        }
    })
}

impl<T: Element> Task<'_, T> {
    /// Adds a part of `k` to every tile.
    fn piece(&self, isa: impl Isa, piece: &Piece, addresses: &[usize]) {
        fn rows_of<I: Isa>(_: I) -> usize {
            I::ROWS
        }
        let (count, width) = (self.block.count, self.job.rows.width);
        let k = self.job.rows.taps * width;
        let step = match addresses {
            [a, b, ..] if a != b && a.abs_diff(*b).is_multiple_of(SAME_SET) => {
                rows_of(isa).min(WAYS - 1)
            }
            _ => rows_of(isa),
        };
        let addresses = &addresses[piece.taps.start * count..piece.taps.end * count];
        with_scratch(addresses.len(), |shifted: &mut [usize]| {
            // A part that starts inside its pieces has addresses of its own.
            let addresses = if piece.numbers.start == 0 {
                addresses
            } else {
                for (address, from) in shifted.iter_mut().zip(addresses) {
                    *address = from + piece.numbers.start * size_of::<f32>();
                }
                shifted
            };
            for (target, panel) in self.job.panels(self.block) {
                let first_k = piece.taps.start * width + piece.numbers.start;
                let b = target.packed.wrapping_add((panel * k + first_k) * PANEL);
                let b: *const f32 = b.cast();
                for row in (0..count).step_by(step) {
                    let next = row + step;
                    let later = if next + step <= count { next } else { row };
                    let tile = RowsTile {
                        addresses: addresses.as_ptr().wrapping_add(row),
                        later: addresses.as_ptr().wrapping_add(later),
                        pitch: count,
                        rows: step.min(count - row),
                        taps: piece.taps.len(),
                        width: piece.numbers.len(),
                        b,
                        later_b: later_panel(b, k, row / step),
                    };
                    let finish = self.finish(piece, target, panel, row);
                    // SAFETY:
                    // - the addresses are those of zeros, of pieces on the border, or of
                    //   offsets that `Job::run` found inside the data, `width` numbers each,
                    //   and the provenance of all was exposed;
                    // - `multiply_rows` checked the length of `packed` and `bias`, and
                    //   that the output has `count` rows of `n` numbers;
                    // - no other task writes this panel of these rows.
                    unsafe { isa.rows(tile, finish) };
                }
            }
        });
    }

    fn finish(&self, piece: &Piece, target: &Target<T>, panel: usize, row: usize) -> Finish {
        let column = panel * PANEL;
        let at = (self.block.first + row) * target.stride + column;
        let with_bias = piece.is_last && !target.bias.is_null();
        Finish {
            c: target.c.wrapping_add(at).cast(),
            stride: target.stride,
            columns: PANEL.min(target.n - column),
            add: target.add || !piece.is_first,
            bias: match with_bias {
                true => target.bias.wrapping_add(column).cast(),
                false => std::ptr::null(),
            },
            relu: target.relu && piece.is_last,
            past_cache: target.past_cache && !target.add && piece.is_first && piece.is_last,
        }
    }

    fn portable_panel(&self, patches: &[T], target: &Target<T>, panel: usize) {
        let (count, k) = (self.block.count, self.job.rows.taps * self.job.rows.width);
        let column = panel * PANEL;
        let columns = PANEL.min(target.n - column);
        let c = target
            .c
            .wrapping_add(self.block.first * target.stride + column);
        let (beta, stride) = (if target.add { T::one() } else { T::zero() }, target.stride);
        // SAFETY:
        // - `patches` has `count·k` numbers, the panel `k·PANEL`;
        // - the output has `count` rows from `c` on, of at least `columns` numbers, and no
        //   other task writes this panel of these rows.
        unsafe {
            let b = target.packed.add(panel * k * PANEL);
            T::raw_gemm(
                count,
                k,
                columns,
                patches.as_ptr(),
                (k as isize, 1),
                b,
                (PANEL as isize, 1),
                beta,
                c,
                stride as isize,
            );
        }
        let bias = match target.bias.is_null() {
            true => None,
            // SAFETY: the bias has a number for every column.
            false => Some(unsafe { std::slice::from_raw_parts(target.bias.add(column), columns) }),
        };
        let epilogue = Epilogue {
            bias,
            relu: target.relu,
        };
        for row in 0..count {
            // SAFETY: as above, row by row.
            epilogue.apply(unsafe { std::slice::from_raw_parts_mut(c.add(row * stride), columns) });
        }
    }
}
