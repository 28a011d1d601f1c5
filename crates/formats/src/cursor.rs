//! Bytes, taken one after another.

use crate::error::Flaw;

/// A place in a slice.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// The place of the next byte.
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    /// Everything up to here.
    pub(crate) fn seen(&self) -> &'a [u8] {
        self.bytes.get(..self.at).unwrap_or_default()
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// The next `n` bytes.
    pub(crate) fn take(&mut self, n: usize) -> Result<&'a [u8], Flaw> {
        let end = self.at.checked_add(n);
        match end.and_then(|end| Some((end, self.bytes.get(self.at..end)?))) {
            Some((end, taken)) => {
                self.at = end;
                Ok(taken)
            }
            None => {
                let left = self.bytes.len().saturating_sub(self.at);
                let found = format!("{left} before the end");
                Err(Flaw::new(format!("{n} more bytes"), found).at(self.at))
            }
        }
    }

    /// The bytes up to `end`, which is skipped.
    pub(crate) fn until(&mut self, end: u8) -> Result<&'a [u8], Flaw> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        match rest.iter().position(|&b| b == end) {
            Some(n) => {
                let taken = self.take(n)?;
                self.take(1)?;
                Ok(taken)
            }
            None => Err(Flaw::new(format!("a byte {end:#04x}"), "the end").at(self.at)),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Flaw> {
        let bytes = self.take(N)?;
        let whole = Flaw::new("a whole number", "a part of one");
        bytes.try_into().map_err(|_| whole)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Flaw> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Flaw> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Flaw> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Flaw> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A 32-bit length.
    pub(crate) fn length(&mut self) -> Result<usize, Flaw> {
        Ok(usize::try_from(self.u32()?).unwrap_or(usize::MAX))
    }
}
