//! Rows of parquet files as a dataset.

use super::File;
use super::cache::{Cache, Pictures};
use super::chunk::Chunks;
use super::rows::{Place, pictures};
use crate::decode::{DecodeOptions, decode};
use crate::digest::Digest;
use crate::escape::escape_path;
use crate::{DataError, Dataset, Inspection, Sample};
use ::parquet::data_type::ByteArray;
use ::parquet::file::metadata::ColumnChunkMetaData;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How much memory pictures may take while they are packed.
#[derive(Clone, Copy)]
pub(super) struct Memory {
    /// Bytes of a row group that is read as a whole; of a larger one, only the page that
    /// holds a row.
    pub(super) group: u64,
    /// Bytes of all row groups that are kept.
    pub(super) kept: u64,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            group: 64 << 20,
            kept: 256 << 20,
        }
    }
}

/// Pictures in parquet files.
///
/// Files are indexed once, by their descriptions and their labels. An item is read with its
/// row group, which is kept for a while, since its neighbours are likely to be asked for.
pub(crate) struct Tables {
    files: Vec<PathBuf>,
    /// What the column of pictures is called, in each file.
    columns: Vec<String>,
    groups: Vec<Located>,
    /// The items of each group.
    runs: Vec<Range<usize>>,
    labels: Vec<u32>,
    classes: Vec<String>,
    titles: Vec<String>,
    decode: DecodeOptions,
    memory: Memory,
    cache: Cache,
    fingerprint: u64,
}

/// The pictures of a row group.
pub(super) struct Group {
    pub(super) image: ColumnChunkMetaData,
    pub(super) rows: usize,
    /// Which of the file's.
    pub(super) number: usize,
}

/// A row group and its place.
struct Located {
    group: Group,
    file: usize,
    /// Its first row, counted in the file.
    first: u64,
}

impl Tables {
    /// The rows of `files`, one after another.
    pub(super) fn new(
        files: Vec<(PathBuf, File)>,
        classes: Vec<String>,
        titles: Vec<String>,
        decode: DecodeOptions,
    ) -> Self {
        let memory = Memory::default();
        let mut data = Self {
            files: Vec::new(),
            columns: Vec::new(),
            groups: Vec::new(),
            runs: Vec::new(),
            labels: Vec::new(),
            classes,
            titles,
            decode,
            memory,
            cache: Cache::new(memory.kept),
            fingerprint: 0,
        };
        for (path, found) in files {
            let (file, mut first) = (data.files.len(), 0);
            let mut item = data.labels.len();
            for group in found.groups {
                let rows = group.rows;
                if rows > 0 {
                    data.runs.push(item..item + rows);
                    data.groups.push(Located { group, file, first });
                }
                item += rows;
                first += rows as u64;
            }
            data.labels.extend(found.labels);
            data.files.push(path);
            data.columns.push(found.image_column);
        }
        data.fingerprint = data.digest();
        data
    }

    /// The same with other limits, for tests.
    #[cfg(test)]
    pub(super) fn with_memory(mut self, memory: Memory) -> Self {
        self.memory = memory;
        self.cache = Cache::new(memory.kept);
        self
    }

    /// Bytes of the pictures of each row group, for tests.
    #[cfg(test)]
    pub(super) fn image_bytes(&self) -> Vec<u64> {
        let groups = self.groups.iter();
        groups
            .map(|g| g.group.image.uncompressed_size() as u64)
            .collect()
    }

    /// The row groups in memory, for tests.
    #[cfg(test)]
    pub(super) fn kept(&self) -> Vec<usize> {
        self.cache.groups()
    }

    fn digest(&self) -> u64 {
        let mut digest = Digest::new("parquet");
        self.classes.iter().for_each(|c| digest.bytes(c.as_bytes()));
        for (run, located) in self.runs.iter().zip(&self.groups) {
            digest.word(run.len() as u64);
            digest.word(located.group.image.uncompressed_size() as u64);
        }
        self.labels.iter().for_each(|&l| digest.word(u64::from(l)));
        digest.finish()
    }

    /// The group of item `i`, and the item's row in it.
    fn locate(&self, i: usize) -> (usize, usize) {
        let group = self.runs.partition_point(|run| run.end <= i);
        (group, i - self.runs[group].start)
    }

    fn path(&self, located: &Located) -> &Path {
        &self.files[located.file]
    }

    fn place(&self, located: &Located) -> Place<'_> {
        Place {
            path: &self.files[located.file],
            column: &self.columns[located.file],
            group: located.group.number,
            first: located.first,
        }
    }

    /// The stored bytes of item `i`.
    fn read(&self, i: usize) -> Result<ByteArray, DataError> {
        let (number, row) = self.locate(i);
        let located = &self.groups[number];
        let (group, place) = (&located.group, self.place(located));
        let rows = |rows: Range<usize>| {
            let chunks = Arc::new(Chunks::open(self.path(located))?);
            pictures(&chunks, &group.image, rows)
                .map_err(|e| chunks.failure(place.path, &place.of_row(row), &e))
        };
        let bytes = group.image.uncompressed_size() as u64;
        let whole = (bytes <= self.memory.group).then(|| {
            let read = || rows(0..group.rows).map(Pictures::new);
            self.cache.get(number, bytes, read)
        });
        let found = match whole {
            Some(Ok(pictures)) => pictures[row].clone(),
            // Of a damaged group the rows before the damage can be read.
            Some(Err(_)) | None => rows(row..row + 1)?.pop().flatten(),
        };
        found.ok_or_else(|| {
            let message = format!("{}: there is no picture", place.of_row(row));
            DataError::malformed(place.path, message)
        })
    }
}

impl Dataset for Tables {
    fn len(&self) -> usize {
        self.labels.len()
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn titles(&self) -> &[String] {
        &self.titles
    }

    fn label(&self, i: usize) -> u32 {
        self.labels[i]
    }

    fn get(&self, i: usize) -> Result<Sample, DataError> {
        self.inspect(i).map(|inspection| inspection.sample)
    }

    fn inspect(&self, i: usize) -> Result<Inspection, DataError> {
        let bytes = self.read(i)?;
        let (number, row) = self.locate(i);
        let place = self.place(&self.groups[number]);
        let failed = |message: String| format!("{}: {message}", place.of_row(row));
        let (found, allowed) = (bytes.len() as u64, self.decode.limits.file_bytes);
        if found > allowed {
            let message = failed(format!(
                "the picture has {found} bytes, {allowed} are allowed"
            ));
            return Err(DataError::limit(place.path, message));
        }
        let decoded = decode(bytes.data(), &self.decode)
            .map_err(|failure| failure.map(failed).at(place.path))?;
        Ok(Inspection {
            sample: Sample {
                image: decoded.image,
                label: self.labels[i],
            },
            notes: decoded.notes,
        })
    }

    fn origin(&self, i: usize) -> String {
        let (number, row) = self.locate(i);
        let located = &self.groups[number];
        let path = escape_path(self.path(located));
        format!("{path}: row {}", located.first + row as u64)
    }

    fn runs(&self) -> &[Range<usize>] {
        &self.runs
    }

    fn fingerprint(&self) -> u64 {
        self.fingerprint
    }
}
