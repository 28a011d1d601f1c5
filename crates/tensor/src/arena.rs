//! One block of memory for all values of a plan.

use crate::pages;
use crate::scratch::Line;
use bytemuck::{Pod, Zeroable};
use smallvec::SmallVec;
use thiserror::Error;

/// Why an arena could not be made.
#[derive(Debug, Error)]
#[error("cannot allocate {bytes} bytes for the plan's values")]
pub struct ArenaError {
    /// The size asked for.
    pub bytes: usize,
}

/// A range of an [`Arena`], in bytes. The start is a multiple of [`Arena::ALIGN`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Region {
    /// The first byte.
    pub start: usize,
    /// How many bytes.
    pub bytes: usize,
}

impl Region {
    /// One byte beyond the last.
    pub fn end(self) -> usize {
        self.start + self.bytes
    }

    /// Whether the two share a byte.
    pub fn overlaps(self, other: Self) -> bool {
        self.start < other.end() && other.start < self.end()
    }
}

/// Memory that is allocated once and cut up by offsets that a plan has computed.
///
/// Every region starts on a cache line, so any vector load is aligned.
#[derive(Default)]
pub struct Arena {
    lines: Vec<Line>,
}

impl std::fmt::Debug for Arena {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Arena({} bytes)", self.bytes())
    }
}

impl Arena {
    /// Every region starts at a multiple of this many bytes.
    pub const ALIGN: usize = Line::BYTES;

    /// `bytes` rounded up to whole lines, as zeros.
    ///
    /// # Errors
    /// When the memory is not to be had.
    pub fn new(bytes: usize) -> Result<Self, ArenaError> {
        let count = bytes.div_ceil(Self::ALIGN);
        let mut lines = Vec::new();
        lines
            .try_reserve_exact(count)
            .map_err(|_| ArenaError { bytes })?;
        pages::prefer_large(lines.spare_capacity_mut());
        lines.resize(count, Line::zeroed());
        Ok(Self { lines })
    }

    /// Makes the arena at least `bytes` large; what was in it is lost when it grows.
    ///
    /// # Errors
    /// When the memory is not to be had; then the arena is empty.
    pub fn grow(&mut self, bytes: usize) -> Result<(), ArenaError> {
        if self.bytes() < bytes {
            // The old block goes first, so that the two never exist side by side.
            self.lines = Vec::new();
            *self = Self::new(bytes)?;
        }
        Ok(())
    }

    /// The size.
    pub fn bytes(&self) -> usize {
        self.lines.len() * Self::ALIGN
    }

    /// A region as numbers, to read.
    ///
    /// # Panics
    /// When the region lies outside, is not aligned, or is no whole number of elements.
    pub fn slice<T: Pod>(&self, region: Region) -> &[T] {
        aligned(region);
        let bytes: &[u8] = bytemuck::cast_slice(&self.lines);
        bytemuck::cast_slice(&bytes[region.start..region.end()])
    }

    /// A region as numbers, to write.
    ///
    /// # Panics
    /// As [`Arena::slice`].
    pub fn slice_mut<T: Pod>(&mut self, region: Region) -> &mut [T] {
        aligned(region);
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut self.lines);
        bytemuck::cast_slice_mut(&mut bytes[region.start..region.end()])
    }

    /// Opens `writes` for writing and everything else for reading, at once.
    ///
    /// # Panics
    /// When two of `writes` overlap, or one lies outside or is not aligned.
    pub fn open(&mut self, writes: &[Region]) -> Slots<'_> {
        let mut order: SmallVec<[usize; 8]> = (0..writes.len()).collect();
        order.sort_unstable_by_key(|&i| (writes[i].start, writes[i].bytes));
        let mut slots = Slots {
            writes: writes.iter().map(|_| None).collect(),
            gaps: SmallVec::new(),
        };
        let mut rest: &mut [u8] = bytemuck::cast_slice_mut(&mut self.lines);
        let mut at = 0;
        for i in order {
            let region = writes[i];
            aligned(region);
            assert!(
                region.start >= at && region.end() - at <= rest.len(),
                "{region:?} overlaps another write or leaves the arena"
            );
            let (gap, tail) = rest.split_at_mut(region.start - at);
            let (write, tail) = tail.split_at_mut(region.bytes);
            slots.gaps.push((at, gap));
            slots.writes[i] = Some(write);
            (rest, at) = (tail, region.end());
        }
        slots.gaps.push((at, rest));
        slots
    }
}

