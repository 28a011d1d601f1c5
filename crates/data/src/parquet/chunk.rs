//! Pieces of a file, read at their places and within limits.

use crate::archive::{open_regular, read_exact_at};
use crate::decode::panic_message;
use crate::{DataError, escape};
use ::parquet::errors::{ParquetError, Result as ParquetResult};
use ::parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use ::parquet::file::reader::{ChunkReader, Length};
use bytes::Bytes;
use std::fs::File;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// The most bytes of the description at a file's end.
const MAX_FOOTER: u32 = 64 << 20;
/// The most bytes of a page when it is unpacked.
const MAX_PAGE: i64 = 256 << 20;
/// Bytes of a page's header that are fetched at once.
const AHEAD: usize = 512;
/// The mark at both ends of a file.
const MAGIC: &[u8; 4] = b"PAR1";

/// An open file.
pub(super) struct Chunks {
    file: Arc<File>,
    size: u64,
    /// What a page claims that is larger than allowed.
    oversized: Arc<OnceLock<i64>>,
}

impl Chunks {
    pub(super) fn open(path: &Path) -> Result<Self, DataError> {
        let file = open_regular(path)?;
        let size = file.metadata().map_err(|e| DataError::io(path, e))?.len();
        Ok(Self {
            file: Arc::new(file),
            size,
            oversized: Arc::default(),
        })
    }

    /// Bytes of the file.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// What the file says about itself at its end.
    pub(super) fn metadata(&self, path: &Path) -> Result<ParquetMetaData, DataError> {
        let malformed = |message: String| DataError::malformed(path, message);
        let mut tail = [0; 8];
        if self.size < 12 {
            let size = self.size;
            return Err(malformed(format!(
                "no parquet file: it has {size} bytes, the shortest has 12"
            )));
        }
        let at = self.size - 8;
        read_exact_at(&self.file, &mut tail, at).map_err(|e| DataError::io(path, e))?;
        let [a, b, c, d, magic @ ..] = tail;
        if magic != *MAGIC {
            return Err(malformed(format!(
                "no parquet file, or cut short: byte {} is followed by {magic:02x?}, expected PAR1",
                at + 4
            )));
        }
        let length = u32::from_le_bytes([a, b, c, d]);
        if length > MAX_FOOTER {
            let message =
                format!("its description claims {length} bytes, {MAX_FOOTER} are allowed");
            return Err(DataError::limit(path, message));
        }
        let (length, room) = (u64::from(length), self.size - 12);
        if length > room {
            return Err(malformed(format!(
                "its description claims {length} bytes, {room} are left for it"
            )));
        }
        let mut description = vec![0; length as usize];
        read_exact_at(&self.file, &mut description, at - length)
            .map_err(|e| DataError::io(path, e))?;
        guarded(|| ParquetMetaDataReader::decode_metadata(&description))
            .map_err(|error| malformed(format!("its description: {}", text(&error))))
    }

    /// What went wrong at `place` in the file at `path`.
    pub(super) fn failure(&self, path: &Path, place: &str, error: &ParquetError) -> DataError {
        match self.oversized.get() {
            Some(claimed) => {
                let message =
                    format!("{place}: a page claims {claimed} bytes, {MAX_PAGE} are allowed");
                DataError::limit(path, message)
            }
            None => DataError::malformed(path, format!("{place}: {}", text(error))),
        }
    }
}

/// An error's text, which may hold names out of the file.
fn text(error: &ParquetError) -> String {
    escape(error.to_string().as_ref())
}

/// Runs `read`; a panic of the reader becomes an error.
pub(super) fn guarded<T>(read: impl FnOnce() -> ParquetResult<T>) -> ParquetResult<T> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|panic| {
        let message = panic_message(panic.as_ref());
        Err(ParquetError::General(format!(
            "the reader failed unexpectedly: {message}"
        )))
    })
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.size
    }
}

impl ChunkReader for Chunks {
    type T = Header;

    fn get_read(&self, start: u64) -> ParquetResult<Header> {
        Ok(Header {
            file: self.file.clone(),
            size: self.size,
            next: start,
            piece: Vec::new(),
            used: 0,
            oversized: self.oversized.clone(),
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let end = start.checked_add(length as u64);
        if end.is_none_or(|end| end > self.size) {
            return Err(ParquetError::EOF(format!(
                "{length} bytes at byte {start}, but the file has {}",
                self.size
            )));
        }
        let mut bytes = vec![0; length];
        read_exact_at(&self.file, &mut bytes, start)?;
        Ok(bytes.into())
    }
}

/// A page's header, read from its first byte. The size that the page claims is checked before
/// anybody allocates it.
pub(super) struct Header {
    file: Arc<File>,
    size: u64,
    next: u64,
    piece: Vec<u8>,
    used: usize,
    oversized: Arc<OnceLock<i64>>,
}

impl Header {
    fn fetch(&mut self) -> std::io::Result<()> {
        let left = self.size.saturating_sub(self.next);
        let is_first = self.piece.is_empty();
        self.piece.resize(left.min(AHEAD as u64) as usize, 0);
        self.used = 0;
        read_exact_at(&self.file, &mut self.piece, self.next)?;
        self.next += self.piece.len() as u64;
        if !is_first || self.piece.is_empty() {
            return Ok(());
        }
        let claimed = unpacked_size(&self.piece).ok_or_else(|| {
            std::io::Error::other("a page begins with its kind and its size, found others")
        })?;
        if claimed > MAX_PAGE {
            let _ = self.oversized.set(claimed);
            return Err(std::io::Error::other("a page is too large"));
        }
        Ok(())
    }
}

impl Read for Header {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.used == self.piece.len() {
            self.fetch()?;
        }
        let count = buffer.len().min(self.piece.len() - self.used);
        buffer[..count].copy_from_slice(&self.piece[self.used..self.used + count]);
        self.used += count;
        Ok(count)
    }
}

/// The size of a page when it is unpacked: the second number of its header, in Thrift's
/// compact form.
fn unpacked_size(header: &[u8]) -> Option<i64> {
    /// The next field, of 32 bits.
    const NEXT_I32: u8 = 0x15;
    let mut rest = header;
    let mut number = 0;
    for _ in 0..2 {
        rest = rest.strip_prefix(&[NEXT_I32])?;
        let length = rest.iter().position(|b| b & 0x80 == 0)? + 1;
        let (digits, after) = rest.split_at_checked(length).filter(|_| length <= 5)?;
        let folded = digits.iter().rev();
        let folded = folded.fold(0_i64, |sum, b| (sum << 7) | i64::from(b & 0x7F));
        number = (folded >> 1) ^ -(folded & 1);
        rest = after;
    }
    Some(number)
}
