//! ImageNet as its users have it: archives as downloaded, or folders with a flat validation
//! set.

mod kit;
mod mat;
#[cfg(test)]
mod tests;
mod train;
mod val;

use crate::archive::{Builder, Member, Walk, open_regular};
use crate::folder::{FlatFile, Root, list_classes, list_flat};
use crate::{
    ArchiveLimits, Archived, DataError, Dataset, DecodeOptions, Folder, FolderOptions, Report,
    Split,
};
use kit::{Kit, Synsets, Truth};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use train::ClassArchives;

pub(crate) use train::files;

const TRAIN_TAR: &str = "ILSVRC2012_img_train.tar";
const VAL_TAR: &str = "ILSVRC2012_img_val.tar";
/// Where Kaggle's archive keeps the pictures.
const KAGGLE: &str = "ILSVRC/Data/CLS-LOC";

/// A folder in which ImageNet was recognised.
pub(crate) struct ImageNet {
    train: Option<Train>,
    val: Option<Val>,
    /// The folder that pictures lie in, and those where lists are looked for.
    root: PathBuf,
    lists: Vec<PathBuf>,
}

enum Train {
    Archive(PathBuf),
    ClassArchives(PathBuf),
    Folder,
}

enum Val {
    Archive(PathBuf),
    Flat,
}

/// What was found in archives.
struct Found {
    builder: Builder,
    report: Report,
}

/// An open split.
pub(crate) struct OpenedImageNet {
    pub(crate) dataset: Arc<dyn Dataset>,
    pub(crate) report: Report,
}

impl ImageNet {
    /// Recognises ImageNet in `path` by its archives or by a flat `val/`; class folders alone
    /// are an ordinary data set.
    pub(crate) fn find(path: &Path) -> Result<Option<Self>, DataError> {
        let kaggle = path.join(KAGGLE);
        let root = if kaggle.is_dir() {
            kaggle
        } else {
            path.to_owned()
        };
        let mut lists = vec![path.to_owned()];
        if root != path {
            lists.push(root.clone());
        }
        lists.push(root.join("val"));
        let train_dir = root.join("train");
        let train = if root.join(TRAIN_TAR).is_file() {
            Some(Train::Archive(root.join(TRAIN_TAR)))
        } else if !train_dir.is_dir() {
            None
        } else if !train::class_archives_in(&train_dir)?.is_empty() {
            Some(Train::ClassArchives(train_dir))
        } else {
            Some(Train::Folder)
        };
        let val = if root.join(VAL_TAR).is_file() {
            Some(Val::Archive(root.join(VAL_TAR)))
        } else if root.join("val").is_dir() && is_flat(&root)? {
            Some(Val::Flat)
        } else {
            None
        };
        let ordinary = matches!(train, None | Some(Train::Folder)) && val.is_none();
        Ok((!ordinary || root != path).then_some(Self {
            train,
            val,
            root,
            lists,
        }))
    }

    /// Opens a split; [`Split::Test`] is the validation set, whose labels are public.
    pub(crate) fn open(
        &self,
        split: Split,
        folder: &FolderOptions,
        limits: &ArchiveLimits,
    ) -> Result<OpenedImageNet, DataError> {
        match split {
            Split::Train => self.open_train(folder, limits),
            Split::Val | Split::Test => self.open_val(folder, limits),
        }
    }

    fn open_train(
        &self,
        folder: &FolderOptions,
        limits: &ArchiveLimits,
    ) -> Result<OpenedImageNet, DataError> {
        let mut report = Report::default();
        let archives = match &self.train {
            Some(Train::Archive(path)) => ClassArchives::in_archive(path, limits, &mut report)?,
            Some(Train::ClassArchives(dir)) => ClassArchives::in_folder(dir)?,
            Some(Train::Folder) | None => return self.open_folder(Split::Train, folder),
        };
        let wnids = archives.wnids();
        let titles = self.titles(&wnids)?;
        let found = archives.index(limits)?;
        report.merge(found.report);
        let dataset = found.builder.finish(wnids, titles, folder.decode);
        Ok(OpenedImageNet {
            dataset: Arc::new(dataset),
            report,
        })
    }

    fn open_folder(
        &self,
        split: Split,
        folder: &FolderOptions,
    ) -> Result<OpenedImageNet, DataError> {
        let opened = Folder::open(&self.root, split, folder)?;
        let titles = self.titles(opened.dataset.classes())?;
        Ok(OpenedImageNet {
            dataset: Arc::new(opened.dataset.with_titles(titles)),
            report: opened.report,
        })
    }

    fn open_val(
        &self,
        folder: &FolderOptions,
        limits: &ArchiveLimits,
    ) -> Result<OpenedImageNet, DataError> {
        let mut report = Report::default();
        match &self.val {
            None => self.open_folder(Split::Val, folder),
            Some(Val::Archive(path)) => {
                let labels = self.labels(folder, limits)?;
                let dataset = labels.open_archive(path, folder.decode, limits, &mut report)?;
                Ok(OpenedImageNet {
                    dataset: Arc::new(dataset),
                    report,
                })
            }
            Some(Val::Flat) => {
                let labels = self.labels(folder, limits)?;
                let root = Root::new(&self.root, folder)?;
                let files = list_flat(&root, Path::new("val"), folder, &mut report)?;
                let dataset = labels.open_flat(&root, files, folder.decode)?;
                Ok(OpenedImageNet {
                    dataset: Arc::new(dataset),
                    report,
                })
            }
        }
    }

