//! The product of located rows of stored numbers and packed words: convolution of maps that
//! are kept in fewer bits than they are summed in.

mod pixels;
mod portable;
#[cfg(target_arch = "x86_64")]
mod tiles;

#[cfg(target_arch = "x86_64")]
use crate::kernel::amx::Amx;
#[cfg(target_arch = "x86_64")]
use crate::kernel::dot::{Dot, DotFinish, DotOutput, DotTile};
use crate::kernel::{Kernel, PANEL};
use crate::{Accumulate, PADDING, Pool, Shape, Stored, ViewMut, with_scratch};
use portable::Portable;
use smallvec::SmallVec;
use std::ops::Range;

pub use pixels::{pack_pixels, transpose_pixels};

/// The left operand: row `p` is `taps` pieces of `width` numbers, each found somewhere in
/// `data`; see [`Rows`](crate::Rows).
#[derive(Clone, Copy, Debug)]
pub struct DotRows<'a, S> {
    /// What the pieces lie in.
    pub data: &'a [S],
    /// Pieces in a row.
    pub taps: usize,
    /// Numbers in a piece.
    pub width: usize,
    /// What a piece outside the map is made of: the number that stands for zero.
    pub padding: S,
}

/// Where products go.
#[derive(Debug)]
pub enum DotMap<'a, S> {
    /// As the left operand is stored.
    Stored(ViewMut<'a, S>),
    /// As `f32`.
    Real(ViewMut<'a, f32>),
}

impl<S> DotMap<'_, S> {
    /// The shape of the map.
    pub fn shape(&self) -> Shape {
        match self {
            Self::Stored(view) => view.shape(),
            Self::Real(view) => view.shape(),
        }
    }
}

/// A right operand and what becomes of its product:
/// `c = min(high, max(low, product·scale + bias))`, rounded to the type of `c`.
#[derive(Debug)]
pub struct DotBank<'a, S> {
    /// [`packed_words`] words as [`pack_words`] writes them.
    pub packed: &'a [u32],
    /// One number a column.
    pub scale: &'a [f32],
    /// One number a column.
    pub bias: &'a [f32],
    /// The least result; a NaN stays.
    pub low: f32,
    /// The greatest result.
    pub high: f32,
    /// Whether the result is added to what the output holds; only where that is `f32`.
    pub accumulate: Accumulate,
    /// The output: as many rows as the left operand.
    pub c: DotMap<'a, S>,
}

/// Words that one step of the largest tiles multiplies: panels are filled up with zeros to a
/// multiple of as many.
const CHUNK_WORDS: usize = 16; // amx::CHUNK / 4

/// Words of a packed right operand of `n` columns.
pub const fn packed_words<S: Stored>(taps: usize, width: usize, n: usize) -> usize {
    n.div_ceil(PANEL) * PANEL * column_words::<S>(taps, width)
}

/// Words of one column of it.
const fn column_words<S: Stored>(taps: usize, width: usize) -> usize {
    (taps * width.div_ceil(S::GROUP)).next_multiple_of(CHUNK_WORDS)
}

/// Packs a right operand of `taps·width` rows and `n` columns into words: panel after panel of
/// [`PANEL`] columns, in each of them piece after piece, whose numbers follow each other in
/// words of a column. What is left of a word beyond a piece, and words beyond the pieces or the
/// columns, are zeros.
///
/// `row(k, first, numbers)` writes row `k` from column `first` on.
///
/// # Panics
/// When `packed` is not [`packed_words`] long.
pub fn pack_words<S: Stored>(
    pool: &Pool,
    taps: usize,
    width: usize,
    n: usize,
    row: impl Fn(usize, usize, &mut [S::Weight]) + Sync,
    packed: &mut [u32],
) {
    assert_eq!(packed.len(), packed_words::<S>(taps, width, n));
    let groups = width.div_ceil(S::GROUP);
    let panel = PANEL * column_words::<S>(taps, width);
    pool.for_each_chunk(packed, panel.max(1), |panel, words| {
        let first = panel * PANEL;
        let columns = (n - first).min(PANEL);
        for (at, words) in words.chunks_exact_mut(PANEL).enumerate() {
            let (tap, group) = (at / groups.max(1), at % groups.max(1));
            let weights: &mut [S::Weight] = bytemuck::cast_slice_mut(words);
            weights.fill(S::Weight::default());
            if tap >= taps {
                continue;
            }
            let mut line = [S::Weight::default(); PANEL];
            for i in 0..S::GROUP.min(width - group * S::GROUP) {
                row(
                    tap * width + group * S::GROUP + i,
                    first,
                    &mut line[..columns],
                );
                for (word, &weight) in weights.chunks_exact_mut(S::GROUP).zip(&line[..columns]) {
                    word[i] = weight;
                }
            }
        }
    });
}

