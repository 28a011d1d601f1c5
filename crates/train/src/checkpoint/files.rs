//! The files of checkpoints in a run's folder.
//!
//! A checkpoint is written whole and durably as `next.ckpt`; then `last.ckpt` becomes
//! `previous.ckpt` and `next.ckpt` becomes `last.ckpt`. Where more are kept, `previous.ckpt`
//! has become `previous-2.ckpt` before, and so on; the oldest is replaced by a rename, so
//! nothing is removed before something newer is durable. Whatever the moment at which the
//! machine stops, all but the oldest of the files, or the only one there ever was, are
//! whole, and the newest that is whole is the one to resume from.

use crate::TrainError;
use inception_store::{
    Archive, Content, Fs, Kind, Limits, StoreError, read_sealed, write_atomic_from,
};
use std::io;
use std::path::{Path, PathBuf};

/// The newest checkpoint.
pub(crate) const LAST: &str = "last.ckpt";
/// The one before.
pub(crate) const PREVIOUS: &str = "previous.ckpt";
/// A checkpoint on its way to become the newest.
pub(crate) const NEXT: &str = "next.ckpt";

/// The metadata key of the step, by which checkpoints are ordered.
pub(crate) const STEP: &str = "checkpoint.step";
/// The metadata key of how often the run went back, which counts before the step.
pub(super) const ROLLBACKS: &str = "checkpoint.rollbacks";
/// The metadata key of the version of the format.
pub(super) const VERSION: &str = "checkpoint.version";
/// The version that is written, and the newest that is read.
pub(super) const CURRENT: u64 = 1;

/// How often an interrupted rename is tried.
const TRIES: usize = 100;

/// The most checkpoints that are kept.
pub(crate) const MOST: u64 = 1000;

/// The name of the checkpoint that is so many older than the newest.
fn older(age: u64) -> String {
    match age {
        1 => PREVIOUS.to_owned(),
        _ => format!("previous-{age}.ckpt"),
    }
}

/// Makes `content` the newest checkpoint of `folder`, behind which the ones before stay, so
/// that there are `keep` at most; durable when it returns.
///
/// # Errors
/// When the file system refuses or a name is taken by a link or folder; the checkpoints that
/// were there are as they were, or the new one is there as well.
pub(crate) fn save(
    fs: &dyn Fs,
    folder: &Path,
    content: &dyn Content,
    keep: u64,
) -> Result<(), StoreError> {
    let path = |name: &str| folder.join(name);
    let has_last = exists(fs, &path(LAST))?;
    exists(fs, &path(PREVIOUS))?;
    write_atomic_from(fs, &path(NEXT), content)?;
    if has_last && keep > 1 {
        let mut free = 1;
        while free + 1 < keep && exists(fs, &path(&older(free)))? {
            free += 1;
        }
        for age in (1..free).rev() {
            rename(fs, &path(&older(age)), &path(&older(age + 1)))?;
        }
        rename(fs, &path(LAST), &path(PREVIOUS))?;
    }
    rename(fs, &path(NEXT), &path(LAST))?;
    let sync = || fs.sync_dir(folder);
    again(sync).map_err(|e| failed("make durable the folder", folder, e))?;
    drop_beyond(fs, folder, keep)
}

/// Removes what a larger `keep` left behind, the oldest last: a gap ends the search.
fn drop_beyond(fs: &dyn Fs, folder: &Path, keep: u64) -> Result<(), StoreError> {
    for age in keep.max(1)..MOST {
        let path = folder.join(older(age));
        if !exists(fs, &path)? {
            break;
        }
        again(|| fs.remove(&path)).map_err(|e| failed("remove", &path, e))?;
    }
    Ok(())
}

/// Whether a regular file is there.
fn exists(fs: &dyn Fs, path: &Path) -> Result<bool, StoreError> {
    let found = match again(|| fs.kind(path)).map_err(|e| failed("look at", path, e))? {
        None => return Ok(false),
        Some(Kind::File) => return Ok(true),
        Some(Kind::Symlink) => "a symbolic link",
        Some(Kind::Dir) => "a folder",
        Some(Kind::Special) => "a special file",
    };
    let path = path.to_path_buf();
    Err(StoreError::Target { path, found })
}

