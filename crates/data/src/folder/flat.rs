//! Pictures without class folders.

use super::FolderOptions;
use super::scan::{Entry, Root, classify, list_folder};
use crate::decode::Format;
use crate::escape::escape_path;
use crate::{DataError, Notice, Report};
use std::path::{Path, PathBuf};

/// A picture's file.
pub(crate) struct FlatFile {
    /// Relative to the root.
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
}

/// The pictures in `dir` (relative to the root) in the order of their names' bytes.
pub(crate) fn list_flat(
    root: &Root,
    dir: &Path,
    options: &FolderOptions,
    report: &mut Report,
) -> Result<Vec<FlatFile>, DataError> {
    let path = root.path().join(dir);
    let limit = options.limits.entries;
    let entries = list_folder(&path, limit)?
        .ok_or_else(|| DataError::limit(&path, format!("more than {limit} entries")))?;
    let mut files = Vec::new();
    for (name, kind) in entries {
        let relative = dir.join(name);
        let shown = || escape_path(&relative);
        if Format::of_name(&relative).is_none() {
            report.add(Notice::OtherFile, shown());
            continue;
        }
        match classify(root, &relative, kind) {
            Entry::File => {
                if kind.is_symlink() {
                    report.add(Notice::LinkFollowed, shown());
                }
                let bytes = std::fs::metadata(root.path().join(&relative)).map_or(0, |m| m.len());
                let path = relative;
                files.push(FlatFile { path, bytes });
            }
            Entry::Folder => report.add(Notice::NotAFile, shown()),
            Entry::Skipped(notice) => report.add(notice, shown()),
        }
    }
    Ok(files)
}
