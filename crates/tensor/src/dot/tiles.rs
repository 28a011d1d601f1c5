//! Products in registers of two dimensions.

use super::{Block, CHUNK_WORDS, Job, finish};
use crate::kernel::PANEL;
use crate::kernel::amx::{self, Amx, AmxTile, CHUNK, Contents, Part, Piece, REGISTER_ROWS};
use crate::{PADDING, Stored, with_scratch};
use smallvec::SmallVec;
use std::ops::Range;

/// The most rows of a task.
const MOST_ROWS: usize = 128;
/// Bytes of gathered rows that stay in the second cache beside a panel.
const GATHERED: usize = 512 << 10;
/// Tasks for each thread that keep all of them busy to the end. Those that are cut along columns
/// copy the same rows, so more are not better.
const TASKS: usize = 2;

/// Rows of a task of `count` rows in all with so many bytes each, and how many tasks are enough.
/// How a product is cut does not show in its bits.
pub(super) fn task(threads: usize, count: usize, bytes: usize) -> (usize, usize) {
    let enough = match threads {
        1 => 1,
        _ => TASKS * threads,
    };
    let fitting = GATHERED / bytes.max(1) / Amx::ROWS * Amx::ROWS;
    let even = count.div_ceil(enough).next_multiple_of(Amx::ROWS);
    (fitting.min(even).clamp(Amx::ROWS, MOST_ROWS), enough)
}

/// Where the rows of a block lie for the tiles: by register, its pieces.
struct Left {
    pieces: SmallVec<[Piece; 128]>,
    of_a_register: usize,
    /// Chunks of a piece.
    chunks: usize,
}

impl<S: Stored> Job<'_, S> {
    /// Computes a block by tiles: of each register's rows where they lie if they are whole chunks
    /// at one distance, else of copies of them.
    pub(super) fn tiles(&self, amx: Amx, block: &Block, offsets: &[u32]) {
        let (taps, bytes) = (self.rows.taps, self.rows.width * size_of::<S>());
        let words = self.targets.first().map_or(0, |target| target.words);
        let chunks = words / CHUNK_WORDS;
        let whole = bytes.is_multiple_of(CHUNK);
        let mut left = Left {
            pieces: SmallVec::new(),
            of_a_register: if whole { taps } else { 1 },
            chunks: if whole { bytes / CHUNK } else { chunks },
        };
        let registers = block.count.div_ceil(REGISTER_ROWS);
        let parts: SmallVec<[Part; 64]> = amx::parts(taps, bytes).collect();
        with_scratch(chunks * registers, |copies: &mut [Contents]| {
            for (i, copy) in copies.chunks_exact_mut(chunks).enumerate() {
                let row = i * REGISTER_ROWS;
                let rows = row..block.count.min(row + REGISTER_ROWS);
                if whole && self.in_place(block, offsets, rows.clone(), &mut left.pieces) {
                    continue;
                }
                self.copy(amx, block, offsets, rows, &parts, copy);
                let piece = |copy: &[Contents]| Piece {
                    first: copy.as_ptr().cast(),
                    pitch: CHUNK,
                    step: size_of::<Contents>(),
                };
                left.pieces
                    .extend(copy.chunks_exact(left.chunks).map(piece));
            }
            self.multiply(amx, block, &left);
        });
    }

    /// Copies some rows of a block into the order of a register.
    fn copy(
        &self,
        _: Amx,
        block: &Block,
        offsets: &[u32],
        rows: Range<usize>,
        parts: &[Part],
        copy: &mut [Contents],
    ) {
        let of_rows = offsets
            .chunks_exact(block.count)
            .flat_map(|of_tap| &of_tap[rows.clone()]);
        self.with_addresses(of_rows.copied(), self.rows.taps * rows.len(), |addresses| {
            // SAFETY:
            // - `Amx` proves the instructions;
            // - the addresses are those of padding, or of offsets that `run` found inside the
            //   data, `width` numbers each, for all rows of each tap.
            unsafe { amx::gather(addresses.as_ptr(), rows.len(), rows.len(), parts, copy) };
        });
    }

    /// Adds the pieces of some rows of a block as they are, if a register can read them so; else
    /// nothing.
    fn in_place(
        &self,
        block: &Block,
        offsets: &[u32],
        rows: Range<usize>,
        pieces: &mut SmallVec<[Piece; 128]>,
    ) -> bool {
        if rows.len() < REGISTER_ROWS {
            return false;
        }
        let before = pieces.len();
        for of_tap in offsets.chunks_exact(block.count) {
            let rows = &of_tap[rows.clone()];
            let distance = rows[1].wrapping_sub(rows[0]);
            let ordered = rows[0] <= rows[1] && !rows.contains(&PADDING);
            if !ordered
                || rows
                    .windows(2)
                    .any(|pair| pair[1].wrapping_sub(pair[0]) != distance)
            {
                pieces.truncate(before);
                return false;
            }
            pieces.push(Piece {
                first: self.rows.data[rows[0] as usize..].as_ptr().cast(),
                pitch: distance as usize * size_of::<S>(),
                step: CHUNK,
            });
        }
        true
    }

    fn multiply(&self, amx: Amx, block: &Block, left: &Left) {
        let registers = amx.registers(S::KIND);
        for (target, panel) in self.panels(block) {
            for (i, pieces) in left.pieces.chunks(2 * left.of_a_register).enumerate() {
                let row = i * Amx::ROWS;
                let (upper, lower) = pieces.split_at(left.of_a_register);
                let tile = AmxTile {
                    // Where there is no second half, nothing is written of its products.
                    a: [upper, if lower.is_empty() { upper } else { lower }],
                    b: target.packed.wrapping_add(panel * target.words * PANEL),
                    chunks: left.chunks,
                };
                let rows = Amx::ROWS.min(block.count - row);
                // SAFETY:
                // - rows in place are inside the data, as `run` found; copies are whole
                //   registers;
                // - `Target::new` checked the lengths of words and vectors, and that the output
                //   has `count` rows of `n` numbers;
                // - no other task writes this panel of these rows.
                unsafe { registers.tile(tile, rows, finish(target, panel, block.first + row)) };
            }
        }
    }
}
