//! The entries of a tar archive, found without reading their contents.

use super::ArchiveLimits;
use super::file::Window;
use super::header::{BLOCK, Header, Kind};
use crate::{DataError, escape};
use std::ffi::OsStr;
use std::fs::File;
use std::ops::Range;
use std::path::Path;

/// The longest name, and the longest block of PAX records, in bytes.
const MAX_NAME: u64 = 4096;
const MAX_RECORDS: u64 = 1 << 20;

/// A regular file in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its name's bytes without `./`: a key, never a path on this machine.
    pub(crate) name: Vec<u8>,
    /// Where its content begins in the file.
    pub(crate) start: u64,
    /// Bytes of content.
    pub(crate) size: u64,
}

/// What [`Walk::next`] found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A file.
    File(Entry),
    /// A link, device or pipe of that name, which is left out.
    Special(Vec<u8>),
    /// The end, as the format wants it.
    End,
    /// The end of the file, without the two empty blocks.
    EndWithoutMark,
}

/// Goes from header to header through an archive, or through one that lies in a part of a
/// file. Nothing is ever written.
pub(crate) struct Walk<'a> {
    window: Window<'a>,
    path: &'a Path,
    limits: &'a ArchiveLimits,
    at: u64,
    end: u64,
    entries: u64,
    /// For all entries: PAX's global records.
    global: Extension,
    last: Vec<u8>,
}

/// A header's member, by what it says and what stands before it.
struct Member {
    kind: Kind,
    start: u64,
    size: u64,
}

/// What stands before a header and overrides it.
#[derive(Clone, Debug, Default)]
struct Extension {
    name: Option<Vec<u8>>,
    size: Option<u64>,
}

impl<'a> Walk<'a> {
    /// A walk through all of `file`, which lies at `path`.
    pub(crate) fn new(
        file: &'a File,
        path: &'a Path,
        limits: &'a ArchiveLimits,
    ) -> Result<Self, DataError> {
        Ok(Self::over(Window::file(file, path)?, path, limits))
    }

    /// A walk through `bytes`, which were read from `path`.
    pub(crate) fn in_memory(bytes: &'a [u8], path: &'a Path, limits: &'a ArchiveLimits) -> Self {
        Self::over(Window::memory(bytes, path), path, limits)
    }

    fn over(window: Window<'a>, path: &'a Path, limits: &'a ArchiveLimits) -> Self {
        Self {
            end: window.len(),
            window,
            path,
            limits,
            at: 0,
            entries: 0,
            global: Extension::default(),
            last: Vec::new(),
        }
    }

    /// The same for the archive that is the content of an entry.
    pub(crate) fn within(mut self, part: Range<u64>) -> Self {
        self.at = part.start;
        self.end = part.end.min(self.window.len());
        self
    }

    /// The next file, or the end.
    ///
    /// # Errors
    /// When a header is damaged or cut short, or a limit is reached.
    pub(crate) fn next(&mut self) -> Result<Found, DataError> {
        let mut local = self.global.clone();
        let mut pending = false;
        while let Some(header) = self.header(pending)? {
            let member = self.enter(header, &local)?;
            let Member { kind, start, size } = member;
            pending = matches!(kind, Kind::Pax | Kind::LongName | Kind::LongLink);
            match kind {
                Kind::Pax => self.pax(start, size, &mut local)?,
                Kind::PaxGlobal => {
                    let mut global = self.global.clone();
                    self.pax(start, size, &mut global)?;
                    self.global = global;
                }
                Kind::LongName => {
                    let bytes = self.window.bytes(start, size as usize)?;
                    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
                    local.name = Some(bytes[..end].to_vec());
                }
                Kind::LongLink => {}
                Kind::Sparse => return Err(self.sparse(start - BLOCK as u64)),
                Kind::HardLink | Kind::Special => return Ok(Found::Special(self.last.clone())),
                Kind::Regular => {
                    let name = self.last.strip_prefix(b"./").unwrap_or(&self.last).to_vec();
                    return Ok(Found::File(Entry { name, start, size }));
                }
                Kind::Directory => {}
            }
            if !pending {
                local = self.global.clone();
            }
        }
        let marked = self.at < self.end;
        Ok(if marked {
            Found::End
        } else {
            Found::EndWithoutMark
        })
    }

    /// Counts and checks the member whose header was just read, and moves behind its content.
    fn enter(&mut self, header: Header, local: &Extension) -> Result<Member, DataError> {
        let at = self.at;
        let start = at + BLOCK as u64;
        self.entries += 1;
        if self.entries > self.limits.entries {
            let limit = self.limits.entries;
            return Err(self.limit(format!("more than {limit} entries, at byte {at}")));
        }
        let size = match header.kind {
            Kind::HardLink => 0,
            kind if kind.is_extension() => header.size,
            _ => local.size.unwrap_or(header.size),
        };
        if !header.kind.is_extension() {
            self.last = local.name.clone().unwrap_or(header.name);
        }
        let kind = header.kind;
        self.check_content(kind, size, start)?;
        self.at = (start + size).next_multiple_of(BLOCK as u64);
        Ok(Member { kind, start, size })
    }

