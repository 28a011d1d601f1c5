//! The walk through class folders.

use super::{FolderOptions, FollowSymlinks, Item};
use crate::decode::Format;
use crate::escape::escape_path;
use crate::{DataError, Notice, Report};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{FileType, Metadata};
use std::path::{Path, PathBuf};

/// The longest path that is listed, in bytes.
const MAX_PATH: usize = 4096;

/// A data set's folder.
pub(crate) struct Root {
    /// As the caller named it.
    path: PathBuf,
    /// With every link resolved.
    real: PathBuf,
    follow: FollowSymlinks,
}

impl Root {
    pub(crate) fn new(path: &Path, options: &FolderOptions) -> Result<Self, DataError> {
        let real = std::fs::canonicalize(path).map_err(|e| DataError::io(path, e))?;
        if !real.is_dir() {
            let message = format!("{}: not a folder", escape_path(path));
            return Err(DataError::Usage(message));
        }
        Ok(Self {
            path: path.to_owned(),
            real,
            follow: options.follow_symlinks,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Refuses a split's folder that is a link which may not be followed.
    pub(super) fn check_split(&self, dir: &Path) -> Result<(), DataError> {
        let path = self.path.join(dir);
        let meta = std::fs::symlink_metadata(&path).map_err(|e| DataError::io(&path, e))?;
        match classify(self, dir, meta.file_type()) {
            Entry::Folder => Ok(()),
            _ => Err(DataError::Usage(format!(
                "{}: a symbolic link that is not followed: pass --follow-symlinks, or name \
                 the folder that it leads to",
                escape_path(&path)
            ))),
        }
    }
}

/// What a directory entry is, links resolved.
pub(super) enum Entry {
    Folder,
    File,
    Skipped(Notice),
}

/// Tells what the entry at `relative` is, without opening it.
pub(super) fn classify(root: &Root, relative: &Path, kind: FileType) -> Entry {
    if !kind.is_symlink() {
        return plain(kind);
    }
    if root.follow == FollowSymlinks::Never {
        return Entry::Skipped(Notice::LinkIgnored);
    }
    // A link to itself fails here like one that leads nowhere.
    let Ok(target) = std::fs::canonicalize(root.path.join(relative)) else {
        return Entry::Skipped(Notice::LinkDangling);
    };
    if root.follow == FollowSymlinks::InsideRoot && !target.starts_with(&root.real) {
        return Entry::Skipped(Notice::LinkOutside);
    }
    let holds_itself = || {
        let parent = root.path.join(relative.parent()?);
        Some(std::fs::canonicalize(parent).ok()?.starts_with(&target))
    };
    if holds_itself() == Some(true) {
        return Entry::Skipped(Notice::LinkRepeated);
    }
    match std::fs::symlink_metadata(&target) {
        Ok(meta) => plain(meta.file_type()),
        Err(_) => Entry::Skipped(Notice::LinkDangling),
    }
}

fn plain(kind: FileType) -> Entry {
    if kind.is_dir() {
        Entry::Folder
    } else if kind.is_file() {
        Entry::File
    } else {
        Entry::Skipped(Notice::NotAFile)
    }
}

/// The entries of `folder` in the order of their names' bytes, or `None` when there are more
/// than `limit`.
pub(crate) fn list_folder(
    folder: &Path,
    limit: u64,
) -> Result<Option<Vec<(OsString, FileType)>>, DataError> {
    let io = |e| DataError::io(folder, e);
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        if entries.len() as u64 == limit {
            return Ok(None);
        }
        entries.push((entry.file_name(), entry.file_type().map_err(io)?));
    }
    entries.sort_unstable_by(|(a, _), (b, _)| a.as_encoded_bytes().cmp(b.as_encoded_bytes()));
    Ok(Some(entries))
}

/// A folder or link still to be looked at.
struct Pending {
    /// Relative to the root.
    path: PathBuf,
    label: u32,
    depth: usize,
}

/// One walk over a split. Every folder is read at most once, told by device and inode, so
/// links cannot make the walk endless. Links are kept back until the real tree is read: a
/// folder reached both ways belongs where it really lies.
pub(super) struct Scan<'a> {
    root: &'a Root,
    options: &'a FolderOptions,
    report: &'a mut Report,
    visited: BTreeSet<FolderId>,
    links: BTreeSet<(PathBuf, u32, usize)>,
    entries: u64,
}

impl<'a> Scan<'a> {
    pub(super) fn new(root: &'a Root, options: &'a FolderOptions, report: &'a mut Report) -> Self {
        Self {
            root,
            options,
            report,
            visited: BTreeSet::new(),
            links: BTreeSet::new(),
            entries: 0,
        }
    }

