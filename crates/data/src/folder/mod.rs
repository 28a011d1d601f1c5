//! Folders of images, a folder per class.

mod classes;
mod flat;
mod scan;

use crate::decode::{DecodeOptions, read_image};
use crate::digest::Digest;
use crate::escape::escape_path;
use crate::{DataError, Dataset, Inspection, Notice, Report, Sample, Split};
use scan::scan_class;
use std::path::{Path, PathBuf};

pub(crate) use classes::list_classes;
pub(crate) use flat::{FlatFile, list_flat};
pub(crate) use scan::{Root, list_folder};

/// Which symbolic links inside a data set are followed. The root itself may always be one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FollowSymlinks {
    /// Those whose target lies under the root.
    #[default]
    InsideRoot,
    /// All.
    Everywhere,
    /// None.
    Never,
}

/// What a class folder without images is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EmptyClasses {
    /// An error that lists all of them.
    #[default]
    Refuse,
    /// A class without items: the labels of the others stay.
    Keep,
}

/// How much a folder may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FolderLimits {
    /// Entries of all kinds in one split: 50 million.
    pub entries: u64,
    /// Folders below a class folder: 16.
    pub depth: usize,
}

impl Default for FolderLimits {
    fn default() -> Self {
        Self {
            entries: 50_000_000,
            depth: 16,
        }
    }
}

/// How a folder is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FolderOptions {
    /// Which symbolic links are followed.
    pub follow_symlinks: FollowSymlinks,
    /// What a class folder without images is.
    pub empty_classes: EmptyClasses,
    /// How much a folder may hold.
    pub limits: FolderLimits,
    /// How images are decoded.
    pub decode: DecodeOptions,
}

/// Images in `ROOT/train/CLASS/` and `ROOT/val/CLASS/`, decoded when they are asked for.
///
/// Classes are the folders of `train` (of `val` where there is no `train`) in the order of
/// their names' bytes, items are in the order of their paths' bytes: whatever order the
/// file system has, labels and items are the same. A class folder may have subfolders.
/// Files are images when their names end in `.jpg`, `.jpeg`, `.png` or `.webp`, in any
/// case; what they really are is told by their content.
pub struct Folder {
    root: PathBuf,
    items: Vec<Item>,
    classes: Vec<String>,
    titles: Vec<String>,
    decode: DecodeOptions,
    fingerprint: u64,
}

/// A file and its class.
#[derive(Debug)]
struct Item {
    label: u32,
    /// Relative to the root.
    path: PathBuf,
    bytes: u64,
}

impl Item {
    /// What items are ordered by: class, then the bytes of the path.
    fn key(&self) -> (u32, &[u8]) {
        (self.label, self.path.as_os_str().as_encoded_bytes())
    }
}

/// A [`Folder`] and what was noticed in it.
pub struct OpenedFolder {
    /// The images.
    pub dataset: Folder,
    /// What was skipped or looks odd.
    pub report: Report,
}

impl Folder {
    /// Lists one split of `root`; [`Split::Test`] is `test/`, or `val/` where there is no
    /// `test/`, which is reported.
    ///
    /// Files that cannot be used are left out and counted in the report: pipes, sockets and
    /// devices (which are never opened), dangling links, links out of the root unless
    /// `options` say otherwise, names that are no image's.
    ///
    /// # Errors
    /// When the root or the split is missing or unreadable, there is no class folder, a
    /// class has no image, `train` and `val` have different classes, or a limit is reached.
    pub fn open(
        root: &Path,
        split: Split,
        options: &FolderOptions,
    ) -> Result<OpenedFolder, DataError> {
        let mut report = Report::default();
        let root = Root::new(root, options)?;
        let dir = split_folder(&root, split, &mut report)?;
        let names = agreed_classes(&root, &dir, &mut report)?;
        let mut items = Vec::new();
        let mut scan = scan::Scan::new(&root, options, &mut report);
        for (label, name) in names.iter().enumerate() {
            scan_class(&mut scan, &dir.join(name), label as u32, &mut items)?;
        }
        scan.follow_links(&mut items)?;
        items.sort_unstable_by(|a, b| a.key().cmp(&b.key()));
        let classes: Vec<String> = names.iter().map(|n| crate::escape(n)).collect();
        refuse_empty(&root, &dir, &classes, &items, options, &mut report)?;
        Ok(OpenedFolder {
            dataset: Self {
                fingerprint: fingerprint(&classes, &items),
                root: root.path().to_owned(),
                items,
                classes,
                titles: Vec::new(),
                decode: options.decode,
            },
            report,
        })
    }

    /// Files whose classes are known from elsewhere: `labels` are theirs.
    pub(crate) fn labelled(
        root: &Root,
        files: Vec<FlatFile>,
        labels: &[u32],
        classes: Vec<String>,
        decode: DecodeOptions,
    ) -> Self {
        let items = files.into_iter().zip(labels);
        let items: Vec<Item> = items
            .map(|(FlatFile { path, bytes }, &label)| Item { label, path, bytes })
            .collect();
        Self {
            fingerprint: fingerprint(&classes, &items),
            root: root.path().to_owned(),
            items,
            classes,
            titles: Vec::new(),
            decode,
        }
    }

    /// The same with words for its classes.
    pub(crate) fn with_titles(self, titles: Vec<String>) -> Self {
        Self { titles, ..self }
    }

    /// The file of item `i`.
    ///
    /// # Panics
    /// When `i` is out of range.
    pub fn path(&self, i: usize) -> PathBuf {
        self.root.join(&self.items[i].path)
    }
}