/// Rows of a task; see [`multiply_rows`](crate::multiply_rows).
const TASK_ROWS: usize = 112;
/// Fewer tasks of whole rows than this are cut along columns, too.
const ENOUGH_TASKS: usize = 16;

/// Multiplies located rows of stored numbers by every bank.
///
/// `locate` as in [`multiply_rows`](crate::multiply_rows). The sum of an output element runs
/// over words in order: in `f32` pair by pair, in `i32` exactly. So an element has the same
/// bits whatever it is computed together with and on however many threads. The instruction for
/// pairs takes subnormal numbers for zeros; other processors do not.
///
/// # Panics
/// When sizes do not fit each other, a piece lies outside `data`, or rounded results should be
/// added.
pub fn dot_rows<S: Stored>(
    pool: &Pool,
    rows: DotRows<'_, S>,
    locate: impl Fn(usize, &mut [u32]) + Sync,
    banks: &mut [DotBank<'_, S>],
) {
    let Some(count) = banks.first().map(|bank| bank.c.shape().rows()) else {
        return;
    };
    assert!(rows.data.len() < PADDING as usize, "offsets have 32 bits");
    let targets: SmallVec<[Target; 4]> = banks
        .iter_mut()
        .map(|bank| Target::new(&rows, count, bank))
        .collect();
    let panels: usize = targets.iter().map(|t| t.n.div_ceil(PANEL)).sum();
    if count == 0 || panels == 0 {
        return;
    }
    let job = Job {
        rows,
        kernel: pool.kernel(),
        targets: &targets,
    };
    let (height, enough) = job.task(pool.threads(), count);
    let down = count.div_ceil(height);
    let across = enough.div_ceil(down).min(panels);
    let share = panels.div_ceil(across);
    pool.for_each(down * across, |task| {
        let first = task / across * height;
        let part = task % across * share;
        job.run(
            &Block {
                first,
                count: height.min(count - first),
                panels: part.min(panels)..(part + share).min(panels),
            },
            &locate,
        );
    });
}

impl Kernel {
    /// How many products of `S` take [`dot_rows`] about as long as one of `f32` takes other
    /// products, where there are instructions for them.
    pub const fn products<S: Stored>(self) -> usize {
        match self {
            // Of the 16 times that a processor can, what copies of rows and stores leave.
            Self::Amx => 4 * S::GROUP,
            _ => S::GROUP,
        }
    }

    /// Whether [`dot_rows`] multiplies words of `S` by an instruction of the processor; else it
    /// takes a slower way.
    pub fn multiplies<S: Stored>(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return self.vectors() == Self::Avx512 && Dot::new(S::KIND).is_some();
        #[cfg(not(target_arch = "x86_64"))]
        false
    }
}

/// A bank as pointers, since tasks write parts of its output that interleave.
struct Target {
    packed: *const u32,
    scale: *const f32,
    bias: *const f32,
    low: f32,
    high: f32,
    add: bool,
    /// Words of a column.
    words: usize,
    n: usize,
    c: *mut u8,
    /// Bytes between rows of the output, and of a number in it.
    pitch: usize,
    size: usize,
}

// SAFETY: tasks read `packed`, `scale` and `bias` only, and each writes elements of `c` that no
// other task touches: `dot_rows` gives every pair of a row and a panel to one task.
unsafe impl Sync for Target {}

impl Target {
    fn new<S: Stored>(rows: &DotRows<'_, S>, count: usize, bank: &mut DotBank<'_, S>) -> Self {
        let (shape, n) = (bank.c.shape(), bank.c.shape().c);
        assert_eq!(shape.rows(), count, "rows of a bank's output");
        let words = packed_words::<S>(rows.taps, rows.width, n);
        assert_eq!(bank.packed.len(), words, "packed words");
        assert_eq!([bank.scale.len(), bank.bias.len()], [n, n], "vectors");
        let add = bank.accumulate == Accumulate::Add;
        let rounded = matches!(bank.c, DotMap::Stored(_));
        assert!(!(add && rounded), "rounded results are not added");
        let (c, pitch, size) = match &mut bank.c {
            DotMap::Stored(view) => {
                let pitch = view.stride() * size_of::<S>();
                (view.data_mut().as_mut_ptr().cast(), pitch, size_of::<S>())
            }
            DotMap::Real(view) => {
                let pitch = view.stride() * size_of::<f32>();
                (view.data_mut().as_mut_ptr().cast(), pitch, size_of::<f32>())
            }
        };
        Self {
            packed: bank.packed.as_ptr(),
            scale: bank.scale.as_ptr(),
            bias: bank.bias.as_ptr(),
            low: bank.low,
            high: bank.high,
            add,
            words: column_words::<S>(rows.taps, rows.width),
            n,
            c,
            pitch,
            size,
        }
    }
}

struct Job<'a, S> {
    rows: DotRows<'a, S>,
    kernel: Kernel,
    targets: &'a [Target],
}

