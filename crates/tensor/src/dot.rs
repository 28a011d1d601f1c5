//! The product of located rows of stored numbers and packed words: convolution of maps that
//! are kept in fewer bits than they are summed in.

#[cfg(target_arch = "x86_64")]
use crate::kernel::dot::{Dot, DotFinish, DotOutput, DotTile};
use crate::kernel::{Kernel, PANEL, Vectorize};
use crate::{PADDING, Pool, Stored, ViewMut, with_scratch};
use smallvec::SmallVec;
use std::ops::Range;

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
    /// Rows and columns.
    fn size(&self) -> (usize, usize) {
        let shape = match self {
            Self::Stored(view) => view.shape(),
            Self::Real(view) => view.shape(),
        };
        (shape.rows(), shape.c)
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
    /// The output: as many rows as the left operand.
    pub c: DotMap<'a, S>,
}

/// Words of a packed right operand of `n` columns.
pub const fn packed_words<S: Stored>(taps: usize, width: usize, n: usize) -> usize {
    n.div_ceil(PANEL) * PANEL * taps * width.div_ceil(S::GROUP)
}

/// Packs a right operand of `taps·width` rows and `n` columns into words: panel after panel of
/// [`PANEL`] columns, in each of them piece after piece, whose numbers follow each other in
/// words of a column. Words beyond a piece or the columns are filled up with zeros.
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
    pool.for_each_chunk(packed, (PANEL * taps * groups).max(1), |panel, words| {
        let first = panel * PANEL;
        let columns = (n - first).min(PANEL);
        for (at, words) in words.chunks_exact_mut(PANEL).enumerate() {
            let (tap, group) = (at / groups, at % groups);
            let weights: &mut [S::Weight] = bytemuck::cast_slice_mut(words);
            weights.fill(S::Weight::default());
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
/// When sizes do not fit each other, or a piece lies outside `data`.
pub fn dot_rows<S: Stored>(
    pool: &Pool,
    rows: DotRows<'_, S>,
    locate: impl Fn(usize, &mut [u32]) + Sync,
    banks: &mut [DotBank<'_, S>],
) {
    let Some((count, _)) = banks.first().map(|bank| bank.c.size()) else {
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
    let down = count.div_ceil(TASK_ROWS);
    let across = ENOUGH_TASKS.div_ceil(down).min(panels);
    let share = panels.div_ceil(across);
    let job = Job {
        rows,
        kernel: pool.kernel(),
        targets: &targets,
    };
    pool.for_each(down * across, |task| {
        let first = task / across * TASK_ROWS;
        let part = task % across * share;
        job.run(
            &Block {
                first,
                count: TASK_ROWS.min(count - first),
                panels: part.min(panels)..(part + share).min(panels),
            },
            &locate,
        );
    });
}

impl Kernel {
    /// Whether [`dot_rows`] multiplies words of `S` by an instruction of the processor; else it
    /// takes a slower way.
    pub fn multiplies<S: Stored>(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return self == Self::Avx512 && Dot::new(S::KIND).is_some();
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
        let (found, n) = bank.c.size();
        assert_eq!(found, count, "rows of a bank's output");
        let words = packed_words::<S>(rows.taps, rows.width, n);
        assert_eq!(bank.packed.len(), words, "packed words");
        assert_eq!([bank.scale.len(), bank.bias.len()], [n, n], "vectors");
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
            words: rows.taps * rows.width.div_ceil(S::GROUP),
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
    fn run(&self, block: &Block, locate: &(impl Fn(usize, &mut [u32]) + Sync)) {
        let DotRows {
            data, taps, width, ..
        } = self.rows;
        with_scratch(taps * block.count, |offsets: &mut [u32]| {
            locate(block.first, offsets);
            let inside = |&o: &u32| o == PADDING || o as usize + width <= data.len();
            assert!(offsets.iter().all(inside), "a piece lies outside the data");
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

    /// Computes a block by the instruction of `S`.
    #[cfg(target_arch = "x86_64")]
    fn vectors(&self, dot: Dot, block: &Block, offsets: &[u32]) {
        let DotRows {
            data,
            taps,
            width,
            padding,
        } = self.rows;
        with_scratch(width, |outside: &mut [S]| {
            outside.fill(padding);
            let outside = outside.as_ptr().expose_provenance();
            let data = data.as_ptr().expose_provenance();
            with_scratch(offsets.len(), |addresses: &mut [usize]| {
                for (address, &offset) in addresses.iter_mut().zip(offsets) {
                    *address = match offset {
                        PADDING => outside,
                        offset => data + offset as usize * size_of::<S>(),
                    };
                }
                for (target, panel) in self.panels(block) {
                    for row in (0..block.count).step_by(Dot::ROWS) {
                        let tile = DotTile {
                            addresses: addresses.as_ptr().wrapping_add(row),
                            pitch: block.count,
                            rows: Dot::ROWS.min(block.count - row),
                            taps,
                            bytes: width * size_of::<S>(),
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
    }
}

/// A block computed word by word, for processors without the instruction of `S`.
struct Portable<'a, S> {
    job: &'a Job<'a, S>,
    block: &'a Block,
    /// Each is [`PADDING`] or inside the data.
    offsets: &'a [u32],
}

impl<S: Stored> Vectorize for Portable<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let DotRows {
            data,
            taps,
            width,
            padding,
        } = self.job.rows;
        let count = self.block.count;
        let groups = width.div_ceil(S::GROUP);
        with_scratch(taps * groups * count, |patches: &mut [u32]| {
            patches.fill(0);
            let pieces: &mut [S] = bytemuck::cast_slice_mut(patches);
            for (i, &offset) in self.offsets.iter().enumerate() {
                let (tap, row) = (i / count, i % count);
                let piece = &mut pieces[(row * taps + tap) * groups * S::GROUP..][..width];
                match offset {
                    PADDING => piece.fill(padding),
                    offset => piece.copy_from_slice(&data[offset as usize..][..width]),
                }
            }
            for (target, panel) in self.job.panels(self.block) {
                for (row, patch) in patches.chunks_exact(taps * groups).enumerate() {
                    self.line(target, panel, row, patch);
                }
            }
        });
    }
}

impl<S: Stored> Portable<'_, S> {
    /// The columns of a panel in one row.
    #[inline(always)]
    fn line(&self, target: &Target, panel: usize, row: usize, patch: &[u32]) {
        let column = panel * PANEL;
        let columns = PANEL.min(target.n - column);
        // SAFETY: `Target::new` checked the lengths of words and vectors.
        let (words, scale, bias) = unsafe {
            let words = target.packed.add(panel * target.words * PANEL);
            (
                std::slice::from_raw_parts(words, target.words * PANEL),
                std::slice::from_raw_parts(target.scale.add(column), columns),
                std::slice::from_raw_parts(target.bias.add(column), columns),
            )
        };
        let mut sums = [S::Sum::default(); PANEL];
        for (&a, line) in patch.iter().zip(words.chunks_exact(PANEL)) {
            for (sum, &b) in sums.iter_mut().zip(line) {
                *sum = S::dot(*sum, a, b);
            }
        }
        let at = (self.block.first + row) * target.pitch + column * target.size;
        let c = target.c.wrapping_add(at);
        for (j, (&sum, (&scale, &bias))) in sums.iter().zip(scale.iter().zip(bias)).enumerate() {
            let y = S::sum(sum) * scale + bias;
            let y = if y < target.low { target.low } else { y };
            let y = if y > target.high { target.high } else { y };
            // SAFETY: the output has `n` numbers in this row, of the type that `size` tells,
            // and no other task writes this panel of it.
            unsafe {
                match target.size == size_of::<f32>() {
                    true => c.cast::<f32>().add(j).write(y),
                    false => c.cast::<S>().add(j).write(S::encode(y)),
                }
            }
        }
    }
}
