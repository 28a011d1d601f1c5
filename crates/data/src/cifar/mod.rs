//! CIFAR-10 and CIFAR-100 in their binary version.

mod files;

use crate::digest::Digest;
use crate::escape::escape_path;
use crate::{DataError, Dataset, Image, Report, Sample, Split};
use files::{check_labels, find_duplicates, find_folder, folders, has_files, read_file};
use std::path::{Path, PathBuf};

/// Bytes of a picture: 1024 red, 1024 green, 1024 blue.
const PICTURE: usize = 3 * 1024;

const CIFAR10_CLASSES: &str = "airplane automobile bird cat deer dog frog horse ship truck";

const CIFAR100_CLASSES: &str = "apple aquarium_fish baby bear beaver bed bee beetle bicycle \
    bottle bowl boy bridge bus butterfly camel can castle caterpillar cattle chair chimpanzee \
    clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant flatfish forest \
    fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man \
    maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear \
    pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket \
    rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar sunflower \
    sweet_pepper table tank telephone television tiger tractor train trout tulip turtle \
    wardrobe whale willow_tree wolf woman worm";

/// Which of the two sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CifarKind {
    /// 10 classes; five training files and a test file.
    Cifar10,
    /// 100 fine classes; one training file and a test file.
    Cifar100,
}

impl CifarKind {
    /// `cifar10` or `cifar100`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cifar10 => "cifar10",
            Self::Cifar100 => "cifar100",
        }
    }

    /// Names of the classes, by label.
    pub fn classes(self) -> impl Iterator<Item = &'static str> {
        let text = match self {
            Self::Cifar10 => CIFAR10_CLASSES,
            Self::Cifar100 => CIFAR100_CLASSES,
        };
        text.split_whitespace()
    }

    /// The folder inside the archive that the authors publish.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Cifar10 => "cifar-10-batches-bin",
            Self::Cifar100 => "cifar-100-binary",
        }
    }

    /// The archive with that folder.
    pub fn archive(self) -> &'static str {
        match self {
            Self::Cifar10 => "cifar-10-binary.tar.gz",
            Self::Cifar100 => "cifar-100-binary.tar.gz",
        }
    }

    /// The files of a split.
    pub fn files(self, split: Split) -> &'static [&'static str] {
        match (self, split) {
            (Self::Cifar10, Split::Train) => &[
                "data_batch_1.bin",
                "data_batch_2.bin",
                "data_batch_3.bin",
                "data_batch_4.bin",
                "data_batch_5.bin",
            ],
            (Self::Cifar10, Split::Val | Split::Test) => &["test_batch.bin"],
            (Self::Cifar100, Split::Train) => &["train.bin"],
            (Self::Cifar100, Split::Val | Split::Test) => &["test.bin"],
        }
    }

    /// The lists of class names in the archive.
    pub(crate) fn lists(self) -> &'static [&'static str] {
        match self {
            Self::Cifar10 => &["batches.meta.txt"],
            Self::Cifar100 => &["coarse_label_names.txt", "fine_label_names.txt"],
        }
    }

    /// Label bytes before each picture.
    fn label_bytes(self) -> usize {
        match self {
            Self::Cifar10 => 1,
            Self::Cifar100 => 2,
        }
    }

    fn record(self) -> usize {
        self.label_bytes() + PICTURE
    }

    /// Records of the published file `name`.
    fn records(self, name: &str) -> usize {
        if name == "train.bin" { 50_000 } else { 10_000 }
    }

    /// How many values each label byte of a record may take.
    fn label_ranges(self) -> &'static [LabelRange] {
        match self {
            Self::Cifar10 => &[LabelRange {
                name: "label",
                count: 10,
            }],
            Self::Cifar100 => &[
                LabelRange {
                    name: "coarse label",
                    count: 20,
                },
                LabelRange {
                    name: "fine label",
                    count: 100,
                },
            ],
        }
    }
}

struct LabelRange {
    name: &'static str,
    count: u8,
}

/// How many records a file must have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CifarSize {
    /// As many as the published file.
    #[default]
    Published,
    /// Any whole number above 0: extracts of the set.
    Any,
}

/// CIFAR pictures, 32×32 RGB, held in memory.
pub struct Cifar {
    kind: CifarKind,
    files: Vec<Content>,
    labels: Vec<u8>,
    classes: Vec<String>,
}

/// One file's records.
struct Content {
    path: PathBuf,
    /// Index of its first record in the dataset.
    first: usize,
    bytes: Vec<u8>,
}

