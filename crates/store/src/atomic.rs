//! Files that are there whole or not at all.

use crate::fs::folder_of;
use crate::{Fs, FsFile, Kind, StoreError};
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How the names of temporary files begin and end.
const TEMP: (&str, &str) = (".tmp-", ".inception");

/// Bytes that one call writes, where there are as many.
const PIECE: usize = 1 << 20;

/// How often one operation is tried that reports "again", a millisecond apart.
const MAX_TRIES: u32 = 1_000;

/// What a file is to hold, told piece by piece, so that it need not lie in memory at once.
pub trait Content {
    /// How many bytes there are.
    fn bytes(&self) -> u64;

    /// Hands all bytes to `sink`, in order.
    ///
    /// # Errors
    /// Those of `sink`, which end it.
    fn pieces(&self, sink: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()>;
}

impl Content for &[u8] {
    fn bytes(&self) -> u64 {
        self.len() as u64
    }

    fn pieces(&self, sink: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        sink(self)
    }
}

/// Writes `bytes` to `path` so that a crash at any moment leaves the old file or the new
/// one, whole; when this returns, the new one survives a loss of power.
///
/// The bytes go to a temporary file in the same folder, which is made durable, then takes
/// the name, and then the folder is made durable. On an error before the rename the old
/// file is as it was and the temporary file is removed; after a kill it stays, and
/// [`clean_temps`] removes it.
///
/// # Errors
/// [`StoreError::Target`] where `path` is a symbolic link, a folder or a device;
/// [`StoreError::Io`] where the file system refuses. No operation is tried again after an
/// error other than an interruption: after a failed sync the kernel may take lost pages for
/// written ones. After an error of the last sync the new file is in place, but may not
/// survive a loss of power.
///
/// # Sources
/// Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014; Rebello et al.,
/// "Can Applications Recover from fsync Failures?", USENIX ATC 2020.
///
/// # Examples
/// ```
/// use inception_store::{RealFs, write_atomic};
///
/// let dir = tempfile::tempdir()?;
/// let path = dir.path().join("notes.txt");
/// write_atomic(&RealFs, &path, b"first")?;
/// write_atomic(&RealFs, &path, b"second")?;
/// assert_eq!(std::fs::read(&path)?, b"second");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_atomic(fs: &dyn Fs, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    write_atomic_from(fs, path, &bytes)
}

/// As [`write_atomic`], of content that comes piece by piece.
///
/// # Errors
/// As [`write_atomic`].
pub fn write_atomic_from(
    fs: &dyn Fs,
    path: &Path,
    content: &dyn Content,
) -> Result<(), StoreError> {
    let folder = folder_of(path);
    let fail = |action: &'static str, source: io::Error| StoreError::Io {
        action,
        path: path.to_path_buf(),
        needed: Some(content.bytes()),
        source,
    };
    check_target(fs, path)?;
    let (temp, mut file) =
        create_temp(fs, &folder).map_err(|e| fail("create a temporary file beside it", e))?;
    let discard = |error: StoreError| {
        // The first error is the one to report; `clean_temps` gets what is left.
        let _ = fs.remove(&temp);
        error
    };
    write_pieces(file.as_mut(), content)
        .map_err(|e| discard(fail("write the temporary file beside it", e)))?;
    again(|| file.sync())
        .map_err(|e| discard(fail("make durable the temporary file beside it", e)))?;
    drop(file);
    rename(fs, &temp, path).map_err(|e| discard(fail("rename the temporary file to it", e)))?;
    again(|| fs.sync_dir(&folder)).map_err(|e| fail("make durable the folder of it", e))
}

