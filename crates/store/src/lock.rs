//! One process at a time in a folder.

use crate::StoreError;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The file in the folder that the lock is taken on.
const NAME: &str = ".inception.lock";

/// The right to write in a folder, until it is dropped or the process ends.
///
/// The lock is the operating system's on a file of the folder: whatever ends the process
/// frees it, so none is ever stale. The file stays; it holds the number of the process
/// while there is one.
///
/// # Examples
/// ```
/// use inception_store::{RunLock, StoreError};
///
/// let dir = tempfile::tempdir()?;
/// let lock = RunLock::acquire(dir.path())?;
/// let second = RunLock::acquire(dir.path()).unwrap_err();
/// assert!(matches!(second, StoreError::Locked { pid, .. } if pid == Some(std::process::id())));
/// drop(lock);
/// RunLock::acquire(dir.path())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RunLock {
    file: File,
    folder: PathBuf,
}

impl RunLock {
    /// Takes the lock of the folder `dir`, which exists.
    ///
    /// # Errors
    /// [`StoreError::Locked`] where another holds it, [`StoreError::Target`] where the
    /// lock's file is a link or no regular file, [`StoreError::Io`] where the operating
    /// system refuses.
    pub fn acquire(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(NAME);
        let io = |action| {
            let path = path.clone();
            move |source| StoreError::io(action, &path, source)
        };
        loop {
            let mut file = open(&path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(locked(dir, &mut file)),
                Err(TryLockError::Error(error)) => return Err(io("lock")(error)),
            }
            // The file may have been removed since it was opened; then it locks nothing.
            if !same_file(&path, &file) {
                continue;
            }
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            let now = now.map_or(0, |t| t.as_secs());
            file.set_len(0).map_err(io("empty"))?;
            file.write_all(format!("{} {now}\n", std::process::id()).as_bytes())
                .map_err(io("write"))?;
            let folder = dir.to_path_buf();
            return Ok(Self { file, folder });
        }
    }

    /// The folder that is locked.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        // Closing the file frees the lock whether or not the text could be removed.
        let _ = self.file.set_len(0);
    }
}

fn open(path: &Path) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    match options.clone().create_new(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        other => return other.map_err(|e| StoreError::io("create", path, e)),
    }
    let found = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => None,
        Ok(metadata) if metadata.is_symlink() => Some("a symbolic link"),
        Ok(_) => Some("no regular file"),
        Err(error) => return Err(StoreError::io("look at", path, error)),
    };
    if let Some(found) = found {
        let path = path.to_path_buf();
        return Err(StoreError::Target { path, found });
    }
    options
        .open(path)
        .map_err(|e| StoreError::io("open", path, e))
}

/// Whether `path` names `file` itself: not a link to it, nor another file.
#[cfg(unix)]
fn same_file(path: &Path, file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (fs::symlink_metadata(path), file.metadata()) {
        (Ok(a), Ok(b)) => a.is_file() && (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

/// Where files have no numbers, an open one cannot be removed either.
#[cfg(not(unix))]
fn same_file(_path: &Path, _file: &File) -> bool {
    true
}

fn locked(dir: &Path, file: &mut File) -> StoreError {
    let mut text = String::new();
    // Who holds the lock is good to know, not needed.
    let _ = file
        .rewind()
        .and_then(|()| file.take(64).read_to_string(&mut text));
    let mut words = text.split_ascii_whitespace();
    let pid = words.next().and_then(|w| w.parse().ok());
    let seconds: Option<u64> = words.next().and_then(|w| w.parse().ok());
    let since = seconds.and_then(|s| UNIX_EPOCH.checked_add(Duration::from_secs(s)));
    StoreError::Locked {
        path: dir.to_path_buf(),
        pid,
        since,
    }
}
