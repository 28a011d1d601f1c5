//! Tensors that lie in a file beside the model.
//!
//! A model may name any path; only a regular file with one name, in the model's own folder
//! or below it and reached without a link, is opened.

use crate::error::{Flaw, quoted};
use inception_store::StoreError;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

/// Reads `len` bytes from the place that `entries` describe.
pub(super) fn read(entries: &[(&str, &str)], len: usize, folder: &Path) -> Result<Vec<u8>, Flaw> {
    let (mut location, mut offset, mut length) = (None, 0, None);
    for &(key, text) in entries {
        let number = || -> Result<u64, Flaw> {
            let found = format!("{} {}", quoted(key), quoted(text));
            text.parse()
                .map_err(|_| Flaw::new("a number of bytes", found))
        };
        match key {
            "location" => location = Some(text),
            "offset" => offset = number()?,
            "length" => length = Some(number()?),
            "checksum" => {}
            _ => {
                let expected = "location, offset, length or checksum of external data";
                return Err(Flaw::new(expected, format!("key {}", quoted(key))));
            }
        }
    }
    let Some(location) = location else {
        return Err(Flaw::new("the location of external data", "none"));
    };
    let wanted = len as u64;
    if length.is_some_and(|length| length != wanted) {
        let found = format!("length {}", length.unwrap_or_default());
        return Err(Flaw::new(format!("{wanted} bytes of external data"), found));
    }
    let (mut file, size) = open(location, folder)?;
    if offset.checked_add(wanted).is_none_or(|end| end > size) {
        let found = format!("{wanted} bytes from byte {offset}");
        let expected = format!("data inside the {size} bytes of {}", quoted(location));
        return Err(Flaw::new(expected, found));
    }
    let failed = |action, source| io_error(action, folder.join(location), source);
    let mut bytes = Vec::new();
    if bytes.try_reserve_exact(len).is_err() {
        return Err(Flaw::limit("memory of this machine", 0, wanted));
    }
    file.seek(SeekFrom::Start(offset))
        .map_err(|e| failed("read", e))?;
    let read = file.take(wanted).read_to_end(&mut bytes);
    match read.map_err(|e| failed("read", e))? {
        n if n == len => Ok(bytes),
        n => Err(Flaw::new(
            format!("{len} bytes of external data"),
            n.to_string(),
        )),
    }
}

fn io_error(action: &'static str, path: PathBuf, source: io::Error) -> Flaw {
    Flaw::Store(StoreError::Io {
        action,
        path,
        needed: None,
        source,
    })
}

/// Opens a file of the model's folder; returns its length as well.
fn open(location: &str, folder: &Path) -> Result<(File, u64), Flaw> {
    let outside = |why: &str| {
        let expected = "external data in a plain file inside the model's directory";
        Err(Flaw::new(expected, format!("{}, {why}", quoted(location))))
    };
    let relative = Path::new(location);
    let plain = relative
        .components()
        .all(|c| matches!(c, Component::Normal(_)));
    if location.is_empty() || location.contains(['\\', '\0']) || !plain {
        return outside("outside the model's directory");
    }
    let mut path = folder.to_path_buf();
    let mut parts = relative.components().peekable();
    let mut seen = None;
    while let Some(part) = parts.next() {
        path.push(part);
        let found = fs::symlink_metadata(&path).map_err(|e| io_error("open", path.clone(), e))?;
        let kind = found.file_type();
        if kind.is_symlink() {
            return outside("which is a link");
        }
        let fits = match parts.peek() {
            Some(_) => kind.is_dir(),
            None => kind.is_file(),
        };
        if !fits {
            return outside("which is no regular file");
        }
        seen = Some(found);
    }
    let failed = |e| io_error("open", path.clone(), e);
    if seen.as_ref().is_some_and(|found| links(found) > 1) {
        return outside("which has several names (hard links)");
    }
    let file = File::open(&path).map_err(failed)?;
    let now = file.metadata().map_err(failed)?;
    if !seen.is_some_and(|found| same(&found, &now)) {
        return outside("which changes while it is opened");
    }
    Ok((file, now.len()))
}

#[cfg(unix)]
fn links(found: &Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    found.nlink()
}

#[cfg(unix)]
fn same(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    a.dev() == b.dev() && a.ino() == b.ino() && b.is_file()
}

#[cfg(not(unix))]
fn links(_: &Metadata) -> u64 {
    1
}

#[cfg(not(unix))]
fn same(a: &Metadata, b: &Metadata) -> bool {
    a.len() == b.len() && b.is_file()
}
