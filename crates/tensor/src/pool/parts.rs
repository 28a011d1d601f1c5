//! One slice whose parts are written by several tasks.

use std::marker::PhantomData;
use std::ops::Range;

/// A slice that is handed out in parts.
pub(super) struct Parts<'a, T> {
    data: *mut T,
    len: usize,
    lifetime: PhantomData<&'a mut [T]>,
}

// SAFETY: what is shared is the right to take parts, and parts do not overlap.
unsafe impl<T: Send> Sync for Parts<'_, T> {}

impl<'a, T> Parts<'a, T> {
    pub(super) fn new(data: &'a mut [T]) -> Self {
        Self {
            data: data.as_mut_ptr(),
            len: data.len(),
            lifetime: PhantomData,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The numbers of `range`.
    ///
    /// # Panics
    /// When it goes beyond the end.
    ///
    /// # Safety
    /// - No two parts that are alive at once overlap.
    #[allow(
        clippy::mut_from_ref,
        reason = "parts are apart, which is the caller's to see to"
    )]
    pub(super) unsafe fn part(&self, range: Range<usize>) -> &'a mut [T] {
        assert!(
            range.start <= range.end && range.end <= self.len,
            "{range:?} of {}",
            self.len
        );
        // SAFETY: the range lies in the slice, which is borrowed mutably for `'a`; no other
        // part overlaps.
        unsafe { std::slice::from_raw_parts_mut(self.data.add(range.start), range.len()) }
    }
}
