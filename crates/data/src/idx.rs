//! IDX files, the format of MNIST and Fashion-MNIST.

use crate::digest::Digest;
use crate::escape::escape_path;
use crate::{DataError, Dataset, Image, Sample, Split};
use flate2::read::GzDecoder;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// The classes of Fashion-MNIST, by label.
pub const FASHION_MNIST_CLASSES: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

/// Where Debian's package `dataset-fashion-mnist` puts its files.
pub const FASHION_MNIST_SYSTEM_DIR: &str = "/usr/share/datasets/fashion-mnist";

/// The most bytes that an IDX file may announce.
const MAX_BYTES: u64 = 4 << 30;

/// Grey images with labels, read from a pair of IDX files and held in memory.
///
/// The files have MNIST's names: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, and
/// `t10k-…` for [`Split::Test`] and [`Split::Val`], which are the same images; each may end
/// in `.gz`.
#[derive(Clone)]
pub struct Idx {
    pixels: Vec<u8>,
    labels: Vec<u8>,
    width: usize,
    height: usize,
    classes: Vec<String>,
    images_path: PathBuf,
}

/// Fashion-MNIST: 60 000 + 10 000 grey images of clothing, 28×28, 10 classes (Xiao, Rasul,
/// Vollgraf 2017).
#[derive(Clone, Copy, Debug)]
pub struct FashionMnist;

impl FashionMnist {
    /// Reads one split from `dir`; [`Split::Val`] is the test set.
    ///
    /// # Errors
    /// As [`Idx::open`].
    pub fn open(dir: &Path, split: Split) -> Result<Idx, DataError> {
        let classes = FASHION_MNIST_CLASSES.map(str::to_owned).to_vec();
        Idx::open(dir, split, Some(classes))
    }

    /// The folder with the files: `data_dir` or its subfolder `fashion-mnist` when given,
    /// else [`FASHION_MNIST_SYSTEM_DIR`], else `data/fashion-mnist`.
    ///
    /// # Errors
    /// When none of them holds the files; the message says how to get them.
    pub fn find(data_dir: Option<&Path>) -> Result<PathBuf, DataError> {
        let candidates = match data_dir {
            Some(dir) => vec![dir.to_owned(), dir.join("fashion-mnist")],
            None => vec![
                PathBuf::from(FASHION_MNIST_SYSTEM_DIR),
                PathBuf::from("data/fashion-mnist"),
            ],
        };
        if let Some(found) = candidates.iter().find(|dir| Idx::is_in(dir)) {
            return Ok(found.clone());
        }
        let tried: Vec<String> = candidates.iter().map(|p| escape_path(p)).collect();
        Err(DataError::Usage(format!(
            "Fashion-MNIST is in none of {}: install it with `apt-get install \
             dataset-fashion-mnist`, or name the folder of its four IDX files with --data-dir",
            tried.join(", ")
        )))
    }
}

impl Idx {
    /// Reads one split from the folder `dir`.
    ///
    /// `classes` names the labels; without it they are called by their numbers.
    ///
    /// # Errors
    /// When a file is missing, its magic number, dimensions or size are wrong, the numbers
    /// of images and labels differ, or a label has no class.
    pub fn open(dir: &Path, split: Split, classes: Option<Vec<String>>) -> Result<Self, DataError> {
        let prefix = prefix(split);
        let images_path = find_file(dir, prefix, "images", 3)?;
        let labels_path = find_file(dir, prefix, "labels", 1)?;
        let images = read(&images_path, 3)?;
        let labels = read(&labels_path, 1)?;
        let (n, height, width) = (images.dims[0], images.dims[1], images.dims[2]);
        if labels.dims[0] != n {
            return Err(DataError::malformed(
                &labels_path,
                format!(
                    "{} labels for the {n} images of {}",
                    labels.dims[0],
                    escape_path(&images_path)
                ),
            ));
        }
        if n > 0 && (width == 0 || height == 0) {
            let message = format!("the images are {width}×{height} pixels");
            return Err(DataError::malformed(&images_path, message));
        }
        let classes = classes.unwrap_or_else(|| {
            let count = labels.data.iter().max().map_or(0, |&m| usize::from(m) + 1);
            (0..count.max(10)).map(|i| i.to_string()).collect()
        });
        let bad = |&l: &u8| usize::from(l) >= classes.len();
        if let Some(i) = labels.data.iter().position(bad) {
            return Err(DataError::malformed(
                &labels_path,
                format!(
                    "record {i} at byte {}: label {}, must be 0…{}",
                    i + 8,
                    labels.data[i],
                    classes.len().saturating_sub(1)
                ),
            ));
        }
        Ok(Self {
            pixels: images.data,
            labels: labels.data,
            width,
            height,
            classes,
            images_path,
        })
    }

    /// Channels, height and width of the images.
    pub fn native(&self) -> [usize; 3] {
        [1, self.height, self.width]
    }

    /// Whether `dir` holds a pair of IDX files of any split.
    pub fn is_in(dir: &Path) -> bool {
        [Split::Train, Split::Test]
            .into_iter()
            .any(|split| find_file(dir, prefix(split), "images", 3).is_ok())
    }
}

