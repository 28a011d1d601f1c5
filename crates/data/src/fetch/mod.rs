//! Getting named data sets.

mod http;
mod unpack;

pub use http::{DownloadError, download};

use crate::{CifarKind, DataError, escape_path};
use md5::{Digest, Md5};
use std::fmt::Write;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A file that can be downloaded, and how it is recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteFile {
    /// Its name at the base address and on disk.
    pub name: String,
    /// The MD5 sum that its publisher gives, in hexadecimal: it tells a damaged or cut file,
    /// and is no defence against forgery.
    pub md5: String,
}

/// What becomes of a downloaded file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Keep,
    Unpack(CifarKind),
}

/// A named data set that can be downloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetchable {
    /// Four compressed IDX files, 30 MB.
    FashionMnist,
    /// An archive of CIFAR-10 or CIFAR-100 in the binary version, 160 MB.
    Cifar(CifarKind),
}

/// What [`Fetchable::fetch`] tells while it works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchEvent<'a> {
    /// A file is there already, with the right content.
    Present(&'a Path),
    /// A download goes on.
    Progress {
        /// The address.
        url: &'a str,
        /// Bytes on disk, those of an earlier try included.
        bytes: u64,
        /// Bytes in all, where the server says so.
        total: Option<u64>,
    },
    /// A file was downloaded and its content is right.
    Fetched(&'a Path),
}

impl Fetchable {
    /// All of them.
    pub const ALL: [Self; 3] = [
        Self::FashionMnist,
        Self::Cifar(CifarKind::Cifar10),
        Self::Cifar(CifarKind::Cifar100),
    ];

    /// The name in `--data`.
    pub fn name(self) -> &'static str {
        match self {
            Self::FashionMnist => "fashion-mnist",
            Self::Cifar(kind) => kind.name(),
        }
    }

    /// The set called `name`.
    ///
    /// # Errors
    /// When there is none, or it cannot be downloaded.
    pub fn from_name(name: &str) -> Result<Self, DataError> {
        let plain = |name: &str| name.replace(['-', '_'], "");
        let found = Self::ALL
            .into_iter()
            .find(|s| plain(s.name()) == plain(name));
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            let found = name.escape_debug();
            DataError::Usage(format!("{names} can be fetched, found {found}"))
        })
    }

    /// Where its publisher keeps it.
    pub fn base(self) -> &'static str {
        match self {
            Self::FashionMnist => "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
            Self::Cifar(_) => "https://www.cs.toronto.edu/~kriz",
        }
    }

    /// Its files.
    pub fn files(self) -> Vec<RemoteFile> {
        let files: &[(&str, &str)] = match self {
            Self::FashionMnist => &[
                (
                    "train-images-idx3-ubyte.gz",
                    "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
                ),
                (
                    "train-labels-idx1-ubyte.gz",
                    "25c81989df183df01b3e8a0aad5dffbe",
                ),
                (
                    "t10k-images-idx3-ubyte.gz",
                    "bef4ecab320f06d8554ea6380940ec79",
                ),
                (
                    "t10k-labels-idx1-ubyte.gz",
                    "bb300cfdad3c16e7a12a480ee83cd310",
                ),
            ],
            Self::Cifar(CifarKind::Cifar10) => {
                &[("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530")]
            }
            Self::Cifar(CifarKind::Cifar100) => &[(
                "cifar-100-binary.tar.gz",
                "03b5dce01913d631647c71ecec9e9cb8",
            )],
        };
        let file = |&(name, md5): &(&str, &str)| RemoteFile {
            name: name.to_owned(),
            md5: md5.to_owned(),
        };
        files.iter().map(file).collect()
    }

    /// Downloads what is missing into `data_dir/NAME` and verifies everything; that folder
    /// is returned. `base` is another place to fetch from.
    ///
    /// A download that broke off goes on where it stopped. An archive is kept and its files
    /// are unpacked beside it. When everything is there already, no connection is made.
    ///
    /// # Errors
    /// When a server cannot be reached or refuses, the disk is full, or a file's sum is not
    /// the published one (the file is removed then).
    pub fn fetch(
        self,
        data_dir: &Path,
        base: Option<&str>,
        tell: &mut dyn FnMut(FetchEvent<'_>),
    ) -> Result<PathBuf, DataError> {
        let dir = data_dir.join(self.name());
        fetch_files(base.unwrap_or(self.base()), &dir, &self.files(), tell)?;
        if let Then::Unpack(kind) = self.then() {
            unpack::unpack(kind, &dir)?;
        }
        Ok(dir)
    }

    fn then(self) -> Then {
        match self {
            Self::FashionMnist => Then::Keep,
            Self::Cifar(kind) => Then::Unpack(kind),
        }
    }
}

/// Downloads those of `files` that `dir` lacks from `base`, and verifies all.
///
/// # Errors
/// As [`Fetchable::fetch`].
pub fn fetch_files(
    base: &str,
    dir: &Path,
    files: &[RemoteFile],
    tell: &mut dyn FnMut(FetchEvent<'_>),
) -> Result<(), DataError> {
    std::fs::create_dir_all(dir).map_err(|e| DataError::io(dir, e))?;
    for file in files {
        let path = dir.join(&file.name);
        if path.is_file() {
            verify(&path, &file.md5)?;
            tell(FetchEvent::Present(&path));
            continue;
        }
        let part = dir.join(format!("{}.part", file.name));
        let url = format!("{}/{}", base.trim_end_matches('/'), file.name);
        let mut progress = |bytes, total| {
            tell(FetchEvent::Progress {
                url: &url,
                bytes,
                total,
            });
        };
        http::download(&url, None, &part, &mut progress).map_err(|e| e.of_set(&url, dir))?;
        if let Err(error) = verify(&part, &file.md5) {
            // Going on from wrong bytes would never end well.
            std::fs::remove_file(&part).map_err(|e| DataError::io(&part, e))?;
            return Err(error);
        }
        std::fs::rename(&part, &path).map_err(|e| DataError::io(&path, e))?;
        sync_folder(dir)?;
        tell(FetchEvent::Fetched(&path));
    }
    Ok(())
}

/// Makes new names in `dir` durable.
fn sync_folder(dir: &Path) -> Result<(), DataError> {
    if cfg!(unix) {
        let synced = std::fs::File::open(dir).and_then(|d| d.sync_all());
        synced.map_err(|e| DataError::io(dir, e))?;
    }
    Ok(())
}

/// Compares a file's MD5 sum with `expected`.
fn verify(path: &Path, expected: &str) -> Result<(), DataError> {
    let io = |e| DataError::io(path, e);
    let mut file = std::fs::File::open(path).map_err(io)?;
    let mut sum = Md5::new();
    let mut buffer = vec![0; 1 << 16];
    let mut bytes = 0;
    loop {
        let n = file.read(&mut buffer).map_err(io)?;
        if n == 0 {
            break;
        }
        sum.update(&buffer[..n]);
        bytes += n;
    }
    let mut found = String::new();
    for byte in sum.finalize() {
        write!(found, "{byte:02x}").expect("a string takes what is written");
    }
    if found == expected {
        return Ok(());
    }
    let message = format!(
        "expected MD5 {expected}, found {found} ({bytes} bytes): {}",
        match path.extension() {
            Some(part) if part == "part" =>
                "the server sent something else; it was removed".to_owned(),
            _ => format!("remove {} to fetch it again", escape_path(path)),
        }
    );
    Err(DataError::malformed(path, message))
}
