//! Parquet files with the columns of a hub's image data sets: `image`, a binary column or a
//! struct with one named `bytes`, and `label`, an integer.

mod cache;
mod chunk;
mod columns;
mod items;
mod rows;
#[cfg(test)]
mod tests;

use crate::imagenet::read_classes;
use crate::{ArchiveLimits, DataError, DecodeOptions};
use chunk::Chunks;
use columns::Columns;
use items::Group;
use rayon::prelude::*;
use rows::Place;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use items::Tables;

/// The most classes.
const MAX_CLASSES: i64 = 1 << 20;

/// Indexes `files`, in parallel. Names of classes are looked for in `dir`, then in the files;
/// without them classes are numbered, as many as the labels here and in `others` tell.
pub(crate) fn open(
    files: &[PathBuf],
    others: &[PathBuf],
    dir: &Path,
    decode: DecodeOptions,
    limits: &ArchiveLimits,
) -> Result<Tables, DataError> {
    check_complete(files)?;
    let index = |path: &PathBuf| File::index(path, limits);
    let indexed: Vec<File> = files.par_iter().map(index).collect::<Result<_, _>>()?;
    let listed = read_classes(dir)?;
    let (names, titles) = match listed {
        Some(listed) => (Some(listed.names), listed.titles),
        None => (common_names(files, &indexed)?, Vec::new()),
    };
    let largest = |files: &[File]| files.iter().filter_map(File::largest).max();
    let Some(mut most) = largest(&indexed) else {
        return Err(DataError::malformed(dir, "the files have no rows"));
    };
    let names = match names {
        Some(names) => names,
        None => {
            let others: Vec<File> = others.par_iter().map(index).collect::<Result<_, _>>()?;
            most = most.max(largest(&others).unwrap_or(0));
            (0..=most).map(|i| i.to_string()).collect()
        }
    };
    for (path, file) in files.iter().zip(&indexed) {
        file.check_labels(path, names.len())?;
    }
    let files = files.iter().cloned().zip(indexed).collect();
    Ok(Tables::new(files, names, titles, decode))
}

/// Checks that files which are called `x-00000-of-00004.parquet` are all there.
fn check_complete(files: &[PathBuf]) -> Result<(), DataError> {
    for path in files {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let Some((head, total)) = name.rsplit_once("-of-") else {
            continue;
        };
        let Some((stem, part)) = head.rsplit_once('-') else {
            continue;
        };
        let digits = |s: &str| s.len() == part.len() && s.bytes().all(|b| b.is_ascii_digit());
        let (true, true, Ok(count)) = (digits(part), digits(total), total.parse::<usize>()) else {
            continue;
        };
        let width = part.len();
        let named =
            |i: usize| path.with_file_name(format!("{stem}-{i:0width$}-of-{total}.parquet"));
        if let Some(missing) = (0..count).map(named).find(|path| !files.contains(path)) {
            let message = format!("this file is missing, though {count} are announced");
            return Err(DataError::malformed(&missing, message));
        }
    }
    Ok(())
}

/// The names of classes that the files give; `None` where none gives any.
fn common_names(paths: &[PathBuf], files: &[File]) -> Result<Option<Vec<String>>, DataError> {
    let mut found: Option<&Vec<String>> = None;
    for (path, file) in paths.iter().zip(files) {
        match (found, &file.names) {
            (Some(first), Some(names)) if first != names => {
                let at = first.iter().zip(names).take_while(|(a, b)| a == b).count();
                let shown = |names: &[String]| names.get(at).cloned().unwrap_or_default();
                let message = format!(
                    "class {at} is called \"{}\", in the files before \"{}\"",
                    shown(names),
                    shown(first)
                );
                return Err(DataError::malformed(path, message));
            }
            (None, Some(names)) => found = Some(names),
            _ => {}
        }
    }
    Ok(found.cloned())
}

/// What is in one file.
struct File {
    groups: Vec<Group>,
    /// Of all groups, one after another.
    labels: Vec<u32>,
    names: Option<Vec<String>>,
    /// What the two columns are called.
    image_column: String,
    label_column: String,
}

impl File {
    fn largest(&self) -> Option<u32> {
        self.labels.iter().copied().max()
    }

    fn index(path: &Path, limits: &ArchiveLimits) -> Result<Self, DataError> {
        let chunks = Arc::new(Chunks::open(path)?);
        let metadata = chunks.metadata(path)?;
        let columns = Columns::find(path, &metadata)?;
        let mut file = Self {
            groups: Vec::new(),
            labels: Vec::new(),
            names: columns::class_names(path, &metadata, &columns.label)?,
            image_column: columns.image.clone(),
            label_column: columns.label.clone(),
        };
        for (number, group) in metadata.row_groups().iter().enumerate() {
            let found = group.num_rows();
            let total = file.labels.len() as u64;
            let rows = u64::try_from(found).map_err(|_| {
                let message = format!("row group {number}: it announces {found} rows");
                DataError::malformed(path, message)
            })?;
            if rows > limits.entries - total.min(limits.entries) {
                let message = format!(
                    "row group {number} brings the file to {} rows, {} are allowed",
                    total.saturating_add(rows),
                    limits.entries
                );
                return Err(DataError::limit(path, message));
            }
            let place = |column| Place {
                path,
                column,
                group: number,
                first: total,
            };
            let label = group.column(columns.label_leaf);
            let place_of_label = place(&columns.label);
            let labels = rows::labels(&chunks, label, rows as usize, &place_of_label)?;
            file.labels.extend(labels);
            let image = group.column(columns.image_leaf);
            rows::check_chunk(image, chunks.size(), &place(&columns.image))?;
            file.groups.push(Group {
                image: image.clone(),
                rows: rows as usize,
                number,
            });
        }
        Ok(file)
    }

    /// Checks that each label is that of a class.
    fn check_labels(&self, path: &Path, classes: usize) -> Result<(), DataError> {
        let wrong = self.labels.iter().position(|&l| l as usize >= classes);
        wrong.map_or(Ok(()), |row| {
            let message = format!(
                "row {row}: column {}: label {}, but {classes} classes are named",
                self.label_column, self.labels[row]
            );
            Err(DataError::malformed(path, message))
        })
    }
}