    /// The identifiers of the training set's categories, sorted, where it is there.
    fn train_wnids(
        &self,
        folder: &FolderOptions,
        limits: &ArchiveLimits,
    ) -> Result<Option<Vec<String>>, DataError> {
        Ok(match &self.train {
            None => None,
            Some(Train::Archive(path)) => {
                let archives = ClassArchives::in_archive(path, limits, &mut Report::default())?;
                Some(archives.wnids())
            }
            Some(Train::ClassArchives(dir)) => Some(ClassArchives::in_folder(dir)?.wnids()),
            Some(Train::Folder) => {
                let root = Root::new(&self.root, folder)?;
                let names = list_classes(&root, Path::new("train"), &mut Report::default())?;
                Some(names.iter().map(|n| crate::escape(n)).collect())
            }
        })
    }

    /// What the validation pictures' labels are.
    fn labels(
        &self,
        folder: &FolderOptions,
        limits: &ArchiveLimits,
    ) -> Result<ValLabels, DataError> {
        let kit = Kit::new(&self.lists);
        let trained = self.train_wnids(folder, limits)?;
        let listed = kit.synsets()?;
        let truth = match (&listed, &trained) {
            (Some(synsets), _) => kit.truth(Some(synsets))?,
            (None, Some(wnids)) => kit.truth(Some(&Synsets::of(wnids)))?,
            (None, None) => kit.truth(None)?,
        };
        let known = || {
            let synsets = listed.as_ref()?;
            Some(synsets.0.iter().map(|s| s.wnid.clone()).collect())
        };
        let wnids = trained.or_else(known).unwrap_or_else(|| truth.wnids());
        let titles = listed.map_or(Vec::new(), |s| s.titles(&wnids));
        Ok(ValLabels {
            truth,
            wnids,
            titles,
        })
    }

    fn titles(&self, wnids: &[String]) -> Result<Vec<String>, DataError> {
        let synsets = Kit::new(&self.lists).synsets()?;
        Ok(synsets.map_or(Vec::new(), |s| s.titles(wnids)))
    }
}

/// The labels of validation pictures, and the categories that they are of.
struct ValLabels {
    truth: Truth,
    wnids: Vec<String>,
    titles: Vec<String>,
}

impl ValLabels {
    fn open_archive(
        self,
        path: &Path,
        decode: DecodeOptions,
        limits: &ArchiveLimits,
        report: &mut Report,
    ) -> Result<Archived, DataError> {
        let file = open_regular(path)?;
        let mut entries = files(Walk::new(&file, path, limits)?, path, report)?;
        val::sort(path, &mut entries)?;
        let names = entries.iter().map(|e| &e.name[..]);
        let labels = val::labels(path, names, &self.truth, &self.wnids)?;
        let mut builder = Builder::default();
        let members = entries.into_iter().zip(labels);
        builder.archive(path, members.map(|(entry, label)| Member { entry, label }));
        Ok(builder.finish(self.wnids, self.titles, decode))
    }

    fn open_flat(
        self,
        root: &Root,
        files: Vec<FlatFile>,
        decode: DecodeOptions,
    ) -> Result<Folder, DataError> {
        let place = root.path().join("val");
        let names = files.iter().map(|f| f.path.as_os_str().as_encoded_bytes());
        let labels = val::labels(&place, names, &self.truth, &self.wnids)?;
        let folder = Folder::labelled(root, files, &labels, self.wnids, decode);
        Ok(folder.with_titles(self.titles))
    }
}

/// Whether `val/` holds pictures and no folders.
fn is_flat(root: &Path) -> Result<bool, DataError> {
    let mut pictures = false;
    let dir = root.join("val");
    let io = |e| DataError::io(&dir, e);
    for entry in std::fs::read_dir(&dir).map_err(io)? {
        let entry = entry.map_err(io)?;
        if entry.path().is_dir() {
            return Ok(false);
        }
        pictures |= crate::Format::of_name(&entry.path()).is_some();
    }
    Ok(pictures)
}

/// The words for the classes of `dataset` by a list in `dir`.
pub(crate) fn titles(dir: &Path, dataset: &Folder) -> Result<Vec<String>, DataError> {
    let synsets = Kit::new(&[dir.to_owned()]).synsets()?;
    Ok(synsets.map_or(Vec::new(), |s| s.titles(dataset.classes())))
}

/// Names of classes, and what they are in words.
pub(crate) struct ClassNames {
    pub(crate) names: Vec<String>,
    pub(crate) titles: Vec<String>,
}

/// The classes that a list in `dir` names: ImageNet's categories, or `classes.txt` with a
/// name a line.
pub(crate) fn read_classes(dir: &Path) -> Result<Option<ClassNames>, DataError> {
    let plain = dir.join("classes.txt");
    if plain.is_file() {
        let names = kit::lines(&plain)?;
        return Ok(Some(ClassNames {
            names: names
                .iter()
                .map(|n| crate::escape(n.trim().as_ref()))
                .collect(),
            titles: Vec::new(),
        }));
    }
    let synsets = Kit::new(&[dir.to_owned()]).synsets()?;
    Ok(synsets.map(|synsets| ClassNames {
        names: synsets.0.iter().map(|s| s.wnid.clone()).collect(),
        titles: synsets.0.iter().map(|s| s.words.clone()).collect(),
    }))
}
