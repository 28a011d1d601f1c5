//! Files read at any place.

use crate::DataError;
use std::fs::File;
use std::path::Path;

/// Bytes that are fetched at once: a header with small contents and the next header.
const AHEAD: usize = 4096;

/// Opens `path`, which must be a regular file: opening a pipe would wait for ever.
pub(crate) fn open_regular(path: &Path) -> Result<File, DataError> {
    let io = |e| DataError::io(path, e);
    if !std::fs::metadata(path).map_err(io)?.is_file() {
        return Err(DataError::malformed(path, "not a regular file"));
    }
    File::open(path).map_err(io)
}

/// Fills `bytes` from `at` on.
#[cfg(unix)]
pub(crate) fn read_exact_at(file: &File, bytes: &mut [u8], at: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, at)
}

/// Fills `bytes` from `at` on.
#[cfg(not(unix))]
pub(crate) fn read_exact_at(mut file: &File, bytes: &mut [u8], at: u64) -> std::io::Result<()> {
    use std::io::{Read, Seek, SeekFrom};
    // Each reader has a handle of its own.
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(bytes)
}

/// Where bytes come from.
#[derive(Clone, Copy)]
enum Source<'a> {
    File(&'a File),
    Memory(&'a [u8]),
}

impl Source<'_> {
    fn read_exact_at(self, bytes: &mut [u8], at: u64) -> std::io::Result<()> {
        match self {
            Self::File(file) => read_exact_at(file, bytes, at),
            Self::Memory(whole) => {
                let found = whole.get(at as usize..).and_then(|b| b.get(..bytes.len()));
                bytes.copy_from_slice(found.ok_or(std::io::ErrorKind::UnexpectedEof)?);
                Ok(())
            }
        }
    }
}

/// A file of known length that remembers the last piece it read.
pub(super) struct Window<'a> {
    source: Source<'a>,
    path: &'a Path,
    len: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl<'a> Window<'a> {
    /// `file`, which lies at `path`.
    pub(super) fn file(file: &'a File, path: &'a Path) -> Result<Self, DataError> {
        let meta = file.metadata().map_err(|e| DataError::io(path, e))?;
        Ok(Self::new(Source::File(file), path, meta.len()))
    }

    /// `bytes`, which were read from `path`.
    pub(super) fn memory(bytes: &'a [u8], path: &'a Path) -> Self {
        Self::new(Source::Memory(bytes), path, bytes.len() as u64)
    }

    fn new(source: Source<'a>, path: &'a Path, len: u64) -> Self {
        Self {
            source,
            path,
            len,
            start: 0,
            bytes: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// The bytes `at..at + count`, which lie within the file.
    pub(super) fn bytes(&mut self, at: u64, count: usize) -> Result<&[u8], DataError> {
        let kept = self.start..self.start + self.bytes.len() as u64;
        if at < kept.start || at + count as u64 > kept.end {
            let left = self.len.saturating_sub(at);
            let take = left.min(count.max(AHEAD) as u64) as usize;
            self.bytes.resize(take.max(count), 0);
            self.start = at;
            if let Err(error) = self.source.read_exact_at(&mut self.bytes, at) {
                self.bytes.clear();
                return Err(DataError::io(self.path, error));
            }
        }
        let first = (at - self.start) as usize;
        Ok(&self.bytes[first..first + count])
    }
}
