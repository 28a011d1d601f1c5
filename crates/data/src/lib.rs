#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod archive;
pub mod baseline;
mod cifar;
mod dataset;
mod decode;
mod digest;
mod error;
mod escape;
mod fetch;
mod folder;
mod idx;
mod imagenet;
mod layout;
mod loader;
#[cfg(feature = "parquet")]
mod parquet;
mod preview;
mod report;
pub mod shapes;
mod shards;
mod spec;
mod stats;
mod subset;
mod transform;

pub use archive::{ArchiveLimits, Archived};
pub use cifar::{Cifar, CifarKind, CifarSize, OpenedCifar};
pub use dataset::{Dataset, Image, Inspection, Sample, Split};
pub use decode::{
    DecodeFailure, DecodeLimits, DecodeNote, DecodeOptions, Decoded, ExifOrientation, Format,
    decode, read_image,
};
pub use error::{DataError, ErrorKind};
pub use escape::{escape, escape_path};
pub use fetch::{DownloadError, FetchEvent, Fetchable, RemoteFile, download, fetch_files};
pub use folder::{EmptyClasses, Folder, FolderLimits, FolderOptions, FollowSymlinks, OpenedFolder};
pub use idx::{FASHION_MNIST_CLASSES, FASHION_MNIST_SYSTEM_DIR, FashionMnist, Idx};
pub use loader::{
    BadImages, Batch, LastBatch, Loader, LoaderConfig, Order, Position, SkipReport, SkippedItem,
};
pub use preview::{encode_png, restore, sheet};
pub use report::{Notice, Report, Tally};
pub use spec::{DatasetSpec, OpenOptions, Opened};
pub use stats::{BadItem, CheckReport, MeasureOptions, SizeCount, Stats, check, measure};
pub use subset::{Holdout, HoldoutParts, Subset};
pub use transform::{
    Augment, ColorJitter, ColorStep, CropPlan, CropTransform, Crops, Cut, IMAGENET_MEAN,
    IMAGENET_STD, Interpolation, Mirror, Mix, Mixture, Normalise, Operation, PadCrop, Pipeline,
    Placement, Policy, Preprocess, RandomCrop, RandomErasing, ResizeSpec, ResizedCrop, Size,
    Transform, View, Window, crop_and_resize, mirror_into, resize, resize_window,
};