/// A [`Cifar`] and what was noticed.
pub struct OpenedCifar {
    /// The pictures.
    pub dataset: Cifar,
    /// Files with the same content.
    pub report: Report,
}

impl Cifar {
    /// Reads one split from `dir` or from the archive's folder in it; [`Split::Val`] is the
    /// test set.
    ///
    /// Files of the other split are compared where they are there: the same content under
    /// two names is reported as [`crate::Notice::DuplicateContent`].
    ///
    /// # Errors
    /// When a file is missing, has another size than `size` asks for, is still compressed
    /// or a Python pickle, or has a label out of range; the message names record and byte.
    pub fn open(
        kind: CifarKind,
        dir: &Path,
        split: Split,
        size: CifarSize,
    ) -> Result<OpenedCifar, DataError> {
        let dir = find_folder(kind, dir)?;
        let mut files = Vec::new();
        let mut labels = Vec::new();
        for name in kind.files(split) {
            let path = dir.join(name);
            let bytes = read_file(kind, &path, name, size)?;
            check_labels(kind, &path, &bytes)?;
            let first = labels.len();
            let label = kind.label_bytes() - 1;
            labels.extend(bytes.chunks_exact(kind.record()).map(|r| r[label]));
            files.push(Content { path, first, bytes });
        }
        let report = find_duplicates(kind, &dir, split, &files)?;
        let classes = kind.classes().map(str::to_owned).collect();
        Ok(OpenedCifar {
            dataset: Self {
                kind,
                files,
                labels,
                classes,
            },
            report,
        })
    }

    /// Which set's files lie in `dir` or in an archive's folder in it.
    pub fn kind_in(dir: &Path) -> Option<CifarKind> {
        [CifarKind::Cifar10, CifarKind::Cifar100]
            .into_iter()
            .find(|&kind| folders(kind, dir).iter().any(|d| has_files(kind, d)))
    }

    /// The folder with the set's files: `data_dir` when given, else `data`, or a subfolder of
    /// it called `cifar10` or `cifar100`.
    ///
    /// # Errors
    /// When none of them holds the files; the message says how to get them.
    pub fn find(kind: CifarKind, data_dir: Option<&Path>) -> Result<PathBuf, DataError> {
        let base = data_dir.unwrap_or(Path::new("data"));
        let candidates = [base.to_owned(), base.join(kind.name())];
        for dir in &candidates {
            match find_folder(kind, dir) {
                Ok(found) => return Ok(found),
                // Something is there, in another form.
                Err(error @ DataError::Malformed { .. }) => return Err(error),
                Err(_) => {}
            }
        }
        let tried: Vec<String> = candidates.iter().map(|p| escape_path(p)).collect();
        Err(DataError::Usage(format!(
            "{} is in none of {}: `inception data fetch {}` gets it, or unpack {} from \
             https://www.cs.toronto.edu/~kriz/cifar.html there, or name its folder with \
             --data-dir",
            kind.name(),
            tried.join(", "),
            kind.name(),
            kind.archive()
        )))
    }

    /// The file of record `i`, and the record's place in it.
    fn place(&self, i: usize) -> Place<'_> {
        let file = self.files.partition_point(|f| f.first <= i) - 1;
        let content = &self.files[file];
        Place {
            content,
            record: i - content.first,
        }
    }
}

struct Place<'a> {
    content: &'a Content,
    record: usize,
}

impl Dataset for Cifar {
    fn len(&self) -> usize {
        self.labels.len()
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn label(&self, i: usize) -> u32 {
        u32::from(self.labels[i])
    }

    fn get(&self, i: usize) -> Result<Sample, DataError> {
        let label = self.label(i);
        let place = self.place(i);
        let start = place.record * self.kind.record() + self.kind.label_bytes();
        let planes = &place.content.bytes[start..][..PICTURE];
        let (red, rest) = planes.split_at(1024);
        let (green, blue) = rest.split_at(1024);
        let mut pixels = Vec::with_capacity(PICTURE);
        for ((&r, &g), &b) in red.iter().zip(green).zip(blue) {
            pixels.extend([r, g, b]);
        }
        Ok(Sample {
            image: Image {
                width: 32,
                height: 32,
                channels: 3,
                pixels,
            },
            label,
        })
    }

    fn origin(&self, i: usize) -> String {
        let place = self.place(i);
        format!(
            "{} record {}",
            escape_path(&place.content.path),
            place.record
        )
    }

    fn fingerprint(&self) -> u64 {
        let mut digest = Digest::new("cifar");
        digest.word(self.classes.len() as u64);
        digest.bytes(&self.labels);
        digest.finish()
    }
}
