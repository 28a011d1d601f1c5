//! Which dataset.

use crate::output::Talk;
use anyhow::Result;
use clap::{Args, ValueEnum};
use inception_data::{DatasetSpec, FolderOptions, FollowSymlinks, OpenOptions, Opened, Split};
use std::path::PathBuf;

/// Part of a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SplitName {
    /// What weights are fitted to
    Train,
    /// What choices are made by
    Val,
    /// What is reported
    Test,
}

impl SplitName {
    pub(crate) fn split(self) -> Split {
        match self {
            Self::Train => Split::Train,
            Self::Val => Split::Val,
            Self::Test => Split::Test,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
        }
    }
}

/// Links inside folders of images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Links {
    /// Those whose target lies in the data set's folder
    #[default]
    Inside,
    /// All
    Everywhere,
    /// None
    Never,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Data")]
pub(crate) struct DataArgs {
    /// Data set: shapes, fashion-mnist, cifar10, cifar100, or a path (a folder with
    /// train/CLASS/ and val/CLASS/, ImageNet's archives or Kaggle's layout, tar shards,
    /// parquet files, CIFAR binaries, or IDX files; or shards as in a-{split}-{000..146}.tar)
    #[arg(long, value_name = "SPEC")]
    pub(crate) data: Option<String>,
    /// Where named data sets live
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Which symbolic links in folders of images are followed
    #[arg(long, value_name = "WHICH", value_enum, default_value_t)]
    pub(crate) follow_symlinks: Links,
}

impl DataArgs {
    pub(crate) fn options(&self) -> OpenOptions {
        OpenOptions {
            data_dir: self.data_dir.clone(),
            folder: FolderOptions {
                follow_symlinks: match self.follow_symlinks {
                    Links::Inside => FollowSymlinks::InsideRoot,
                    Links::Everywhere => FollowSymlinks::Everywhere,
                    Links::Never => FollowSymlinks::Never,
                },
                ..FolderOptions::default()
            },
            ..OpenOptions::default()
        }
    }

    /// Opens a split and says what was noticed about it.
    pub(crate) fn open(&self, spec: &str, split: Split, talk: Talk) -> Result<Opened> {
        open(spec, split, &self.options(), talk)
    }

    /// The same for a network with `input` (channels, height, width).
    pub(crate) fn open_for(
        &self,
        input: [usize; 3],
        spec: &str,
        split: Split,
        talk: Talk,
    ) -> Result<Opened> {
        open(spec, split, &self.options().for_input(input), talk)
    }
}

fn open(spec: &str, split: Split, options: &OpenOptions, talk: Talk) -> Result<Opened> {
    let opened = DatasetSpec::parse(spec)?.open(split, options)?;
    for line in opened.report.lines() {
        talk.warn(&line);
    }
    Ok(opened)
}
