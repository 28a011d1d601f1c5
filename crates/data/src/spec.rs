//! From what a user writes to a dataset.

use crate::shapes::{Shapes, ShapesConfig};
use crate::{
    Cifar, CifarKind, CifarSize, DataError, Dataset, FashionMnist, Folder, FolderOptions, Holdout,
    IMAGENET_MEAN, IMAGENET_STD, Idx, Preprocess, Report, ResizeSpec, Size, Split, escape_path,
};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What `--data` names: a data set by name or by path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatasetSpec {
    /// Drawn shapes.
    Shapes,
    /// Fashion-MNIST.
    FashionMnist,
    /// CIFAR-10 or CIFAR-100.
    Cifar(CifarKind),
    /// A folder; what is in it tells the rest.
    Path(PathBuf),
}

/// How a dataset is opened.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// Where named sets live; without it, each set's usual places.
    pub data_dir: Option<PathBuf>,
    /// How folders of images are read.
    pub folder: FolderOptions,
    /// How many records CIFAR files must have.
    pub cifar: CifarSize,
    /// What shapes are drawn.
    pub shapes: ShapesConfig,
    /// A part of the training set for validation. Training then leaves it out,
    /// [`Split::Val`] is that part, and [`Split::Test`] stays.
    pub holdout: Option<Holdout>,
}

/// An open dataset.
pub struct Opened {
    /// The items.
    pub dataset: Arc<dyn Dataset>,
    /// What was skipped or looks odd.
    pub report: Report,
    /// Channels, height and width of every picture, where all are alike.
    pub native: Option<[usize; 3]>,
    /// Mean of each channel over the training set, or a common stand-in.
    pub mean: Vec<f32>,
    /// Standard deviation of each channel, likewise.
    pub std: Vec<f32>,
}

impl DatasetSpec {
    /// The named sets.
    pub const NAMES: [&str; 4] = ["shapes", "fashion-mnist", "cifar10", "cifar100"];

    /// A name, or else a path; `./shapes` is the path. Hyphens and underscores in names do
    /// not matter. The disk is not looked at.
    ///
    /// # Errors
    /// When `text` is empty.
    ///
    /// # Examples
    /// ```
    /// use inception_data::{CifarKind, DatasetSpec};
    ///
    /// let parse = |text| DatasetSpec::parse(text).unwrap();
    /// assert_eq!(parse("cifar-10"), DatasetSpec::Cifar(CifarKind::Cifar10));
    /// assert_eq!(parse("./shapes"), DatasetSpec::Path("./shapes".into()));
    /// ```
    pub fn parse(text: &str) -> Result<Self, DataError> {
        if text.is_empty() {
            return Err(DataError::Usage(format!(
                "a data set is {} or a path, found nothing",
                Self::NAMES.join(", ")
            )));
        }
        Ok(match text.replace(['-', '_'], "").as_str() {
            "shapes" => Self::Shapes,
            "fashionmnist" => Self::FashionMnist,
            "cifar10" => Self::Cifar(CifarKind::Cifar10),
            "cifar100" => Self::Cifar(CifarKind::Cifar100),
            _ => Self::Path(PathBuf::from(text)),
        })
    }

    /// Opens one split.
    ///
    /// Fashion-MNIST, CIFAR and IDX folders have a training and a test set: [`Split::Val`]
    /// is the test set unless [`OpenOptions::holdout`] asks for a part of the training set.
    /// Folders have `train/`, `val/` and perhaps `test/`, else [`Split::Test`] is `val/`.
    ///
    /// # Errors
    /// When the data are not there, are malformed or above a limit.
    pub fn open(&self, split: Split, options: &OpenOptions) -> Result<Opened, DataError> {
        let Some(holdout) = options.holdout.filter(|_| split != Split::Test) else {
            return self.open_split(split, options);
        };
        let opened = self.open_split(Split::Train, options)?;
        let parts = holdout.split(&opened.dataset)?;
        let part = match split {
            Split::Train => parts.train,
            Split::Val | Split::Test => parts.val,
        };
        Ok(Opened {
            dataset: Arc::new(part),
            ..opened
        })
    }

