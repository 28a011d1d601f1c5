//! Memory that a thread keeps for its kernels.

use bytemuck::Zeroable;
use std::cell::RefCell;

/// One cache line, so that scratch memory is aligned for any vector.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Line([u8; 64]);

// SAFETY: an array of bytes: all zeros is a value of it.
unsafe impl Zeroable for Line {}
// SAFETY: 64 bytes aligned to 64 have no padding, and any bit pattern is a value.
unsafe impl bytemuck::Pod for Line {}

impl Line {
    pub(crate) const BYTES: usize = size_of::<Self>();
}

thread_local! {
    /// Blocks that nobody uses at the moment.
    static FREE: RefCell<Vec<Vec<Line>>> = const { RefCell::new(Vec::new()) };
}

/// Calls `f` with `len` elements of memory that this thread keeps between calls, so that a
/// warm kernel allocates nothing. The contents are whatever the last user left. Calls may be
/// nested: each has a block of its own.
pub fn with_scratch<T: bytemuck::Pod, R>(len: usize, f: impl FnOnce(&mut [T]) -> R) -> R {
    let lines = (len * size_of::<T>()).div_ceil(Line::BYTES);
    let mut block = FREE.with_borrow_mut(Vec::pop).unwrap_or_default();
    if block.len() < lines {
        block.resize(lines, Line::zeroed());
    }
    let result = f(&mut bytemuck::cast_slice_mut(&mut block[..lines])[..len]);
    FREE.with_borrow_mut(|free| free.push(block));
    result
}