impl Dataset for Idx {
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
        let size = self.width * self.height;
        Ok(Sample {
            image: Image {
                width: self.width,
                height: self.height,
                channels: 1,
                pixels: self.pixels[i * size..][..size].to_vec(),
            },
            label: self.label(i),
        })
    }

    fn origin(&self, i: usize) -> String {
        format!("{} record {i}", escape_path(&self.images_path))
    }

    fn fingerprint(&self) -> u64 {
        let mut digest = Digest::new("idx");
        digest.word(self.width as u64);
        digest.word(self.height as u64);
        digest.bytes(&self.labels);
        self.classes.iter().for_each(|c| digest.bytes(c.as_bytes()));
        digest.finish()
    }
}

fn prefix(split: Split) -> &'static str {
    match split {
        Split::Train => "train",
        Split::Val | Split::Test => "t10k",
    }
}

/// The file of `kind` in `dir`, compressed or not.
fn find_file(dir: &Path, prefix: &str, kind: &str, rank: usize) -> Result<PathBuf, DataError> {
    let name = format!("{prefix}-{kind}-idx{rank}-ubyte");
    let dotted = format!("{prefix}-{kind}.idx{rank}-ubyte");
    for name in [&name, &dotted] {
        for suffix in ["", ".gz"] {
            let path = dir.join(format!("{name}{suffix}"));
            if path.is_file() {
                return Ok(path);
            }
        }
    }
    let source = std::io::Error::new(
        std::io::ErrorKind::NotFound,
        format!("no {name} or {name}.gz in this folder"),
    );
    Err(DataError::io(dir, source))
}

/// A parsed IDX file of bytes.
struct Content {
    dims: Vec<usize>,
    data: Vec<u8>,
}

/// Reads the file at `path`, which must hold bytes in `rank` dimensions.
fn read(path: &Path, rank: usize) -> Result<Content, DataError> {
    let io = |e| DataError::io(path, e);
    let mut start = [0; 2];
    let mut file = File::open(path).map_err(io)?;
    let compressed = file.read(&mut start).map_err(io)? == 2 && start == [0x1F, 0x8B];
    let file = BufReader::new(File::open(path).map_err(io)?);
    if compressed {
        parse(GzDecoder::new(file), path, rank)
    } else {
        parse(file, path, rank)
    }
}

/// Parses an IDX stream; never reads more than one byte beyond what its header announces,
/// so a compressed bomb is an error after that byte.
fn parse(mut stream: impl Read, path: &Path, rank: usize) -> Result<Content, DataError> {
    let header_len = 4 + 4 * rank;
    let mut header = vec![0; header_len];
    let found = read_up_to(&mut stream, &mut header, path)?;
    let magic = [0, 0, 0x08, rank as u8];
    if found >= 4 && header[..4] != magic {
        return Err(DataError::malformed(
            path,
            format!(
                "magic number at byte 0: expected {}, found {}",
                hex(&magic),
                hex(&header[..4])
            ),
        ));
    }
    if found < header_len {
        let message = format!("the header has {header_len} bytes, the file ends after {found}");
        return Err(DataError::malformed(path, message));
    }
    let dims: Vec<u32> = header[4..]
        .as_chunks::<4>()
        .0
        .iter()
        .map(|&b| u32::from_be_bytes(b))
        .collect();
    let announced = dims
        .iter()
        .try_fold(1_u64, |n, &d| n.checked_mul(u64::from(d)))
        .filter(|&n| n <= MAX_BYTES)
        .ok_or_else(|| {
            let message = format!("dimensions {dims:?} at byte 4: above {MAX_BYTES} bytes");
            DataError::limit(path, message)
        })?;
    // Memory grows with what arrives, not with what is announced.
    let mut data = Vec::with_capacity(announced.min(1 << 20) as usize);
    let read = (&mut stream).take(announced + 1).read_to_end(&mut data);
    read.map_err(|e| stream_error(path, e, header_len + data.len()))?;
    if data.len() as u64 != announced {
        let found = if data.len() as u64 > announced {
            "more".to_owned()
        } else {
            data.len().to_string()
        };
        return Err(DataError::malformed(
            path,
            format!(
                "dimensions {dims:?} at byte 4 announce {announced} bytes after the \
                 {header_len} of the header, found {found}"
            ),
        ));
    }
    Ok(Content {
        dims: dims.into_iter().map(|d| d as usize).collect(),
        data,
    })
}

/// Fills `buffer` as far as the stream goes.
fn read_up_to(stream: &mut impl Read, buffer: &mut [u8], path: &Path) -> Result<usize, DataError> {
    let mut found = 0;
    while found < buffer.len() {
        match stream.read(&mut buffer[found..]) {
            Ok(0) => break,
            Ok(n) => found += n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(stream_error(path, e, found)),
        }
    }
    Ok(found)
}

/// A read error; damage inside gzip data is the file's fault, not the system's.
fn stream_error(path: &Path, error: std::io::Error, at: usize) -> DataError {
    use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    match error.kind() {
        InvalidData | InvalidInput | UnexpectedEof => DataError::malformed(
            path,
            format!("gzip data damaged or truncated after {at} unpacked bytes: {error}"),
        ),
        _ => DataError::io(path, error),
    }
}

fn hex(bytes: &[u8]) -> String {
    let parts: Vec<String> = bytes.iter().map(|b| format!("{b:02x}")).collect();
    parts.join(" ")
}
