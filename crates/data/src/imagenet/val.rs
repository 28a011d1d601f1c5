//! The validation set: one tar or folder, and labels in another file.

use super::kit::{Labels, Truth};
use super::train::{base, refuse_twins};
use crate::archive::{Entry, shown};
use crate::{DataError, escape_path};
use std::collections::BTreeMap;
use std::path::Path;

/// The labels of the pictures `names` (in the order of their names), which are those of
/// `truth` among the sorted identifiers `wnids`.
pub(super) fn labels<'a>(
    place: &Path,
    names: impl ExactSizeIterator<Item = &'a [u8]>,
    truth: &Truth,
    wnids: &[String],
) -> Result<Vec<u32>, DataError> {
    let index: BTreeMap<&str, u32> = wnids.iter().map(String::as_str).zip(0..).collect();
    let found = names.len();
    let (listed, numbered) = match &truth.labels {
        Labels::Numbered(labels) => (labels.len(), true),
        Labels::Named(labels) => (labels.len(), false),
    };
    let extent_matches = if numbered {
        listed == found
    } else {
        listed >= found
    };
    if !extent_matches {
        let message = format!(
            "{listed} labels for {found} pictures in {}",
            escape_path(place)
        );
        return Err(DataError::malformed(&truth.path, message));
    }
    let label = |(i, name): (usize, &[u8])| {
        let wnid = match &truth.labels {
            Labels::Numbered(labels) => number(place, name, i).map(|i| &labels[i])?,
            Labels::Named(labels) => {
                let stem = String::from_utf8_lossy(stem(name));
                labels.get(&*stem).ok_or_else(|| {
                    let message = format!("there is no label for {}", shown(name));
                    DataError::malformed(&truth.path, message)
                })?
            }
        };
        index.get(wnid.as_str()).copied().ok_or_else(|| {
            let wnid = wnid.escape_debug();
            let message = format!("{} is a {wnid}, which is no category", shown(name));
            DataError::malformed(&truth.path, message)
        })
    };
    names.enumerate().map(label).collect()
}

/// The number in `ILSVRC2012_val_00000001.JPEG`, from 0, which must be the picture's place:
/// a label's line is the picture of that number.
fn number(place: &Path, name: &[u8], i: usize) -> Result<usize, DataError> {
    let digits = stem(name).rsplit(|&b| b == b'_').next();
    let number = digits.and_then(|d| std::str::from_utf8(d).ok()?.parse::<usize>().ok());
    if number == Some(i + 1) {
        return Ok(i);
    }
    let message = format!(
        "{}: expected the picture of number {}, as in ILSVRC2012_val_{:08}.JPEG",
        shown(name),
        i + 1,
        i + 1
    );
    Err(DataError::malformed(place, message))
}

/// A name without folders and extension.
fn stem(name: &[u8]) -> &[u8] {
    let name = base(name);
    let dot = name.iter().rposition(|&b| b == b'.');
    &name[..dot.unwrap_or(name.len())]
}

/// Sorts the validation archive's entries by name.
pub(super) fn sort(path: &Path, entries: &mut [Entry]) -> Result<(), DataError> {
    entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    refuse_twins(path, entries)?;
    match entries.iter().find(|e| e.name.ends_with(b".tar")) {
        None => Ok(()),
        Some(entry) => {
            let message = format!(
                "{}: expected pictures, found an archive",
                shown(&entry.name)
            );
            Err(DataError::limit(path, message))
        }
    }
}
