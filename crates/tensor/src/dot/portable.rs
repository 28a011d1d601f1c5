//! Products by what every processor has.

use super::{Block, DotRows, Job, Target};
use crate::kernel::{PANEL, Vectorize};
use crate::{PADDING, Stored, with_scratch};

/// A block computed word by word, for processors without the instruction of `S`.
pub(super) struct Portable<'a, S> {
    pub(super) job: &'a Job<'a, S>,
    pub(super) block: &'a Block,
    /// Each is [`PADDING`] or inside the data.
    pub(super) offsets: &'a [u32],
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
                    true if target.add => *c.cast::<f32>().add(j) += y,
                    true => c.cast::<f32>().add(j).write(y),
                    false => c.cast::<S>().add(j).write(S::encode(y)),
                }
            }
        }
    }
}
