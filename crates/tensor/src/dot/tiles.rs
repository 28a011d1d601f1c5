//! Products in registers of two dimensions.

use super::{Block, CHUNK_WORDS, Job, finish};
use crate::kernel::PANEL;
use crate::kernel::amx::{self, Amx, AmxTile, CHUNK, Contents, Part, Piece, REGISTER_ROWS};
use crate::{PADDING, Stored, with_scratch};
use smallvec::SmallVec;

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
    /// Chunks of a piece, and bytes between them.
    chunks: usize,
    step: usize,
}

impl<S: Stored> Job<'_, S> {
    /// Computes a block by tiles: of rows where they lie if each register's are whole chunks at
    /// one distance, else of copies of them.
    pub(super) fn tiles(&self, amx: Amx, block: &Block, offsets: &[u32]) {
        if let Some(left) = self.in_place(block, offsets) {
            return self.multiply(amx, block, &left);
        }
        let words = self.targets.first().map_or(0, |target| target.words);
        let (chunks, registers) = (words / CHUNK_WORDS, block.count.div_ceil(REGISTER_ROWS));
        let parts: SmallVec<[Part; 64]> =
            amx::parts(self.rows.taps, self.rows.width * size_of::<S>()).collect();
        self.with_addresses(offsets, |addresses| {
            with_scratch(chunks * registers, |copies: &mut [Contents]| {
                for (i, copy) in copies.chunks_exact_mut(chunks).enumerate() {
                    let row = i * REGISTER_ROWS;
                    // SAFETY:
                    // - `amx` proves the instructions;
                    // - the addresses are those of padding, or of offsets that `run` found
                    //   inside the data, `width` numbers each, for `count` rows of each tap.
                    unsafe {
                        amx::gather(
                            addresses.as_ptr().wrapping_add(row),
                            block.count,
                            REGISTER_ROWS.min(block.count - row),
                            &parts,
                            copy,
                        );
                    }
                }
                let piece = |copy: &[Contents]| Piece {
                    first: copy.as_ptr().cast(),
                    pitch: CHUNK,
                };
                let left = Left {
                    pieces: copies.chunks_exact(chunks).map(piece).collect(),
                    of_a_register: 1,
                    chunks,
                    step: CHUNK * REGISTER_ROWS,
                };
                self.multiply(amx, block, &left);
            });
        });
    }

    /// The rows of a block as they are, if tiles can read them so.
    fn in_place(&self, block: &Block, offsets: &[u32]) -> Option<Left> {
        let bytes = self.rows.width * size_of::<S>();
        let whole = bytes.is_multiple_of(CHUNK) && block.count.is_multiple_of(REGISTER_ROWS);
        if !whole || offsets.contains(&PADDING) {
            return None;
        }
        let mut pieces = SmallVec::new();
        for row in (0..block.count).step_by(REGISTER_ROWS) {
            for tap in 0..self.rows.taps {
                let rows = &offsets[tap * block.count + row..][..REGISTER_ROWS];
                let distance = rows[1].checked_sub(rows[0])?;
                let even = |pair: &[u32]| pair[1].checked_sub(pair[0]) == Some(distance);
                if !rows.windows(2).all(even) {
                    return None;
                }
                pieces.push(Piece {
                    first: self.rows.data[rows[0] as usize..].as_ptr().cast(),
                    pitch: distance as usize * size_of::<S>(),
                });
            }
        }
        Some(Left {
            pieces,
            of_a_register: self.rows.taps,
            chunks: bytes / CHUNK,
            step: CHUNK,
        })
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
                    step: left.step,
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