impl Dataset for Folder {
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
        let decoded = read_image(&self.path(i), &self.decode)?;
        Ok(Inspection {
            sample: Sample {
                image: decoded.image,
                label: self.label(i),
            },
            notes: decoded.notes,
        })
    }

    fn origin(&self, i: usize) -> String {
        escape_path(&self.path(i))
    }

    fn fingerprint(&self) -> u64 {
        self.fingerprint
    }
}

/// The names of a split's folder, in order of preference.
fn split_names(split: Split) -> &'static [&'static str] {
    match split {
        Split::Train => &["train"],
        Split::Val => &["val"],
        Split::Test => &["test", "val"],
    }
}

/// The folder of `split`, relative to the root.
fn split_folder(root: &Root, split: Split, report: &mut Report) -> Result<PathBuf, DataError> {
    let names = split_names(split);
    let Some(name) = names.iter().find(|n| root.path().join(n).is_dir()) else {
        return Err(explain_missing_split(root, names[0]));
    };
    if *name != names[0] {
        let message = format!("{} instead of {}", name, names[0]);
        report.add(Notice::SplitReplaced, message);
    }
    let dir = PathBuf::from(name);
    root.check_split(&dir)?;
    Ok(dir)
}

/// Says what `root` has instead of the folder `wanted`.
fn explain_missing_split(root: &Root, wanted: &str) -> DataError {
    let folders: Vec<String> = match list_classes(root, Path::new(""), &mut Report::default()) {
        Ok(names) => names.iter().map(|n| crate::escape(n)).collect(),
        Err(error) => return error,
    };
    let any_split = ["train", "val", "test"]
        .iter()
        .any(|s| folders.iter().any(|f| f == s));
    if any_split {
        let found = folders.join(", ");
        return DataError::Usage(format!(
            "{}: no folder {wanted}/, found {found}",
            escape_path(root.path())
        ));
    }
    let shown = match folders.len() {
        0 => "found 0 classes".to_owned(),
        n => format!(
            "found 0 classes: classes belong into {wanted}/, found {n} folders here ({}{})",
            folders[..n.min(5)].join(", "),
            if n > 5 { ", …" } else { "" }
        ),
    };
    DataError::malformed(
        root.path(),
        format!("{shown}; a data set has train/CLASS/ and val/CLASS/"),
    )
}

/// The class names of the split in `dir`, which must be those of every other split.
fn agreed_classes(
    root: &Root,
    dir: &Path,
    report: &mut Report,
) -> Result<Vec<std::ffi::OsString>, DataError> {
    let names = list_classes(root, dir, report)?;
    if names.is_empty() {
        return Err(DataError::malformed(
            &root.path().join(dir),
            "found 0 classes: there is no folder in it",
        ));
    }
    for other in ["train", "val"].map(Path::new) {
        let readable = root.path().join(other).is_dir() && root.check_split(other).is_ok();
        if other == dir || !readable {
            continue;
        }
        let others = list_classes(root, other, &mut Report::default())?;
        if others.is_empty() {
            // Pictures without folders, whose classes another file tells.
            continue;
        }
        let missing = |from: &[std::ffi::OsString], of: &[std::ffi::OsString]| {
            let names = of.iter().filter(|n| from.binary_search(n).is_err());
            names.map(|n| crate::escape(n)).collect::<Vec<_>>()
        };
        let only_here = missing(&others, &names);
        let only_there = missing(&names, &others);
        if !only_here.is_empty() || !only_there.is_empty() {
            let message = format!(
                "the splits have different classes; only in {}: {}; only in {}: {}",
                dir.display(),
                shorten(&only_here),
                other.display(),
                shorten(&only_there)
            );
            return Err(DataError::malformed(root.path(), message));
        }
    }
    Ok(names)
}

/// Up to 20 names and the number of the rest.
fn shorten(names: &[String]) -> String {
    match names.len() {
        0 => "none".to_owned(),
        n if n <= 20 => names.join(", "),
        n => format!("{} and {} more", names[..20].join(", "), n - 20),
    }
}

fn refuse_empty(
    root: &Root,
    dir: &Path,
    classes: &[String],
    items: &[Item],
    options: &FolderOptions,
    report: &mut Report,
) -> Result<(), DataError> {
    let mut full = vec![false; classes.len()];
    items.iter().for_each(|i| full[i.label as usize] = true);
    let empty: Vec<String> = classes
        .iter()
        .zip(full)
        .filter(|(_, full)| !full)
        .map(|(name, _)| name.clone())
        .collect();
    if !empty.is_empty() && options.empty_classes == EmptyClasses::Refuse {
        let skipped = report.skipped();
        let hint = if skipped > 0 {
            let lines: Vec<String> = report.lines().collect();
            format!("; {skipped} entries were skipped: {}", lines.join("; "))
        } else {
            String::new()
        };
        let message = format!(
            "{} of {} class folders have no image: {}{hint}",
            empty.len(),
            classes.len(),
            shorten(&empty)
        );
        return Err(DataError::malformed(&root.path().join(dir), message));
    }
    empty
        .into_iter()
        .for_each(|name| report.add(Notice::EmptyClass, name));
    Ok(())
}

fn fingerprint(classes: &[String], items: &[Item]) -> u64 {
    let mut digest = Digest::new("folder");
    classes.iter().for_each(|c| digest.bytes(c.as_bytes()));
    for item in items {
        digest.word(u64::from(item.label));
        digest.word(item.bytes);
        digest.bytes(item.path.as_os_str().as_encoded_bytes());
    }
    digest.finish()
}