/// What a task computes: rows, and panels counted over all banks.
struct Block {
    first: usize,
    count: usize,
    panels: Range<usize>,
}

impl<S: Stored> Job<'_, S> {
    /// Rows of a task, and how many tasks are enough not to cut along columns, too.
    fn task(&self, threads: usize, count: usize) -> (usize, usize) {
        #[cfg(target_arch = "x86_64")]
        if self.kernel == Kernel::Amx {
            let bytes = self.rows.taps * self.rows.width * size_of::<S>();
            return tiles::task(threads, count, bytes);
        }
        let _ = (threads, count);
        (TASK_ROWS, ENOUGH_TASKS)
    }

    fn run(&self, block: &Block, locate: &(impl Fn(usize, &mut [u32]) + Sync)) {
        let DotRows {
            data, taps, width, ..
        } = self.rows;
        with_scratch(taps * block.count, |offsets: &mut [u32]| {
            locate(block.first, offsets);
            let inside = |&o: &u32| o == PADDING || o as usize + width <= data.len();
            assert!(offsets.iter().all(inside), "a piece lies outside the data");
            #[cfg(target_arch = "x86_64")]
            if self.kernel == Kernel::Amx
                && taps * width > 0
                && let Some(amx) = Amx::new()
            {
                return self.tiles(amx, block, offsets);
            }
            #[cfg(target_arch = "x86_64")]
            if self.kernel.multiplies::<S>()
                && let Some(dot) = Dot::new(S::KIND)
            {
                return self.vectors(dot, block, offsets);
            }
            self.kernel.vectorize(Portable {
                job: self,
                block,
                offsets,
            });
        });
    }

    /// The panels of a block, with their banks.
    fn panels(&self, block: &Block) -> impl Iterator<Item = (&Target, usize)> {
        let all = self
            .targets
            .iter()
            .flat_map(|t| (0..t.n.div_ceil(PANEL)).map(move |panel| (t, panel)));
        all.skip(block.panels.start).take(block.panels.len())
    }

    /// Hands `work` the addresses, with exposed provenance, of `count` pieces.
    #[cfg(target_arch = "x86_64")]
    fn with_addresses(
        &self,
        offsets: impl Iterator<Item = u32>,
        count: usize,
        work: impl FnOnce(&[usize]),
    ) {
        let DotRows {
            data,
            width,
            padding,
            ..
        } = self.rows;
        with_scratch(width, |outside: &mut [S]| {
            outside.fill(padding);
            let outside = outside.as_ptr().expose_provenance();
            let data = data.as_ptr().expose_provenance();
            with_scratch(count, |addresses: &mut [usize]| {
                for (address, offset) in addresses.iter_mut().zip(offsets) {
                    *address = match offset {
                        PADDING => outside,
                        offset => data + offset as usize * size_of::<S>(),
                    };
                }
                work(addresses);
            });
        });
    }

    /// Computes a block by the instruction of `S`.
    #[cfg(target_arch = "x86_64")]
    fn vectors(&self, dot: Dot, block: &Block, offsets: &[u32]) {
        self.with_addresses(offsets.iter().copied(), offsets.len(), |addresses| {
            for (target, panel) in self.panels(block) {
                for row in (0..block.count).step_by(Dot::ROWS) {
                    let tile = DotTile {
                        addresses: addresses.as_ptr().wrapping_add(row),
                        pitch: block.count,
                        rows: Dot::ROWS.min(block.count - row),
                        taps: self.rows.taps,
                        bytes: self.rows.width * size_of::<S>(),
                        b: target.packed.wrapping_add(panel * target.words * PANEL),
                    };
                    let finish = finish(target, panel, block.first + row);
                    // SAFETY:
                    // - the addresses are those of padding, or of offsets that `run` found
                    //   inside the data, `width` numbers each, and the provenance of both
                    //   was exposed;
                    // - `Target::new` checked the lengths of words and vectors, and that
                    //   the output has `count` rows of `n` numbers;
                    // - no other task writes this panel of these rows.
                    unsafe { dot.tile(tile, finish) };
                }
            }
        });
    }
}

#[cfg(target_arch = "x86_64")]
fn finish(target: &Target, panel: usize, row: usize) -> DotFinish {
    let column = panel * PANEL;
    let at = row * target.pitch + column * target.size;
    DotFinish {
        c: target.c.wrapping_add(at),
        pitch: target.pitch,
        columns: PANEL.min(target.n - column),
        output: match target.size == size_of::<f32>() {
            true => DotOutput::Real,
            false => DotOutput::Stored,
        },
        scale: target.scale.wrapping_add(column),
        bias: target.bias.wrapping_add(column),
        low: target.low,
        high: target.high,
        add: target.add,
    }
}