    /// The header at the current place, or `None` at the end. After an extension, which is
    /// `pending`, there must be one.
    fn header(&mut self, pending: bool) -> Result<Option<Header>, DataError> {
        let left = self.end.saturating_sub(self.at);
        if left == 0 && !pending {
            return Ok(None);
        }
        if left < BLOCK as u64 {
            return Err(self.malformed(format!(
                "truncated: a header needs {BLOCK} bytes at byte {}, {left} are left{}",
                self.at,
                self.after()
            )));
        }
        let block = self.block(self.at)?;
        if block.iter().any(|&b| b != 0) {
            let header = Header::parse(&block);
            return header.map(Some).map_err(|message| {
                let (at, after) = (self.at, self.after());
                self.malformed(format!("header at byte {at}: {message}{after}"))
            });
        }
        if pending {
            let message = format!("the archive ends at byte {} after an extension", self.at);
            return Err(self.malformed(message));
        }
        // Two empty blocks are the end; a single one at the end of the file is one too few.
        let next = self.at + BLOCK as u64;
        if next + BLOCK as u64 > self.end {
            self.at = self.end;
        } else if self.block(next)?.iter().any(|&b| b != 0) {
            let message = format!("an empty block at byte {} is followed by data", self.at);
            return Err(self.malformed(message));
        }
        Ok(None)
    }

    fn block(&mut self, at: u64) -> Result<[u8; BLOCK], DataError> {
        let bytes = self.window.bytes(at, BLOCK)?;
        Ok(bytes.try_into().expect("a block was asked for"))
    }

    /// Checks that an entry's content is allowed and there.
    fn check_content(&self, kind: Kind, size: u64, start: u64) -> Result<(), DataError> {
        let header_at = start - BLOCK as u64;
        let (limit, what) = match kind {
            Kind::Pax | Kind::PaxGlobal => (MAX_RECORDS, "extension"),
            Kind::LongName | Kind::LongLink => (MAX_NAME, "name"),
            _ if self.last.ends_with(b".tar") => (self.limits.archive_bytes, "archive"),
            _ => (self.limits.entry_bytes, "entry"),
        };
        let shown = shown(&self.last);
        if size > limit {
            return Err(self.limit(format!(
                "{shown} at byte {header_at}: the {what} has {size} bytes, {limit} are allowed"
            )));
        }
        if self.last.len() as u64 > MAX_NAME {
            let message = format!("the name at byte {header_at} is longer than {MAX_NAME} bytes");
            return Err(self.limit(message));
        }
        let left = self.end.saturating_sub(start);
        if size > left {
            return Err(self.malformed(format!(
                "truncated: {shown} at byte {header_at} needs {size} bytes, {left} are left"
            )));
        }
        Ok(())
    }

    /// Reads PAX records, `LENGTH KEY=VALUE\n` each.
    fn pax(&mut self, start: u64, size: u64, into: &mut Extension) -> Result<(), DataError> {
        let bytes = self.window.bytes(start, size as usize)?.to_vec();
        let mut rest = &bytes[..];
        while !rest.is_empty() && rest[0] != 0 {
            let at = start + (bytes.len() - rest.len()) as u64;
            let Some(record) = Record::split(rest) else {
                return Err(self.malformed(format!("damaged PAX record at byte {at}")));
            };
            match record.key {
                b"size" => {
                    let size = std::str::from_utf8(record.value).ok();
                    let size = size.and_then(|s| s.parse().ok()).ok_or_else(|| {
                        let found = record.value.escape_ascii();
                        self.malformed(format!("PAX record at byte {at}: the size is {found}"))
                    })?;
                    into.size = Some(size);
                }
                b"path" => into.name = Some(record.value.to_vec()),
                key if key.starts_with(b"GNU.sparse") => return Err(self.sparse(at)),
                _ => {}
            }
            rest = record.rest;
        }
        Ok(())
    }

    /// The content of a small entry.
    pub(crate) fn content(&mut self, entry: &Entry) -> Result<&[u8], DataError> {
        self.window.bytes(entry.start, entry.size as usize)
    }

    fn after(&self) -> String {
        if self.last.is_empty() {
            return String::new();
        }
        format!(", after {}", shown(&self.last))
    }

    fn sparse(&self, at: u64) -> DataError {
        self.malformed(format!(
            "{} at byte {at}: files with holes are not supported",
            shown(&self.last)
        ))
    }

    fn malformed(&self, message: String) -> DataError {
        DataError::malformed(self.path, message)
    }

    fn limit(&self, message: String) -> DataError {
        DataError::limit(self.path, message)
    }
}

/// A PAX record and what follows it.
struct Record<'a> {
    key: &'a [u8],
    value: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Record<'a> {
    fn split(bytes: &'a [u8]) -> Option<Self> {
        let space = bytes.iter().take(20).position(|&b| b == b' ')?;
        let length: usize = std::str::from_utf8(&bytes[..space]).ok()?.parse().ok()?;
        let record = bytes.get(space + 1..length)?;
        let (b'\n', pair) = record.split_last()? else {
            return None;
        };
        let equals = pair.iter().position(|&b| b == b'=')?;
        Some(Self {
            key: &pair[..equals],
            value: &pair[equals + 1..],
            rest: &bytes[length..],
        })
    }
}

/// A name from an archive, safe to print.
pub(crate) fn shown(name: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(name) {
        return escape(OsStr::new(text));
    }
    name.escape_ascii().to_string()
}
