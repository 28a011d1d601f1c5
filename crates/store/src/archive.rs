//! An archive in memory, and how it is read.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic
)]

use crate::header::{self, Header, PREFIX, Record};
use crate::{Dtype, Excess, Fault, Limits, Rule, StoreError, seal};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Named arrays, held as the bytes of the file that they came from.
///
/// # Examples
/// ```
/// use inception_store::{ArchiveBuilder, Limits, parse};
/// use std::path::Path;
///
/// let mut builder = ArchiveBuilder::new();
/// builder.f32("fc.bias", &[2], vec![0.5, -1.0])?;
/// let archive = parse(builder.build()?, Path::new("memory"), &Limits::default())?;
/// assert_eq!(archive.names().collect::<Vec<_>>(), ["fc.bias"]);
/// assert_eq!(archive.to_f32("fc.bias")?, [0.5, -1.0]);
/// # Ok::<(), inception_store::StoreError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Archive {
    pub(crate) path: PathBuf,
    pub(crate) bytes: Vec<u8>,
    pub(crate) data_start: usize,
    pub(crate) tensors: BTreeMap<String, Record>,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) seals: BTreeMap<String, String>,
    warnings: Vec<String>,
}

/// One array of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The type of its elements.
    pub dtype: Dtype,
    /// Its extents; none for a scalar.
    pub shape: &'a [usize],
    /// Its elements, row-major and little-endian, at any alignment.
    pub bytes: &'a [u8],
}

impl Entry<'_> {
    /// How many elements it has.
    pub fn len(&self) -> usize {
        self.bytes.len().checked_div(self.dtype.size()).unwrap_or(0)
    }

    /// Whether it has none.
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// Reads the archive that `bytes` are; `path` says in errors where they came from.
///
/// Digests are not looked at: see [`Archive::verify`].
///
/// # Errors
/// [`StoreError::Malformed`] where a [`Rule`] is broken, [`StoreError::Limit`] above the
/// limits.
pub fn parse(bytes: Vec<u8>, path: &Path, limits: &Limits) -> Result<Archive, StoreError> {
    let total = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let header_len = header::header_len(&bytes, total, path, limits)?;
    let data_start = PREFIX.saturating_add(header_len);
    let data_len = data_len(total, header_len, path, limits)?;
    let text = bytes.get(PREFIX..data_start).unwrap_or_default();
    let header = header::scan(text, data_len, path, limits)?;
    Ok(Archive::new(path, bytes, data_start, header))
}

/// Reads the archive in the regular file at `path`, or at the end of a symbolic link.
///
/// The header is checked, against the file's size too, before the data are read. The file
/// is read and never mapped: another process that truncates it causes an error, not a
/// signal.
///
/// # Errors
/// As [`parse`], and [`StoreError::Io`] where the operating system refuses.
pub fn read_file(path: &Path, limits: &Limits) -> Result<Archive, StoreError> {
    let (file, total) = open_regular(path)?;
    load(file, total, path, limits)
}

/// Reads the whole of a regular file, at most `max_total_bytes` and a header's worth.
///
/// # Errors
/// As [`read_file`], but for the content, which is not looked at.
pub fn read_bytes(path: &Path, limits: &Limits) -> Result<Vec<u8>, StoreError> {
    let (mut file, total) = open_regular(path)?;
    let allowed = limits
        .max_total_bytes
        .saturating_add(limits.max_header_bytes);
    if total > allowed {
        return Err(StoreError::Limit(Box::new(Excess {
            file: path.to_path_buf(),
            limit: "max_total_bytes",
            item: None,
            allowed,
            found: total,
        })));
    }
    let mut bytes = Vec::new();
    append(&mut file, total, &mut bytes, total, path)?;
    Ok(bytes)
}

