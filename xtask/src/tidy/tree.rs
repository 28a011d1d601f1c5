//! The text files of a workspace.

use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use walkdir::{DirEntry, WalkDir};

/// Extensions of files whose text is checked.
const TEXT: [&str; 6] = ["rs", "md", "toml", "py", "sh", "yml"];
/// Folders at the top that are written by programs.
const OUTPUT: [&str; 2] = ["target", "runs"];

/// Paths relative to the workspace, and the text of text files.
#[derive(Debug, Default)]
pub(super) struct Tree {
    texts: BTreeMap<PathBuf, String>,
    others: Vec<PathBuf>,
}

impl Tree {
    /// Reads everything under `root` but hidden folders and output of programs.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let mut tree = Self::default();
        let walk = WalkDir::new(root).sort_by_file_name().into_iter();
        for entry in walk.filter_entry(|entry| entry.depth() == 0 || is_ours(entry)) {
            let entry = entry?;
            let path = entry.path().strip_prefix(root)?.to_path_buf();
            let extension = path.extension().and_then(|e| e.to_str());
            if entry.file_type().is_file() && extension.is_some_and(|e| TEXT.contains(&e)) {
                let text = std::fs::read_to_string(entry.path());
                let text = text.with_context(|| path.display().to_string())?;
                tree.texts.insert(path, text);
            } else {
                tree.others.push(path);
            }
        }
        Ok(tree)
    }

    /// The text of a file.
    pub(super) fn text(&self, path: &Path) -> Option<&str> {
        self.texts.get(path).map(String::as_str)
    }

    /// Whether there is a file or folder.
    pub(super) fn holds(&self, path: &Path) -> bool {
        self.texts.contains_key(path) || self.others.iter().any(|other| other == path)
    }

    /// Every text file.
    pub(super) fn texts(&self) -> impl Iterator<Item = (&Path, &str)> {
        let texts = self.texts.iter();
        texts.map(|(path, text)| (path.as_path(), text.as_str()))
    }

    /// Text files with an extension.
    pub(super) fn ending(&self, extension: &str) -> impl Iterator<Item = (&Path, &str)> {
        let all = self.texts();
        all.filter(move |(path, _)| path.extension().is_some_and(|e| e == extension))
    }
}

fn is_ours(entry: &DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy();
    let output = entry.depth() == 1 && OUTPUT.contains(&name.as_ref());
    let hidden = name.starts_with('.') && entry.file_type().is_dir();
    !output && !hidden && name != "__pycache__"
}