/// Removes the temporary files that killed processes left in the folder `dir`; returns how
/// many.
///
/// Only who alone writes in the folder may call this, for instance the holder of a
/// [`RunLock`](crate::RunLock).
///
/// # Errors
/// [`StoreError::Io`] where the file system refuses.
pub fn clean_temps(fs: &dyn Fs, dir: &Path) -> Result<usize, StoreError> {
    let names = again(|| fs.list(dir)).map_err(|e| StoreError::io("list", dir, e))?;
    let mut removed = 0;
    for name in names.iter().filter(|name| is_temp(name)) {
        let path = dir.join(name);
        match again(|| fs.remove(&path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::io("remove", &path, error));
            }
            _ => removed += 1,
        }
    }
    Ok(removed)
}

fn is_temp(name: &OsStr) -> bool {
    name.to_str()
        .and_then(|name| name.strip_prefix(TEMP.0)?.strip_suffix(TEMP.1))
        .is_some_and(|id| id.bytes().all(|b| b.is_ascii_digit() || b == b'-'))
}

fn check_target(fs: &dyn Fs, path: &Path) -> Result<(), StoreError> {
    let refuse = |found| {
        Err(StoreError::Target {
            path: path.to_path_buf(),
            found,
        })
    };
    if path.file_name().is_none() {
        return refuse("a path without a file name");
    }
    match again(|| fs.kind(path)).map_err(|e| StoreError::io("look at", path, e))? {
        None | Some(Kind::File) => Ok(()),
        Some(Kind::Symlink) => refuse("a symbolic link"),
        Some(Kind::Dir) => refuse("a folder"),
        Some(Kind::Special) => refuse("a special file"),
    }
}

/// Creates a file of a new name in `folder`.
///
/// The name does not depend on the target's, which may be as long as a name can be.
fn create_temp(fs: &dyn Fs, folder: &Path) -> io::Result<(PathBuf, Box<dyn FsFile>)> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let process = std::process::id();
    let mut tries = 0;
    loop {
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("{}{process}-{n}{}", TEMP.0, TEMP.1));
        match fs.create_excl(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) => retry(
                &error,
                error.kind() == io::ErrorKind::AlreadyExists,
                &mut tries,
            )
            .then_some(())
            .ok_or(error)?,
        }
    }
}

/// Writes small pieces together.
fn write_pieces(file: &mut dyn FsFile, content: &dyn Content) -> io::Result<()> {
    let mut waiting = Vec::new();
    content.pieces(&mut |piece| {
        if waiting.len() + piece.len() > PIECE {
            write_all(file, &waiting)?;
            waiting.clear();
        }
        if piece.len() > PIECE {
            return write_all(file, piece);
        }
        waiting.extend_from_slice(piece);
        Ok(())
    })?;
    write_all(file, &waiting)
}

fn write_all(file: &mut dyn FsFile, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match again(|| file.write(bytes))? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            n => bytes = &bytes[n..],
        }
    }
    Ok(())
}

/// Renames, and finds out whether an interrupted rename took place.
fn rename(fs: &dyn Fs, from: &Path, to: &Path) -> io::Result<()> {
    let mut tries = 0;
    loop {
        match fs.rename(from, to) {
            Ok(()) => return Ok(()),
            Err(error) if !retry(&error, false, &mut tries) => return Err(error),
            Err(_) if again(|| fs.kind(from))?.is_none() => return Ok(()),
            Err(_) => {}
        }
    }
}

/// Runs an operation until it is neither interrupted nor asked to come again.
fn again<T>(mut operation: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut tries = 0;
    loop {
        match operation() {
            Err(error) if retry(&error, false, &mut tries) => {}
            done => return done,
        }
    }
}

/// Whether to try once more after `error`; waits where the error asks to.
fn retry(error: &io::Error, also: bool, tries: &mut u32) -> bool {
    *tries += 1;
    if *tries >= MAX_TRIES {
        return false;
    }
    match error.kind() {
        io::ErrorKind::Interrupted => true,
        io::ErrorKind::WouldBlock => {
            std::thread::sleep(Duration::from_millis(1));
            true
        }
        _ => also,
    }
}
