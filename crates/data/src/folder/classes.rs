//! The class folders of a split.

use super::scan::{Entry, Root, classify, list_folder};
use crate::escape::{escape_ascii, escape_path};
use crate::{DataError, Notice, Report};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use unicode_normalization::UnicodeNormalization;

/// The most entries of a folder of classes.
const MAX_CLASSES: u64 = 1 << 20;

/// The names of the folders in `dir` (relative to the root) in the order of their bytes;
/// links to folders count where links are followed.
pub(crate) fn list_classes(
    root: &Root,
    dir: &Path,
    report: &mut Report,
) -> Result<Vec<OsString>, DataError> {
    let path = root.path().join(dir);
    let entries = list_folder(&path, MAX_CLASSES)?.ok_or_else(|| {
        let message = format!("more than {MAX_CLASSES} entries where class folders are");
        DataError::limit(&path, message)
    })?;
    let mut names = Vec::new();
    for (name, kind) in entries {
        let relative = dir.join(&name);
        match classify(root, &relative, kind) {
            Entry::Folder => names.push(name),
            Entry::File => report.add(Notice::OtherFile, escape_path(&relative)),
            Entry::Skipped(notice) => report.add(notice, escape_path(&relative)),
        }
    }
    report_odd_names(&names, report);
    Ok(names)
}

/// Reports names that begin with a dot, and names that a person or another file system
/// would take for the same.
fn report_odd_names(names: &[OsString], report: &mut Report) {
    let mut alike: BTreeMap<String, Vec<&OsStr>> = BTreeMap::new();
    for name in names {
        if name.as_encoded_bytes().starts_with(b".") {
            report.add(Notice::HiddenClass, crate::escape(name));
        }
        if let Some(text) = name.to_str() {
            let folded = text.to_lowercase().nfc().collect();
            alike.entry(folded).or_default().push(name);
        }
    }
    for twins in alike.values().filter(|names| names.len() > 1) {
        let names: Vec<String> = twins.iter().map(|n| escape_ascii(n)).collect();
        report.add(Notice::TwinClasses, names.join(" / "));
    }
}