/// Reads the archive that `source` yields, `total` bytes by its own account.
fn load(
    mut source: impl Read,
    total: u64,
    path: &Path,
    limits: &Limits,
) -> Result<Archive, StoreError> {
    let mut bytes = Vec::new();
    append(&mut source, total.min(8), &mut bytes, total, path)?;
    let header_len = header::header_len(&bytes, total, path, limits)?;
    let data_len = data_len(total, header_len, path, limits)?;
    let header_bytes = u64::try_from(header_len).unwrap_or(u64::MAX);
    append(&mut source, header_bytes, &mut bytes, total, path)?;
    let text = bytes.get(PREFIX..).unwrap_or_default();
    let header = header::scan(text, data_len, path, limits)?;
    let data_start = bytes.len();
    append(&mut source, data_len, &mut bytes, total, path)?;
    let mut probe = Vec::new();
    match source.take(1).read_to_end(&mut probe) {
        Ok(0) => Ok(Archive::new(path, bytes, data_start, header)),
        Ok(_) => Err(changed(total, total, path)),
        Err(e) => Err(StoreError::io("read", path, e)),
    }
}

/// Appends the next `n` bytes of `source`, all of them.
fn append(
    source: &mut impl Read,
    n: u64,
    bytes: &mut Vec<u8>,
    total: u64,
    path: &Path,
) -> Result<(), StoreError> {
    let want = usize::try_from(n).unwrap_or(usize::MAX);
    if bytes.try_reserve_exact(want).is_err() {
        return Err(memory(path, n));
    }
    let read = source.take(n).read_to_end(bytes);
    let got = read.map_err(|e| StoreError::io("read", path, e))?;
    if got == want {
        return Ok(());
    }
    let end = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    Err(changed(end, total, path))
}

fn changed(offset: u64, total: u64, path: &Path) -> StoreError {
    StoreError::Malformed(Box::new(Fault {
        file: path.to_path_buf(),
        rule: Rule::StableFile,
        offset: Some(offset),
        item: None,
        expected: format!("{total} bytes, as when it was opened"),
        found: "a file whose length changes while it is read".to_owned(),
    }))
}

/// Opens `path` where it is a regular file; returns its length as well.
///
/// Anything else is refused before it is opened: opening a FIFO would wait for a writer.
pub(crate) fn open_regular(path: &Path) -> Result<(File, u64), StoreError> {
    let refuse = |kind: fs::FileType| {
        StoreError::Malformed(Box::new(Fault {
            file: path.to_path_buf(),
            rule: Rule::RegularFile,
            offset: None,
            item: None,
            expected: "a regular file".to_owned(),
            found: if kind.is_dir() {
                "a folder"
            } else {
                "a special file"
            }
            .to_owned(),
        }))
    };
    let io = |e: io::Error| StoreError::io("open", path, e);
    let kind = fs::metadata(path).map_err(io)?.file_type();
    if !kind.is_file() {
        return Err(refuse(kind));
    }
    let file = File::open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(refuse(metadata.file_type()));
    }
    Ok((file, metadata.len()))
}

fn data_len(
    total: u64,
    header_len: usize,
    path: &Path,
    limits: &Limits,
) -> Result<u64, StoreError> {
    let header_len = u64::try_from(header_len).unwrap_or(u64::MAX);
    let len = total.saturating_sub(8).saturating_sub(header_len);
    if len <= limits.max_total_bytes {
        return Ok(len);
    }
    Err(StoreError::Limit(Box::new(Excess {
        file: path.to_path_buf(),
        limit: "max_total_bytes",
        item: None,
        allowed: limits.max_total_bytes,
        found: len,
    })))
}

/// The error for `bytes` that this machine cannot give.
pub(crate) fn memory(path: &Path, bytes: u64) -> StoreError {
    StoreError::Limit(Box::new(Excess {
        file: path.to_path_buf(),
        limit: "memory of this machine",
        item: None,
        allowed: 0,
        found: bytes,
    }))
}

impl Archive {
    fn new(path: &Path, bytes: Vec<u8>, data_start: usize, header: Header) -> Self {
        let (seals, metadata) = header
            .metadata
            .into_iter()
            .partition(|(key, _)| seal::is_reserved(key));
        Self {
            path: path.to_path_buf(),
            bytes,
            data_start,
            tensors: header.tensors,
            metadata,
            seals,
            warnings: header.warnings,
        }
    }

