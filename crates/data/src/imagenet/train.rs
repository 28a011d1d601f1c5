//! The training set: a tar for each category, in one tar or in a folder.

use super::Found as Opened;
use crate::archive::{Builder, Entry, Found, Member, Walk, open_regular, shown};
use crate::escape::escape_path;
use crate::folder::list_folder;
use crate::{ArchiveLimits, DataError, Notice, Report};
use rayon::prelude::*;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The archives of the categories, sorted by identifier.
pub(super) struct ClassArchives(Vec<ClassArchive>);

struct ClassArchive {
    wnid: String,
    /// The file that it lies in.
    path: PathBuf,
    /// Which part of the file it is; all of it when `None`.
    part: Option<Range<u64>>,
}

impl ClassArchives {
    /// The entries of `ILSVRC2012_img_train.tar` at `path`.
    pub(super) fn in_archive(
        path: &Path,
        limits: &ArchiveLimits,
        report: &mut Report,
    ) -> Result<Self, DataError> {
        let file = open_regular(path)?;
        let walk = Walk::new(&file, path, limits)?;
        let classes = files(walk, path, report)?.into_iter().map(|entry| {
            Ok(ClassArchive {
                wnid: wnid(path, &entry.name)?,
                path: path.to_owned(),
                part: Some(entry.start..entry.start + entry.size),
            })
        });
        Self::sorted(path, classes.collect::<Result<_, _>>()?)
    }

    /// The files `n01440764.tar` and so on in the folder `dir`.
    pub(super) fn in_folder(dir: &Path) -> Result<Self, DataError> {
        let classes = class_archives_in(dir)?.into_iter().map(|path| {
            let name = path.file_name().unwrap_or_default();
            Ok(ClassArchive {
                wnid: wnid(dir, name.as_encoded_bytes())?,
                part: None,
                path,
            })
        });
        Self::sorted(dir, classes.collect::<Result<_, _>>()?)
    }

    fn sorted(path: &Path, mut classes: Vec<ClassArchive>) -> Result<Self, DataError> {
        classes.sort_by(|a, b| a.wnid.cmp(&b.wnid));
        if classes.is_empty() {
            let message = "found 0 classes: no WNID.tar is in it";
            return Err(DataError::malformed(path, message));
        }
        match classes.windows(2).find(|w| w[0].wnid == w[1].wnid) {
            None => Ok(Self(classes)),
            Some(twins) => {
                let message = format!("{}.tar is there twice", twins[0].wnid);
                Err(DataError::malformed(path, message))
            }
        }
    }

    /// The categories' identifiers.
    pub(super) fn wnids(&self) -> Vec<String> {
        self.0.iter().map(|c| c.wnid.clone()).collect()
    }

    /// Indexes all of them, in parallel: a header in front of each picture is read.
    pub(super) fn index(&self, limits: &ArchiveLimits) -> Result<Opened, DataError> {
        let indexed: Vec<Indexed> = self
            .0
            .par_iter()
            .map(|class| class.index(limits))
            .collect::<Result<_, _>>()?;
        let mut builder = Builder::default();
        let mut report = Report::default();
        for (label, (class, indexed)) in self.0.iter().zip(indexed).enumerate() {
            report.merge(indexed.report);
            let label = label as u32;
            let members = indexed.entries.into_iter();
            builder.archive(&class.path, members.map(|entry| Member { entry, label }));
        }
        Ok(Opened { builder, report })
    }
}

struct Indexed {
    entries: Vec<Entry>,
    report: Report,
}

impl ClassArchive {
    fn index(&self, limits: &ArchiveLimits) -> Result<Indexed, DataError> {
        let file: File = open_regular(&self.path)?;
        let mut walk = Walk::new(&file, &self.path, limits)?;
        if let Some(part) = &self.part {
            walk = walk.within(part.clone());
        }
        let mut report = Report::default();
        let mut entries = files(walk, &self.path, &mut report)?;
        let prefix = format!("{}_", self.wnid);
        for entry in &entries {
            let problem = if entry.name.ends_with(b".tar") {
                let message = format!(
                    "{} in {}.tar: archives are nested more than 2 deep",
                    shown(&entry.name),
                    self.wnid
                );
                return Err(DataError::limit(&self.path, message));
            } else if !base(&entry.name).starts_with(prefix.as_bytes()) {
                format!("expected names that begin with {prefix}")
            } else {
                continue;
            };
            let message = format!("{} in {}.tar: {problem}", shown(&entry.name), self.wnid);
            return Err(DataError::malformed(&self.path, message));
        }
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        refuse_twins(&self.path, &entries)?;
        if entries.is_empty() {
            let message = format!("{}.tar has no pictures", self.wnid);
            return Err(DataError::malformed(&self.path, message));
        }
        Ok(Indexed { entries, report })
    }
}

/// Refuses two entries of one name in `entries`, which are sorted by name.
pub(super) fn refuse_twins(path: &Path, entries: &[Entry]) -> Result<(), DataError> {
    match entries.windows(2).find(|w| w[0].name == w[1].name) {
        None => Ok(()),
        Some(twins) => {
            let message = format!(
                "{} is there twice, at bytes {} and {}",
                shown(&twins[0].name),
                twins[0].start,
                twins[1].start
            );
            Err(DataError::malformed(path, message))
        }
    }
}

/// The files of an archive; what else is in it is reported.
pub(crate) fn files(
    mut walk: Walk<'_>,
    path: &Path,
    report: &mut Report,
) -> Result<Vec<Entry>, DataError> {
    let mut entries = Vec::new();
    loop {
        match walk.next()? {
            Found::File(entry) => entries.push(entry),
            Found::Special(name) => {
                let name = format!("{}: {}", escape_path(path), shown(&name));
                report.add(Notice::NotAFile, name);
            }
            Found::End => return Ok(entries),
            Found::EndWithoutMark => {
                report.add(Notice::ArchiveEnd, escape_path(path));
                return Ok(entries);
            }
        }
    }
}

/// A name without the folders before it.
pub(super) fn base(name: &[u8]) -> &[u8] {
    name.rsplit(|&b| b == b'/').next().unwrap_or(name)
}

/// Whether `name` is WordNet's `n` and eight digits.
fn is_wnid(name: &[u8]) -> bool {
    matches!(name, [b'n', digits @ ..] if digits.len() == 8 && digits.iter().all(u8::is_ascii_digit))
}

/// The identifier that the name of a category's archive gives.
fn wnid(path: &Path, name: &[u8]) -> Result<String, DataError> {
    match base(name).strip_suffix(b".tar") {
        Some(stem) if is_wnid(stem) => Ok(String::from_utf8_lossy(stem).into_owned()),
        _ => {
            let message = format!("{}: expected names like n01440764.tar", shown(name));
            Err(DataError::malformed(path, message))
        }
    }
}

/// The files in `dir` that are called like a category's archive.
pub(super) fn class_archives_in(dir: &Path) -> Result<Vec<PathBuf>, DataError> {
    let names = list_folder(dir, 1 << 20)?.unwrap_or_default();
    let archives = names.into_iter().filter(|(name, _)| {
        let stem = name.as_encoded_bytes().strip_suffix(b".tar");
        stem.is_some_and(is_wnid)
    });
    Ok(archives.map(|(name, _)| dir.join(name)).collect())
}
