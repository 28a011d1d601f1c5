//! The files of a set: which are there, and whether their content is right.

use super::{CifarKind, CifarSize, Content};
use crate::digest::Digest;
use crate::escape::escape_path;
use crate::{DataError, Notice, Report, Split};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Where the files may lie.
pub(super) fn folders(kind: CifarKind, dir: &Path) -> [PathBuf; 2] {
    [dir.to_owned(), dir.join(kind.folder())]
}

/// Whether `dir` looks like the set: for CIFAR-100, whose files have common names, the list
/// of classes must be there or the folder must have the archive's name.
pub(super) fn has_files(kind: CifarKind, dir: &Path) -> bool {
    let named = |name: &str| dir.join(name).is_file();
    match kind {
        CifarKind::Cifar10 => named("data_batch_1.bin") || named("test_batch.bin"),
        CifarKind::Cifar100 => {
            (named("train.bin") || named("test.bin"))
                && (named("fine_label_names.txt") || dir.ends_with(kind.folder()))
        }
    }
}

/// The folder that has any of the set's files.
pub(super) fn find_folder(kind: CifarKind, dir: &Path) -> Result<PathBuf, DataError> {
    let wanted = || {
        kind.files(Split::Train)
            .iter()
            .chain(kind.files(Split::Test))
    };
    for folder in folders(kind, dir) {
        if wanted().any(|name| folder.join(name).exists()) {
            return Ok(folder);
        }
    }
    Err(explain_missing(kind, dir))
}

/// Why `dir` has no files of the set: an archive or another version may lie there.
fn explain_missing(kind: CifarKind, dir: &Path) -> DataError {
    let exists = |name: &str| dir.join(name).exists();
    let archive = kind.archive();
    let (python_folder, python_file) = match kind {
        CifarKind::Cifar10 => ("cifar-10-batches-py", "data_batch_1"),
        CifarKind::Cifar100 => ("cifar-100-python", "train"),
    };
    let python_archive = archive.replace("binary", "python");
    let python_file = exists(python_file) && dir.join(python_file).is_file();
    if exists(archive) {
        let message = format!("{archive} is still packed: unpack it with `tar -xzf {archive}`");
        return DataError::malformed(dir, message);
    }
    if exists(python_folder) || exists(&python_archive) || python_file {
        let message = format!("this is the Python version; the binary one, {archive}, is needed");
        return DataError::malformed(dir, message);
    }
    let first = kind.files(Split::Train)[0];
    if exists(&format!("{first}.gz")) {
        let message = format!("{first}.gz is still compressed: unpack it with `gunzip`");
        return DataError::malformed(dir, message);
    }
    let source = std::io::Error::new(
        std::io::ErrorKind::NotFound,
        format!("no {first} here or in {}/, from {archive}", kind.folder()),
    );
    DataError::io(dir, source)
}

/// The content of the file called `name`, which has the right size.
pub(super) fn read_file(
    kind: CifarKind,
    path: &Path,
    name: &str,
    size: CifarSize,
) -> Result<Vec<u8>, DataError> {
    let io = |e| DataError::io(path, e);
    let meta = match std::fs::metadata(path) {
        Ok(meta) => meta,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let dir = path.parent().unwrap_or(path);
            let found: Vec<&str> = kind
                .files(Split::Train)
                .iter()
                .chain(kind.files(Split::Test))
                .copied()
                .filter(|f| dir.join(f).exists())
                .collect();
            let message = format!("the file is missing; its folder has {}", found.join(", "));
            return Err(DataError::malformed(path, message));
        }
        Err(e) => return Err(io(e)),
    };
    if !meta.is_file() {
        return Err(DataError::malformed(path, "not a regular file"));
    }
    let mut file = File::open(path).map_err(io)?;
    let mut start = Vec::new();
    (&mut file).take(2).read_to_end(&mut start).map_err(io)?;
    check_size(kind, path, name, size, meta.len(), &start)?;
    let mut bytes = Vec::with_capacity(meta.len() as usize);
    bytes.append(&mut start);
    file.take(meta.len()).read_to_end(&mut bytes).map_err(io)?;
    check_size(kind, path, name, size, bytes.len() as u64, &bytes)?;
    Ok(bytes)
}

/// Checks a file's length; `start` is the beginning of its content.
fn check_size(
    kind: CifarKind,
    path: &Path,
    name: &str,
    size: CifarSize,
    found: u64,
    start: &[u8],
) -> Result<(), DataError> {
    let record = kind.record() as u64;
    let expected = record * kind.records(name) as u64;
    let fits = match size {
        CifarSize::Published => found == expected,
        CifarSize::Any => found > 0 && found.is_multiple_of(record) && found <= 100 * expected,
    };
    if fits {
        return Ok(());
    }
    let hint = match start {
        [0x1F, 0x8B, ..] => "; it is still gzip-compressed, unpack it with `gunzip`",
        [0x80, 2..=5, ..] => "; it is a Python pickle, the binary version is needed",
        _ => "",
    };
    let wanted = match size {
        CifarSize::Published => format!("{expected} bytes"),
        CifarSize::Any => format!("a multiple of {record} bytes"),
    };
    let message = format!("expected {wanted}, found {found}{hint}");
    Err(DataError::malformed(path, message))
}

/// Checks every label byte of a file.
pub(super) fn check_labels(kind: CifarKind, path: &Path, bytes: &[u8]) -> Result<(), DataError> {
    let ranges = kind.label_ranges();
    for (i, record) in bytes.chunks_exact(kind.record()).enumerate() {
        for (j, (&label, range)) in record.iter().zip(ranges).enumerate() {
            if label >= range.count {
                let at = i * kind.record() + j;
                let message = format!(
                    "record {i} at byte {at}: {} {label}, must be 0…{}",
                    range.name,
                    range.count - 1
                );
                return Err(DataError::malformed(path, message));
            }
        }
    }
    Ok(())
}

/// Compares the files of both splits by content.
pub(super) fn find_duplicates(
    kind: CifarKind,
    dir: &Path,
    split: Split,
    files: &[Content],
) -> Result<Report, DataError> {
    let other = match split {
        Split::Train => Split::Test,
        Split::Val | Split::Test => Split::Train,
    };
    let digest = |bytes: &[u8]| {
        let mut d = Digest::new("cifar file");
        d.bytes(bytes);
        d.finish()
    };
    let mut seen: Vec<(PathBuf, u64)> = files
        .iter()
        .map(|f| (f.path.clone(), digest(&f.bytes)))
        .collect();
    for name in kind.files(other) {
        let path = dir.join(name);
        let same_size = |meta: std::fs::Metadata| {
            meta.is_file() && files.iter().any(|f| f.bytes.len() as u64 == meta.len())
        };
        if std::fs::metadata(&path).is_ok_and(same_size) {
            let bytes = std::fs::read(&path).map_err(|e| DataError::io(&path, e))?;
            seen.push((path, digest(&bytes)));
        }
    }
    let mut report = Report::default();
    for (i, (path, hash)) in seen.iter().enumerate() {
        if let Some((first, _)) = seen[..i].iter().find(|(_, h)| h == hash) {
            let pair = format!("{} = {}", escape_path(first), escape_path(path));
            report.add(Notice::DuplicateContent, pair);
        }
    }
    Ok(report)
}
