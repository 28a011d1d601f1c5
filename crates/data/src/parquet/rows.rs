//! Values of a column in one row group.

use super::MAX_CLASSES;
use super::chunk::{Chunks, guarded};
use crate::DataError;
use ::parquet::basic::{Compression, Type};
use ::parquet::column::page::PageReader;
use ::parquet::column::reader::ColumnReaderImpl;
use ::parquet::data_type::{ByteArrayType, DataType, Int32Type, Int64Type};
use ::parquet::errors::{ParquetError, Result as ParquetResult};
use ::parquet::file::metadata::ColumnChunkMetaData;
use ::parquet::file::serialized_reader::SerializedPageReader;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// A column of a row group, for messages.
pub(super) struct Place<'a> {
    pub(super) path: &'a Path,
    pub(super) column: &'a str,
    pub(super) group: usize,
    /// The group's first row, counted in the file.
    pub(super) first: u64,
}

impl Place<'_> {
    pub(super) fn of_group(&self) -> String {
        format!("row group {}, column {}", self.group, self.column)
    }

    pub(super) fn of_row(&self, row: usize) -> String {
        format!("row {}: column {}", self.first + row as u64, self.column)
    }
}

/// Checks what a file says about a column of a row group, before anything relies on it.
pub(super) fn check_chunk(
    column: &ColumnChunkMetaData,
    size: u64,
    place: &Place<'_>,
) -> Result<(), DataError> {
    let malformed = |message: String| {
        let message = format!("{}: {message}", place.of_group());
        Err(DataError::malformed(place.path, message))
    };
    let start = column.dictionary_page_offset();
    let start = start.unwrap_or_else(|| column.data_page_offset());
    let length = column.compressed_size();
    let end = start
        .checked_add(length)
        .filter(|_| start >= 4 && length >= 0);
    if end.is_none_or(|end| end as u64 > size) {
        return malformed(format!(
            "{length} bytes at byte {start} do not lie in a file of {size} bytes"
        ));
    }
    if column.uncompressed_size() < 0 {
        return malformed(format!("a size of {} bytes", column.uncompressed_size()));
    }
    if column.file_path().is_some() {
        return malformed("it lies in another file, which is not read".to_owned());
    }
    match column.compression() {
        Compression::UNCOMPRESSED
        | Compression::SNAPPY
        | Compression::GZIP(_)
        | Compression::ZSTD(_) => Ok(()),
        other => malformed(format!(
            "compressed as {other}; SNAPPY, GZIP and ZSTD are read"
        )),
    }
}

/// The values of `rows` in `column`, none where there is null.
pub(super) fn read_rows<T: DataType>(
    chunks: &Arc<Chunks>,
    column: &ColumnChunkMetaData,
    rows: Range<usize>,
) -> ParquetResult<Vec<Option<T::T>>> {
    guarded(|| {
        let pages: Box<dyn PageReader> = Box::new(SerializedPageReader::new(
            chunks.clone(),
            column,
            rows.end,
            None,
        )?);
        let descriptor = column.column_descr_ptr();
        let most = descriptor.max_def_level();
        let mut reader = ColumnReaderImpl::<T>::new(descriptor, pages);
        let skipped = reader.skip_records(rows.start)?;
        let (mut values, mut levels) = (Vec::new(), Vec::new());
        let levels_of = (most > 0).then_some(&mut levels);
        let (found, ..) = reader.read_records(rows.len(), levels_of, None, &mut values)?;
        if (skipped, found) != (rows.start, rows.len()) {
            return Err(ParquetError::General(format!(
                "expected {} rows, found {}",
                rows.end,
                skipped + found
            )));
        }
        if most == 0 {
            return Ok(values.into_iter().map(Some).collect());
        }
        let mut values = values.into_iter();
        let value = |level: i16| if level == most { values.next() } else { None };
        Ok(levels.into_iter().map(value).collect())
    })
}

/// The labels of a row group of `rows` rows.
pub(super) fn labels(
    chunks: &Arc<Chunks>,
    column: &ColumnChunkMetaData,
    rows: usize,
    place: &Place<'_>,
) -> Result<Vec<u32>, DataError> {
    check_chunk(column, chunks.size(), place)?;
    let found: ParquetResult<Vec<Option<i64>>> = match column.column_type() {
        Type::INT32 => read_rows::<Int32Type>(chunks, column, 0..rows)
            .map(|found| found.into_iter().map(|l| l.map(i64::from)).collect()),
        _ => read_rows::<Int64Type>(chunks, column, 0..rows),
    };
    let found = found.map_err(|e| chunks.failure(place.path, &place.of_group(), &e))?;
    let label = |(row, label): (usize, Option<i64>)| {
        let wrong = |what: String| {
            let message = format!("{}: {what}", place.of_row(row));
            DataError::malformed(place.path, message)
        };
        match label {
            None => Err(wrong("there is no label".to_owned())),
            Some(label @ 0..MAX_CLASSES) => Ok(label as u32),
            Some(-1) => Err(wrong(
                "label -1, which stands for a label that is not told; \
                 such pictures can be neither trained on nor evaluated"
                    .to_owned(),
            )),
            Some(label) => Err(wrong(format!(
                "label {label}, must be 0…{}",
                MAX_CLASSES - 1
            ))),
        }
    };
    found.into_iter().enumerate().map(label).collect()
}

/// The pictures of `rows`, as they are stored.
pub(super) fn pictures(
    chunks: &Arc<Chunks>,
    column: &ColumnChunkMetaData,
    rows: Range<usize>,
) -> ParquetResult<Vec<Option<::parquet::data_type::ByteArray>>> {
    read_rows::<ByteArrayType>(chunks, column, rows)
}