    /// Follows the links that were kept back, and those found on the way, in the order of
    /// their paths.
    pub(super) fn follow_links(&mut self, items: &mut Vec<Item>) -> Result<(), DataError> {
        while let Some((path, label, depth)) = self.links.pop_first() {
            let shown = escape_path(&path);
            let Ok(meta) = std::fs::symlink_metadata(self.root.path.join(&path)) else {
                self.report.add(Notice::LinkDangling, shown);
                continue;
            };
            match classify(self.root, &path, meta.file_type()) {
                Entry::Skipped(notice) => self.report.add(notice, shown),
                Entry::File => {
                    self.report.add(Notice::LinkFollowed, shown);
                    self.add_file(path, label, items)?;
                }
                Entry::Folder => {
                    self.report.add(Notice::LinkFollowed, shown);
                    self.walk(Pending { path, label, depth }, items)?;
                }
            }
        }
        Ok(())
    }

    /// Reads a folder and its subfolders.
    fn walk(&mut self, start: Pending, items: &mut Vec<Item>) -> Result<(), DataError> {
        let mut stack = vec![start];
        while let Some(folder) = stack.pop() {
            let full = self.root.path.join(&folder.path);
            let io = |e| DataError::io(&full, e);
            let meta = std::fs::metadata(&full).map_err(io)?;
            if !self.visited.insert(folder_id(&full, &meta)?) {
                self.report
                    .add(Notice::LinkRepeated, escape_path(&folder.path));
                continue;
            }
            if folder.depth > self.options.limits.depth {
                let message = format!(
                    "folders are nested more than {} deep below their class",
                    self.options.limits.depth
                );
                return Err(DataError::limit(&full, message));
            }
            for (name, kind) in self.list(&full)? {
                let path = folder.path.join(name);
                let (label, depth) = (folder.label, folder.depth + 1);
                let looks_like_image = Format::of_name(&path).is_some();
                if kind.is_symlink() {
                    self.links.insert((path, label, depth));
                } else if kind.is_file() {
                    self.add_file(path, label, items)?;
                } else if kind.is_dir() && !looks_like_image {
                    stack.push(Pending { path, label, depth });
                } else {
                    self.report.add(Notice::NotAFile, escape_path(&path));
                }
            }
        }
        Ok(())
    }

    /// The entries of `folder`, counted against the limit.
    fn list(&mut self, folder: &Path) -> Result<Vec<(OsString, FileType)>, DataError> {
        let limit = self.options.limits.entries;
        let entries = list_folder(folder, limit - self.entries)?.ok_or_else(|| {
            let message = format!("more than {limit} entries in the split");
            DataError::limit(folder, message)
        })?;
        self.entries += entries.len() as u64;
        Ok(entries)
    }

    fn add_file(
        &mut self,
        path: PathBuf,
        label: u32,
        items: &mut Vec<Item>,
    ) -> Result<(), DataError> {
        if Format::of_name(&path).is_none() {
            self.report.add(Notice::OtherFile, escape_path(&path));
            return Ok(());
        }
        if path.as_os_str().len() > MAX_PATH {
            let message = format!("the path is longer than {MAX_PATH} bytes");
            return Err(DataError::limit(&path, message));
        }
        // A file that has vanished meanwhile stays listed, so that the order of all others
        // does not depend on the moment; reading it is an error.
        let bytes = std::fs::metadata(self.root.path.join(&path)).map_or(0, |m| m.len());
        items.push(Item { label, path, bytes });
        Ok(())
    }
}

/// Lists the images under the class folder `dir`, or keeps it for later when it is a link.
pub(super) fn scan_class(
    scan: &mut Scan<'_>,
    dir: &Path,
    label: u32,
    items: &mut Vec<Item>,
) -> Result<(), DataError> {
    let full = scan.root.path.join(dir);
    let meta = std::fs::symlink_metadata(&full).map_err(|e| DataError::io(&full, e))?;
    let path = dir.to_owned();
    if meta.is_symlink() {
        scan.links.insert((path, label, 0));
        return Ok(());
    }
    let depth = 0;
    scan.walk(Pending { path, label, depth }, items)
}

/// What makes a folder the same folder under any name.
#[cfg(unix)]
type FolderId = (u64, u64);
/// What makes a folder the same folder under any name.
#[cfg(not(unix))]
type FolderId = PathBuf;

#[cfg(unix)]
fn folder_id(_: &Path, meta: &Metadata) -> Result<FolderId, DataError> {
    use std::os::unix::fs::MetadataExt;
    Ok((meta.dev(), meta.ino()))
}

#[cfg(not(unix))]
fn folder_id(path: &Path, _: &Metadata) -> Result<FolderId, DataError> {
    std::fs::canonicalize(path).map_err(|e| DataError::io(path, e))
}