    /// Where the archive came from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names of all tensors, sorted.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// How many tensors there are.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether there is no tensor.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// Whether there is a tensor of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// The tensor `name`.
    ///
    /// # Errors
    /// [`Rule::Present`] where there is none.
    pub fn tensor(&self, name: &str) -> Result<Entry<'_>, StoreError> {
        let Some(record) = self.tensors.get(name) else {
            let expected = "a tensor of this name".to_owned();
            let found = format!("{} others", self.len());
            return Err(self.fault(Rule::Present, name, expected, found));
        };
        Ok(self.entry(record))
    }

    /// All tensors with their names, sorted.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, Entry<'_>)> {
        self.tensors
            .iter()
            .map(|(name, record)| (name.as_str(), self.entry(record)))
    }

    /// The metadata, without the digests of a sealed file.
    pub const fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// What a strict reader would not accept but this one ignores: fields of a tensor that
    /// the format does not name. At most 20.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The whole file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn entry<'a>(&'a self, record: &'a Record) -> Entry<'a> {
        let data = self.bytes.get(self.data_start..).unwrap_or_default();
        Entry {
            dtype: record.dtype,
            shape: &record.shape,
            bytes: data.get(record.range.clone()).unwrap_or_default(),
        }
    }

    /// A fault of the tensor `name`, at its first byte where it exists.
    pub(crate) fn fault(
        &self,
        rule: Rule,
        name: &str,
        expected: String,
        found: String,
    ) -> StoreError {
        let place = self.tensors.get(name).map(|record| {
            let at = self.data_start.saturating_add(record.range.start);
            u64::try_from(at).unwrap_or(u64::MAX)
        });
        StoreError::Malformed(Box::new(Fault {
            file: self.path.clone(),
            rule,
            offset: place,
            item: Some(name.to_owned()),
            expected,
            found,
        }))
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests may overflow")]
mod tests {
    use super::*;
    use std::error::Error;

    #[test]
    fn a_file_that_grows_or_shrinks_while_it_is_read_is_refused() -> Result<(), StoreError> {
        let mut builder = crate::ArchiveBuilder::new();
        builder.u8("a", &[3], vec![1, 2, 3])?;
        let bytes = builder.build()?;
        let (path, limits) = (Path::new("x"), Limits::default());
        let total = u64::try_from(bytes.len()).unwrap_or_default();
        let rule = |source: &[u8]| {
            let error = load(source, total, path, &limits).map(drop).err();
            error.and_then(|e| e.rule())
        };
        assert_eq!(rule(&bytes), None);
        for len in 0..bytes.len() {
            let cut: Vec<u8> = bytes.iter().copied().take(len).collect();
            assert_eq!(rule(&cut), Some(Rule::StableFile), "{len} bytes");
        }
        let mut long = bytes;
        long.push(0);
        assert_eq!(rule(&long), Some(Rule::StableFile));
        Ok(())
    }

    #[test]
    fn a_file_that_is_replaced_while_it_is_read_is_read_whole() -> Result<(), Box<dyn Error>> {
        let archive = |value: u8| {
            let mut builder = crate::ArchiveBuilder::new();
            builder.u8("a", &[3], vec![value; 3])?;
            builder.build()
        };
        let folder = tempfile::tempdir()?;
        let (path, other) = (folder.path().join("x"), folder.path().join("y"));
        fs::write(&path, archive(1)?)?;
        fs::write(&other, archive(2)?)?;
        let (file, total) = open_regular(&path)?;
        fs::rename(&other, &path)?;
        let limits = Limits::default();
        let found = load(file, total, &path, &limits)?;
        assert_eq!(found.tensor("a")?.bytes, [1; 3]);
        assert_eq!(read_file(&path, &limits)?.tensor("a")?.bytes, [2; 3]);
        // Cut in place instead, the same is an error.
        let (file, total) = open_regular(&path)?;
        File::options().write(true).open(&path)?.set_len(9)?;
        let error = load(file, total, &path, &limits).map(drop).err();
        let rule = error.and_then(|e| e.rule());
        assert_eq!(rule, Some(Rule::StableFile));
        Ok(())
    }
}
