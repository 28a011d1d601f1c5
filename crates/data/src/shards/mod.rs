//! Tar shards in WebDataset's convention: files of one sample share a key, the name up to
//! the first dot, and stand behind one another.

mod names;
#[cfg(test)]
mod tests;

pub(crate) use names::{in_folder, is_pattern, named};

use crate::archive::{Builder, Entry, Found, Member, Walk, open_regular, shown};
use crate::escape::escape_path;
use crate::imagenet::read_classes;
use crate::{ArchiveLimits, Archived, DataError, DecodeOptions, Format, Notice, Report};
use rayon::prelude::*;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The most classes, and the most bytes of a label's file.
const MAX_CLASSES: u32 = 1 << 20;
const MAX_LABEL: u64 = 1 << 20;

/// An open split.
pub(crate) struct OpenedShards {
    pub(crate) dataset: Archived,
    pub(crate) report: Report,
}

/// Indexes `shards`, in parallel. Names of classes are looked for in `dir`; without them
/// classes are numbered, as many as the labels here and in `others` tell.
pub(crate) fn open(
    shards: &[PathBuf],
    others: &[PathBuf],
    dir: &Path,
    decode: DecodeOptions,
    limits: &ArchiveLimits,
) -> Result<OpenedShards, DataError> {
    let index = |path: &PathBuf| Shard::index(path, limits);
    let indexed: Vec<Shard> = shards.par_iter().map(index).collect::<Result<_, _>>()?;
    let mut largest = indexed.iter().filter_map(Shard::largest).max();
    let named = read_classes(dir)?;
    if named.is_none() {
        let others: Vec<Option<u32>> = others
            .par_iter()
            .map(|path| index(path).map(|shard| shard.largest()))
            .collect::<Result<_, _>>()?;
        largest = largest.max(others.into_iter().flatten().max());
    }
    let Some(largest) = largest else {
        return Err(DataError::malformed(dir, "the shards have no pictures"));
    };
    let names = named.unwrap_or_else(|| crate::imagenet::ClassNames {
        names: (0..=largest).map(|i| i.to_string()).collect(),
        titles: Vec::new(),
    });
    if largest as usize >= names.names.len() {
        let message = format!(
            "label {largest} in the shards, but {} classes are listed",
            names.names.len()
        );
        return Err(DataError::malformed(dir, message));
    }
    let mut builder = Builder::default();
    let mut report = Report::default();
    for (path, shard) in shards.iter().zip(indexed) {
        builder.archive(path, shard.members);
        report.merge(shard.report);
    }
    Ok(OpenedShards {
        dataset: builder.finish(names.names, names.titles, decode),
        report,
    })
}

/// What is in one shard.
struct Shard {
    members: Vec<Member>,
    report: Report,
}

/// Files of one key, so far.
#[derive(Default)]
struct Sample {
    key: Vec<u8>,
    picture: Option<Entry>,
    cls: Option<u32>,
    json: Option<u32>,
}

/// What a sample's JSON may say about its label.
#[derive(Deserialize)]
struct Described {
    label: Option<u32>,
    cls: Option<u32>,
}

impl Shard {
    fn largest(&self) -> Option<u32> {
        self.members.iter().map(|m| m.label).max()
    }

    fn index(path: &Path, limits: &ArchiveLimits) -> Result<Self, DataError> {
        let file = open_regular(path)?;
        let mut walk = Walk::new(&file, path, limits)?;
        let mut shard = Self {
            members: Vec::new(),
            report: Report::default(),
        };
        let mut sample = Sample::default();
        loop {
            match walk.next()? {
                Found::File(entry) => {
                    let (key, extension) = split_key(&entry.name);
                    if key != sample.key {
                        shard.close(path, std::mem::take(&mut sample))?;
                        sample.key = key.to_vec();
                    }
                    let extension = extension.to_ascii_lowercase();
                    sample.add(path, &extension, entry, &mut walk)?;
                }
                Found::Special(name) => {
                    let name = format!("{}: {}", escape_path(path), shown(&name));
                    shard.report.add(Notice::NotAFile, name);
                }
                end @ (Found::End | Found::EndWithoutMark) => {
                    if end == Found::EndWithoutMark {
                        shard.report.add(Notice::ArchiveEnd, escape_path(path));
                    }
                    shard.close(path, sample)?;
                    return Ok(shard);
                }
            }
        }
    }

    /// Enters a sample whose files have all been seen.
    fn close(&mut self, path: &Path, sample: Sample) -> Result<(), DataError> {
        let label = sample.cls.or(sample.json);
        match (sample.picture, label) {
            (Some(entry), Some(label)) => {
                self.members.push(Member { entry, label });
                Ok(())
            }
            (Some(entry), None) => {
                let message = format!("{}: there is no .cls or .json label", shown(&entry.name));
                Err(DataError::malformed(path, message))
            }
            (None, _) => {
                if !sample.key.is_empty() {
                    let name = format!("{}: {}", escape_path(path), shown(&sample.key));
                    self.report.add(Notice::OtherFile, name);
                }
                Ok(())
            }
        }
    }
}

impl Sample {
    fn add(
        &mut self,
        path: &Path,
        extension: &[u8],
        entry: Entry,
        walk: &mut Walk<'_>,
    ) -> Result<(), DataError> {
        let malformed = |what: &str| {
            let message = format!("{}: {what}", shown(&entry.name));
            DataError::malformed(path, message)
        };
        let text = String::from_utf8_lossy(extension);
        let is_picture = Format::of_name(Path::new(&format!("x.{text}"))).is_some();
        if is_picture {
            if self.picture.is_some() {
                return Err(malformed("a second picture of the same key"));
            }
            self.picture = Some(entry);
            return Ok(());
        }
        let is_label = matches!(extension, b"cls" | b"json");
        if !is_label {
            return Ok(());
        }
        if entry.size > MAX_LABEL {
            return Err(malformed("a label of more than 1 MiB"));
        }
        let content = walk.content(&entry)?;
        let label = if extension == b"cls" {
            let text = std::str::from_utf8(content.trim_ascii()).ok();
            let label: Option<u32> = text.and_then(|t| t.parse().ok());
            self.cls = Some(label.ok_or_else(|| malformed("expected a class number"))?);
            self.cls
        } else {
            let described: Described =
                serde_json::from_slice(content).map_err(|e| malformed(&e.to_string()))?;
            self.json = described.label.or(described.cls);
            self.json
        };
        match label {
            Some(label) if label >= MAX_CLASSES => Err(malformed("the class number is too large")),
            _ => Ok(()),
        }
    }
}

/// A name's key and what follows its first dot; dots of folders do not count.
fn split_key(name: &[u8]) -> (&[u8], &[u8]) {
    let folder = name.iter().rposition(|&b| b == b'/').map_or(0, |i| i + 1);
    match name[folder..].iter().position(|&b| b == b'.') {
        Some(dot) => (&name[..folder + dot], &name[folder + dot + 1..]),
        None => (name, b""),
    }
}
