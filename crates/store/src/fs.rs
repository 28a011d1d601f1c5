//! The file system as this crate sees it.

use crate::StoreError;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Dir,
    /// A symbolic link, wherever it leads.
    Symlink,
    /// A device, a FIFO or a socket.
    Special,
}

/// The operations of a file system that durable writing needs.
///
/// [`RealFs`] is the machine's. Tests put a simulation in its place that crashes at each
/// operation. Each method is one system call or few; retrying is the business of the
/// caller.
pub trait Fs: Send + Sync {
    /// What stands at `path`, without following a link; `None` where nothing does.
    fn kind(&self, path: &Path) -> io::Result<Option<Kind>>;

    /// Creates a file that did not exist, and follows no link.
    fn create_excl(&self, path: &Path) -> io::Result<Box<dyn FsFile>>;

    /// Gives the file `from` the name `to` in the same folder, in one step; a file that had
    /// this name is gone.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Makes the names in the folder `dir` durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Reads a regular file of at most `max` bytes; a longer one is
    /// [`io::ErrorKind::FileTooLarge`].
    fn read(&self, path: &Path, max: u64) -> io::Result<Vec<u8>>;

    /// The names in a folder, sorted.
    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>>;
}

/// A file that is being written, from its start.
pub trait FsFile {
    /// Appends some of `bytes`; returns how many.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Makes everything that was written durable.
    fn sync(&mut self) -> io::Result<()>;
}

/// The machine's file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealFs;

impl Fs for RealFs {
    fn kind(&self, path: &Path) -> io::Result<Option<Kind>> {
        let file_type = match fs::symlink_metadata(path) {
            Ok(metadata) => metadata.file_type(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(if file_type.is_symlink() {
            Kind::Symlink
        } else if file_type.is_dir() {
            Kind::Dir
        } else if file_type.is_file() {
            Kind::File
        } else {
            Kind::Special
        }))
    }

    fn create_excl(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        // O_CREAT | O_EXCL fails on a symbolic link, even on a dangling one.
        let file = OpenOptions::new().write(true).create_new(true).open(path)?;
        Ok(Box::new(RealFile(file)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        // Only Unix lets a folder be opened; elsewhere names are durable without this.
        if cfg!(unix) {
            File::open(dir)?.sync_all()?;
        }
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn read(&self, path: &Path, max: u64) -> io::Result<Vec<u8>> {
        let special = || io::Error::new(io::ErrorKind::InvalidInput, "not a regular file");
        // Before it is opened: opening a FIFO would wait for a writer.
        if !fs::metadata(path)?.is_file() {
            return Err(special());
        }
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(special());
        }
        if metadata.len() > max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(usize::try_from(metadata.len()).unwrap_or(usize::MAX))?;
        file.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(bytes)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        let mut names = fs::read_dir(dir)?
            .map(|entry| entry.map(|e| e.file_name()))
            .collect::<io::Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    }
}

struct RealFile(File);

impl FsFile for RealFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_all()
    }
}

/// Creates the folder `dir` and the missing folders above it, each durable before the next.
///
/// # Errors
/// [`StoreError::Io`] where the operating system refuses.
pub fn create_dir_durable(dir: &Path) -> Result<(), StoreError> {
    let mut missing: Vec<&Path> = Vec::new();
    let mut at = dir;
    while !at.as_os_str().is_empty() && !at.is_dir() {
        missing.push(at);
        match at.parent() {
            Some(parent) => at = parent,
            None => break,
        }
    }
    for dir in missing.into_iter().rev() {
        match fs::create_dir(dir) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => {}
            other => other.map_err(|e| StoreError::io("create the folder", dir, e))?,
        }
        let parent = folder_of(dir);
        RealFs
            .sync_dir(&parent)
            .map_err(|e| StoreError::io("make durable the folder", &parent, e))?;
    }
    Ok(())
}

/// The folder that `path` stands in.
pub(crate) fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}
