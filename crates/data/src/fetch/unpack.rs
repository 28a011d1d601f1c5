//! The files of CIFAR's archive.

use super::sync_folder;
use crate::archive::{Found, Walk, shown};
use crate::decode::read_regular_file;
use crate::{ArchiveLimits, CifarKind, DataError, Split};
use std::io::{Read, Write};
use std::path::Path;

/// The most bytes of the unpacked archive.
const MAX: u64 = 512 << 20;

/// Writes the set's files from its archive in `dir` into the archive's folder, unless they
/// are there. Only these names are written, whatever else the archive holds.
pub(super) fn unpack(kind: CifarKind, dir: &Path) -> Result<(), DataError> {
    let folder = dir.join(kind.folder());
    let wanted: Vec<&str> = kind
        .files(Split::Train)
        .iter()
        .chain(kind.files(Split::Test))
        .copied()
        .chain(kind.lists().iter().copied())
        .collect();
    if wanted.iter().all(|name| folder.join(name).is_file()) {
        return Ok(());
    }
    let path = dir.join(kind.archive());
    let packed = read_regular_file(&path, MAX)?;
    let mut bytes = Vec::new();
    let mut gzip = flate2::read::GzDecoder::new(&packed[..]).take(MAX + 1);
    gzip.read_to_end(&mut bytes)
        .map_err(|e| DataError::malformed(&path, format!("damaged gzip data: {e}")))?;
    if bytes.len() as u64 > MAX {
        let message = format!("more than the {MAX} bytes allowed when unpacked");
        return Err(DataError::limit(&path, message));
    }
    std::fs::create_dir_all(&folder).map_err(|e| DataError::io(&folder, e))?;
    let limits = ArchiveLimits {
        entry_bytes: MAX,
        ..ArchiveLimits::default()
    };
    let mut missing = wanted.clone();
    let mut walk = Walk::in_memory(&bytes, &path, &limits);
    loop {
        match walk.next()? {
            Found::File(entry) => {
                let name = shown(&entry.name);
                let base = name.rsplit('/').next().unwrap_or(&name);
                if let Some(at) = missing.iter().position(|m| *m == base) {
                    write(&folder.join(missing.swap_remove(at)), walk.content(&entry)?)?;
                }
            }
            Found::Special(_) => {}
            Found::End | Found::EndWithoutMark => break,
        }
    }
    if !missing.is_empty() {
        let message = format!("the archive lacks {}", missing.join(", "));
        return Err(DataError::malformed(&path, message));
    }
    sync_folder(&folder)
}

/// Writes a file that is whole or not there.
fn write(path: &Path, bytes: &[u8]) -> Result<(), DataError> {
    let part = path.with_extension("part");
    let io = |e| DataError::io(&part, e);
    let mut file = std::fs::File::create(&part).map_err(io)?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(io)?;
    std::fs::rename(&part, path).map_err(|e| DataError::io(path, e))
}
