//! From what a user writes to a dataset.

use crate::layout::{open_cifar, open_path};
use crate::shapes::{Shapes, ShapesConfig};
use crate::{
    ArchiveLimits, Cifar, CifarKind, CifarSize, DataError, Dataset, FashionMnist, FolderOptions,
    Holdout, IMAGENET_MEAN, IMAGENET_STD, Idx, Preprocess, Report, ResizeSpec, Size, Split,
    escape_path,
};
use std::fmt;
use std::path::PathBuf;
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
    /// A folder, of which what is in it tells the rest, or shards: `a-{000..146}.tar`,
    /// `a-{split}-{000..146}.tar`.
    Path(PathBuf),
}

/// How a dataset is opened.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// Where named sets live; without it, each set's usual places.
    pub data_dir: Option<PathBuf>,
    /// How folders of images are read.
    pub folder: FolderOptions,
    /// What archives may ask for.
    pub archives: ArchiveLimits,
    /// How many records CIFAR files must have.
    pub cifar: CifarSize,
    /// What shapes are drawn.
    pub shapes: ShapesConfig,
    /// A part of the training set for validation. Training then leaves it out,
    /// [`Split::Val`] is that part, and [`Split::Test`] stays.
    pub holdout: Option<Holdout>,
}

impl OpenOptions {
    /// The same, with shapes drawn at the size of a network's `input` (channels, height, width),
    /// where that is square.
    #[must_use]
    pub fn for_input(mut self, [_, height, width]: [usize; 3]) -> Self {
        if height == width {
            self.shapes.side = height;
        }
        self
    }
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
    /// ImageNet's test labels are secret: [`Split::Test`] is its validation set.
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
    /// Photographs of any size.
    pub(crate) fn photographs(dataset: Arc<dyn Dataset>, report: Report) -> Self {
        Self {
            dataset,
            report,
            native: None,
            mean: IMAGENET_MEAN.to_vec(),
            std: IMAGENET_STD.to_vec(),
        }
    }

    /// A dataset whose pictures all have the shape `native`.
    pub(crate) fn uniform(
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

    pub(crate) fn fashion_mnist(data: Idx) -> Self {
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