    fn open_split(&self, split: Split, options: &OpenOptions) -> Result<Opened, DataError> {
        let data_dir = options.data_dir.as_deref();
        match self {
            Self::Shapes => {
                let side = options.shapes.side;
                let shapes = Shapes::new(options.shapes.clone(), split)?;
                Ok(Opened::uniform(
                    shapes,
                    [3, side, side],
                    &[0.5; 3],
                    &[0.265; 3],
                ))
            }
            Self::FashionMnist => {
                let dir = FashionMnist::find(data_dir)?;
                Ok(Opened::fashion_mnist(FashionMnist::open(&dir, split)?))
            }
            Self::Cifar(kind) => {
                let dir = Cifar::find(*kind, data_dir)?;
                open_cifar(*kind, &dir, split, options)
            }
            Self::Path(path) => open_path(path, split, options),
        }
    }
}

impl fmt::Display for DatasetSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shapes => f.write_str("shapes"),
            Self::FashionMnist => f.write_str("fashion-mnist"),
            Self::Cifar(kind) => f.write_str(kind.name()),
            Self::Path(path) => f.write_str(&escape_path(path)),
        }
    }
}

impl Opened {
    /// A dataset whose pictures all have the shape `native`.
    fn uniform(
        dataset: impl Dataset + 'static,
        native: [usize; 3],
        mean: &[f32],
        std: &[f32],
    ) -> Self {
        Self {
            dataset: Arc::new(dataset),
            report: Report::default(),
            native: Some(native),
            mean: mean.to_vec(),
            std: std.to_vec(),
        }
    }

    fn fashion_mnist(data: Idx) -> Self {
        let native = data.native();
        Self::uniform(data, native, &[0.286], &[0.353])
    }

    /// What a network with `input` (channels, height, width) should do with these pictures:
    /// those of one size are taken as they are, or stretched to another size; others are
    /// treated as photographs.
    pub fn preprocess(&self, input: [usize; 3]) -> Preprocess {
        let [channels, height, width] = input;
        let mut preprocess = Preprocess::photograph(height, width);
        preprocess.input = input;
        if let Some([_, h, w]) = self.native {
            preprocess.resize = ([h, w] != [height, width]).then_some(ResizeSpec::Stretch);
        }
        preprocess.mean = for_channels(&self.mean, channels);
        preprocess.std = for_channels(&self.std, channels);
        preprocess
    }

    /// The pictures' size, where all are alike.
    pub fn native_size(&self) -> Option<Size> {
        self.native.map(|[_, height, width]| Size { width, height })
    }
}

/// `values` for another number of channels: repeated, or their mean.
fn for_channels(values: &[f32], channels: usize) -> Vec<f32> {
    if values.len() == channels {
        return values.to_vec();
    }
    let mean = values.iter().sum::<f32>() / values.len() as f32;
    vec![mean; channels]
}

fn open_cifar(
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

/// Opens what lies at `path`.
fn open_path(path: &Path, split: Split, options: &OpenOptions) -> Result<Opened, DataError> {
    if !path.exists() {
        return Err(DataError::Usage(format!(
            "{}: there is no such path, and no data set is called so; names are {}",
            escape_path(path),
            DatasetSpec::NAMES.join(", ")
        )));
    }
    if !path.is_dir() {
        return Err(DataError::Usage(format!(
            "{}: a data set is a folder with train/CLASS/ and val/CLASS/, with CIFAR binaries \
             or with IDX files; this is a file",
            escape_path(path)
        )));
    }
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
    Ok(Opened {
        dataset: Arc::new(opened.dataset),
        report: opened.report,
        native: None,
        mean: IMAGENET_MEAN.to_vec(),
        std: IMAGENET_STD.to_vec(),
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