/// Disjoint parts of an [`Arena`]: some to write, the rest to read.
#[derive(Debug)]
pub struct Slots<'a> {
    writes: SmallVec<[Option<&'a mut [u8]>; 8]>,
    /// Each with the byte of the arena it starts at, in order.
    gaps: SmallVec<[(usize, &'a [u8]); 9]>,
}

impl<'a> Slots<'a> {
    /// The `i`-th of the regions opened for writing.
    ///
    /// # Panics
    /// When it was taken before, or is no whole number of elements.
    pub fn take<T: Pod>(&mut self, i: usize) -> &'a mut [T] {
        let bytes = self.writes[i].take().expect("a region is taken once");
        bytemuck::cast_slice_mut(bytes)
    }

    /// A region that no write touches.
    ///
    /// # Panics
    /// When a write overlaps it, or it is no whole number of elements.
    pub fn read<T: Pod>(&self, region: Region) -> &'a [T] {
        aligned(region);
        let after = self
            .gaps
            .partition_point(|&(start, _)| start <= region.start);
        let (start, gap) = self.gaps[after - 1];
        let bytes = gap
            .get(region.start - start..region.end() - start)
            .unwrap_or_else(|| panic!("{region:?} is being written"));
        bytemuck::cast_slice(bytes)
    }
}

fn aligned(region: Region) {
    assert!(
        region.start.is_multiple_of(Arena::ALIGN),
        "region at byte {} is not aligned to {}",
        region.start,
        Arena::ALIGN
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn region(start: usize, bytes: usize) -> Region {
        Region { start, bytes }
    }

    #[test]
    fn writes_and_reads_are_open_side_by_side() {
        let mut arena = Arena::new(300).unwrap();
        assert_eq!(arena.bytes(), 320);
        arena
            .slice_mut::<f32>(region(128, 8))
            .copy_from_slice(&[1.0, 2.0]);
        let mut slots = arena.open(&[region(192, 16), region(0, 64), region(0, 0)]);
        let (b, a) = (slots.take::<f64>(0), slots.take::<u8>(1));
        assert!(slots.take::<f32>(2).is_empty());
        let read = slots.read::<f32>(region(128, 8));
        assert_eq!((a.len(), b.len(), read), (64, 2, &[1.0, 2.0][..]));
        b.fill(3.0);
        drop(slots);
        assert_eq!(arena.slice::<f64>(region(192, 16)), [3.0, 3.0]);
    }

    #[test]
    #[should_panic(expected = "is being written")]
    fn reading_what_is_written_is_refused() {
        let mut arena = Arena::new(256).unwrap();
        let slots = arena.open(&[region(64, 64)]);
        slots.read::<f32>(region(64, 4));
    }

    #[test]
    #[should_panic(expected = "overlaps another write")]
    fn overlapping_writes_are_refused() {
        Arena::new(256)
            .unwrap()
            .open(&[region(0, 65), region(64, 4)]);
    }

    #[test]
    fn an_arena_grows_but_never_shrinks() {
        let mut arena = Arena::default();
        arena.grow(100).unwrap();
        arena.grow(64).unwrap();
        assert_eq!(arena.bytes(), 128);
    }

    #[test]
    fn an_impossible_size_is_an_error() {
        let message = Arena::new(usize::MAX / 2).unwrap_err().to_string();
        assert!(message.contains("cannot allocate"), "{message}");
    }
}