fn rename(fs: &dyn Fs, from: &Path, to: &Path) -> Result<(), StoreError> {
    for _ in 0..TRIES {
        match fs.rename(from, to) {
            Ok(()) => return Ok(()),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {
                // It may have happened nevertheless.
                let left = again(|| fs.kind(from)).map_err(|e| failed("look at", from, e))?;
                if left.is_none() {
                    return Ok(());
                }
            }
            Err(e) => return Err(failed("rename", from, e)),
        }
    }
    Err(failed("rename", from, io::ErrorKind::Interrupted.into()))
}

/// Runs an operation until it is not interrupted.
fn again<T>(mut operation: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut result = operation();
    for _ in 0..TRIES {
        match result {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => result = operation(),
            done => return done,
        }
    }
    result
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> StoreError {
    StoreError::Io {
        action,
        path: path.to_path_buf(),
        needed: None,
        source,
    }
}

/// The newest checkpoint that is whole.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) archive: Archive,
    /// Files that cannot be used, and why.
    pub(crate) rejected: Vec<String>,
}

/// Finds the newest checkpoint of `folder` that is whole.
///
/// # Errors
/// [`TrainError::NoCheckpoint`] with the reason for each file that is there.
pub(crate) fn load(fs: &dyn Fs, folder: &Path) -> Result<Found, TrainError> {
    let mut best: Option<Aged> = None;
    let mut rejected = Vec::new();
    let names = [NEXT, LAST, PREVIOUS].map(str::to_owned);
    // Those are the newest, whatever a crash did to them; the others only matter without.
    for (i, name) in names.into_iter().chain((2..MOST).map(older)).enumerate() {
        if i > 2 && best.is_some() {
            break;
        }
        match read(fs, &folder.join(name)) {
            // A crash in the middle of a save leaves one name free at most.
            Ok(None) if i > 4 => break,
            Ok(None) => {}
            Ok(Some(found)) => {
                if best.as_ref().is_none_or(|newest| found.age > newest.age) {
                    best = Some(found);
                }
            }
            Err(error) => rejected.push(error.to_string()),
        }
    }
    match best {
        Some(Aged { archive, .. }) => Ok(Found { archive, rejected }),
        None => Err(TrainError::NoCheckpoint {
            folder: folder.to_path_buf(),
            reasons: rejected,
        }),
    }
}

/// A checkpoint with what it is ordered by.
struct Aged {
    /// Rollbacks, then steps.
    age: (u64, u64),
    archive: Archive,
}

/// The checkpoint at `path`; `None` where there is no file.
fn read(fs: &dyn Fs, path: &Path) -> Result<Option<Aged>, TrainError> {
    if !exists(fs, path)? {
        return Ok(None);
    }
    let archive = read_sealed(fs, path, &Limits::default())?;
    let version = number(&archive, VERSION)?;
    if version > CURRENT {
        return Err(TrainError::Checkpoint {
            path: path.to_path_buf(),
            message: format!(
                "written by version {version} of the format, this reads up to {CURRENT}"
            ),
        });
    }
    let age = (number(&archive, ROLLBACKS)?, number(&archive, STEP)?);
    Ok(Some(Aged { age, archive }))
}

/// A text of the metadata.
pub(super) fn text<'a>(archive: &'a Archive, key: &str) -> Result<&'a str, TrainError> {
    let found = archive.metadata().get(key).map(String::as_str);
    found.ok_or_else(|| fault(archive, format!("expected metadata {key}, found none")))
}

/// A whole number of the metadata.
pub(crate) fn number(archive: &Archive, key: &str) -> Result<u64, TrainError> {
    let text = text(archive, key)?;
    text.parse().map_err(|_| {
        let text: String = text.chars().take(60).collect();
        fault(
            archive,
            format!("metadata {key}: expected a whole number, found {text:?}"),
        )
    })
}

pub(super) fn fault(archive: &Archive, message: String) -> TrainError {
    let path: PathBuf = archive.path().to_path_buf();
    TrainError::Checkpoint { path, message }
}
