//! What lies at a path, told by what is there.

use crate::imagenet::{self, ImageNet};
use crate::spec::{DatasetSpec, OpenOptions, Opened};
use crate::{
    Cifar, CifarKind, DataError, FashionMnist, Folder, Idx, Notice, Report, Split, escape_path,
    shards,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How names of parquet files end.
const PARQUET: &str = ".parquet";

/// Opens what lies at `path`.
pub(crate) fn open_path(
    path: &Path,
    split: Split,
    options: &OpenOptions,
) -> Result<Opened, DataError> {
    if let Some(pattern) = path.to_str().filter(|p| shards::is_pattern(p)) {
        return open_pattern(pattern, split, options);
    }
    if !path.exists() {
        return Err(DataError::Usage(format!(
            "{}: there is no such path, and no data set is called so; names are {}",
            escape_path(path),
            DatasetSpec::NAMES.join(", ")
        )));
    }
    if !path.is_dir() {
        return Err(DataError::Usage(format!(
            "{}: a data set is a folder with train/CLASS/ and val/CLASS/, with ImageNet's \
             archives, with tar shards, with parquet files, with CIFAR binaries or with IDX \
             files, or shards as in a-{{000..146}}.tar; this is a file",
            escape_path(path)
        )));
    }
    if let Some(found) = ImageNet::find(path)? {
        let opened = found.open(split, &options.folder, &options.archives)?;
        return Ok(Opened::photographs(opened.dataset, opened.report));
    }
    for (dir, extension) in [
        (path, ".tar"),
        (path, PARQUET),
        (&*path.join("data"), PARQUET),
    ] {
        let shards = dir
            .is_dir()
            .then(|| shards::in_folder(dir, extension, split));
        let shards = shards.transpose()?.unwrap_or_default();
        if !shards.is_empty() {
            let others = shards::in_folder(dir, extension, other(split))?;
            return open_shards(&shards, &others, path, options);
        }
        // Sets of a hub often have a training and a test set alone, as CIFAR has.
        if extension == PARQUET && split == Split::Val && dir.is_dir() {
            let tests = shards::in_folder(dir, extension, Split::Test)?;
            let others = shards::in_folder(dir, extension, Split::Train)?;
            if !tests.is_empty() {
                let mut opened = open_shards(&tests, &others, path, options)?;
                let message = "test instead of validation";
                opened.report.add(Notice::SplitReplaced, message);
                return Ok(opened);
            }
        }
    }
    open_folder(path, split, options)
}

/// Opens a folder of class folders, of CIFAR binaries or of IDX files.
fn open_folder(path: &Path, split: Split, options: &OpenOptions) -> Result<Opened, DataError> {
    let has_split = ["train", "val", "test"]
        .iter()
        .any(|s| path.join(s).is_dir());
    if !has_split {
        if let Some(kind) = Cifar::kind_in(path) {
            return open_cifar(kind, path, split, options);
        }
        if Idx::is_in(path) {
            return open_idx(path, split);
        }
        for kind in [CifarKind::Cifar10, CifarKind::Cifar100] {
            if let Err(error @ DataError::Malformed { .. }) = Cifar::find(kind, Some(path)) {
                return Err(error);
            }
        }
    }
    let opened = Folder::open(path, split, &options.folder)?;
    let titles = imagenet::titles(path, &opened.dataset)?;
    let dataset = opened.dataset.with_titles(titles);
    Ok(Opened::photographs(Arc::new(dataset), opened.report))
}

/// The split whose labels tell how many classes there are as well.
fn other(split: Split) -> Split {
    match split {
        Split::Train => Split::Val,
        Split::Val | Split::Test => Split::Train,
    }
}

/// Opens the shards that `pattern` names.
fn open_pattern(pattern: &str, split: Split, options: &OpenOptions) -> Result<Opened, DataError> {
    let paths = shards::named(pattern, split)?;
    // A set may have one split alone.
    let others = shards::named(pattern, other(split)).unwrap_or_default();
    let dir = paths
        .first()
        .and_then(|p| p.parent())
        .unwrap_or(Path::new(""));
    open_shards(&paths, &others, dir, options)
}

fn open_shards(
    paths: &[PathBuf],
    others: &[PathBuf],
    dir: &Path,
    options: &OpenOptions,
) -> Result<Opened, DataError> {
    let decode = options.folder.decode;
    if paths.iter().any(|path| is_parquet(path)) {
        return open_parquet(paths, others, dir, options);
    }
    let opened = shards::open(paths, others, dir, decode, &options.archives)?;
    let report: Report = opened.report;
    Ok(Opened::photographs(Arc::new(opened.dataset), report))
}

fn is_parquet(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == &PARQUET[1..])
}

#[cfg(feature = "parquet")]
fn open_parquet(
    paths: &[PathBuf],
    others: &[PathBuf],
    dir: &Path,
    options: &OpenOptions,
) -> Result<Opened, DataError> {
    let decode = options.folder.decode;
    let dataset = crate::parquet::open(paths, others, dir, decode, &options.archives)?;
    Ok(Opened::photographs(Arc::new(dataset), Report::default()))
}

#[cfg(not(feature = "parquet"))]
fn open_parquet(
    paths: &[PathBuf],
    _others: &[PathBuf],
    _dir: &Path,
    _options: &OpenOptions,
) -> Result<Opened, DataError> {
    Err(DataError::Usage(format!(
        "{}: this program was built without its reader of parquet files; build it with \
         --features parquet",
        escape_path(&paths[0])
    )))
}

pub(crate) fn open_cifar(
    kind: CifarKind,
    dir: &Path,
    split: Split,
    options: &OpenOptions,
) -> Result<Opened, DataError> {
    let (mean, std) = match kind {
        CifarKind::Cifar10 => ([0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]),
        CifarKind::Cifar100 => ([0.5071, 0.4865, 0.4409], [0.2673, 0.2564, 0.2762]),
    };
    let opened = Cifar::open(kind, dir, split, options.cifar)?;
    Ok(Opened {
        report: opened.report,
        ..Opened::uniform(opened.dataset, [3, 32, 32], &mean, &std)
    })
}

/// Opens a folder of IDX files. MNIST and Fashion-MNIST have the same file names: a folder
/// with `fashion` in its name holds the latter.
fn open_idx(path: &Path, split: Split) -> Result<Opened, DataError> {
    let name = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let is_fashion = name.file_name().is_some_and(|n| {
        let name = n.to_string_lossy().to_lowercase();
        name.contains("fashion")
    });
    if is_fashion {
        return Ok(Opened::fashion_mnist(FashionMnist::open(path, split)?));
    }
    let data = Idx::open(path, split, None)?;
    let native = data.native();
    Ok(Opened::uniform(data, native, &[0.1307], &[0.3081]))
}
