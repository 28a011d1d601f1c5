//! Pictures in archives as a dataset.

use super::file::read_exact_at;
use super::{Entry, open_regular, shown};
use crate::decode::{DecodeNote, DecodeOptions, Format, decode};
use crate::digest::Digest;
use crate::escape::escape_path;
use crate::{DataError, Dataset, Inspection, Sample};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Pictures in tar archives: ImageNet's own, or shards.
///
/// Archives are indexed once, by their headers; an item is read at its place when it is
/// asked for. A file is opened for each read, so the number of archives has no limit.
pub struct Archived {
    archives: Vec<PathBuf>,
    items: Vec<Item>,
    /// The names of all items, one after another.
    names: Vec<u8>,
    /// Items that lie in one archive, in the order of their places.
    runs: Vec<Range<usize>>,
    classes: Vec<String>,
    titles: Vec<String>,
    decode: DecodeOptions,
    fingerprint: u64,
}

struct Item {
    start: u64,
    size: u32,
    archive: u32,
    label: u32,
    /// Where its name ends in [`Archived::names`]; it begins where the one before ends.
    name_end: usize,
}

/// A picture in an archive.
pub(crate) struct Member {
    pub(crate) entry: Entry,
    pub(crate) label: u32,
}

/// Collects the items of an [`Archived`].
#[derive(Default)]
pub(crate) struct Builder {
    archives: Vec<PathBuf>,
    items: Vec<Item>,
    names: Vec<u8>,
    runs: Vec<Range<usize>>,
}

impl Builder {
    /// Adds the pictures of one archive.
    pub(crate) fn archive(&mut self, path: &Path, members: impl IntoIterator<Item = Member>) {
        let archive = self.archives.len() as u32;
        self.archives.push(path.to_owned());
        let first = self.items.len();
        for Member { entry, label } in members {
            self.names.extend_from_slice(&entry.name);
            self.items.push(Item {
                start: entry.start,
                // Entries are limited far below 4 GiB.
                size: u32::try_from(entry.size).unwrap_or(u32::MAX),
                archive,
                label,
                name_end: self.names.len(),
            });
        }
        self.runs.push(first..self.items.len());
    }

    /// The dataset of everything that was added.
    pub(crate) fn finish(
        self,
        classes: Vec<String>,
        titles: Vec<String>,
        decode: DecodeOptions,
    ) -> Archived {
        let mut data = Archived {
            archives: self.archives,
            items: self.items,
            names: self.names,
            runs: self.runs,
            classes,
            titles,
            decode,
            fingerprint: 0,
        };
        data.fingerprint = data.digest();
        data
    }
}

impl Archived {
    fn name(&self, i: usize) -> &[u8] {
        let start = i.checked_sub(1).map_or(0, |p| self.items[p].name_end);
        &self.names[start..self.items[i].name_end]
    }

    fn digest(&self) -> u64 {
        let mut digest = Digest::new("archives");
        self.classes.iter().for_each(|c| digest.bytes(c.as_bytes()));
        for (i, item) in self.items.iter().enumerate() {
            digest.word(u64::from(item.label));
            digest.word(u64::from(item.size));
            digest.bytes(self.name(i));
        }
        digest.finish()
    }

    fn path(&self, i: usize) -> &Path {
        &self.archives[self.items[i].archive as usize]
    }

    fn read(&self, i: usize) -> Result<Vec<u8>, DataError> {
        let (item, path) = (&self.items[i], self.path(i));
        let file = open_regular(path)?;
        let mut bytes = vec![0; item.size as usize];
        read_exact_at(&file, &mut bytes, item.start).map_err(|e| {
            let name = shown(self.name(i));
            let (size, start) = (item.size, item.start);
            let message = format!("{name}: {size} bytes at byte {start} cannot be read: {e}");
            DataError::malformed(path, message)
        })?;
        Ok(bytes)
    }
}

impl Dataset for Archived {
    fn len(&self) -> usize {
        self.items.len()
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn titles(&self) -> &[String] {
        &self.titles
    }

    fn label(&self, i: usize) -> u32 {
        self.items[i].label
    }

    fn get(&self, i: usize) -> Result<Sample, DataError> {
        self.inspect(i).map(|inspection| inspection.sample)
    }

    fn inspect(&self, i: usize) -> Result<Inspection, DataError> {
        let bytes = self.read(i)?;
        let decoded = decode(&bytes, &self.decode).map_err(|failure| {
            let name = shown(self.name(i));
            failure
                .map(|message| format!("{name}: {message}"))
                .at(self.path(i))
        })?;
        let mut notes = decoded.notes;
        let name = String::from_utf8_lossy(self.name(i));
        if Format::of_name(Path::new(&*name)).is_some_and(|named| named != decoded.format) {
            notes.push(DecodeNote::ExtensionMismatch);
        }
        Ok(Inspection {
            sample: Sample {
                image: decoded.image,
                label: self.label(i),
            },
            notes,
        })
    }

    fn origin(&self, i: usize) -> String {
        format!("{}: {}", escape_path(self.path(i)), shown(self.name(i)))
    }

    fn runs(&self) -> &[Range<usize>] {
        &self.runs
    }

    fn fingerprint(&self) -> u64 {
        self.fingerprint
    }
}
