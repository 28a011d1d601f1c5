//! Which format a file has, and its contents.

use crate::error::{Flaw, quoted};
use crate::onnx::OnnxModel;
use crate::torch::Dict;
use crate::{FormatError, caffe, onnx, torch};
use inception_store::{Archive, ArchiveBuilder, Dtype, Limits, StoreError};
use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// A format of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Safetensors, ours or another tool's.
    Safetensors,
    /// A zip archive of `torch.save`.
    Torch,
    /// A file of `torch.save` from before PyTorch 1.6.
    TorchLegacy,
    /// An ONNX model.
    Onnx,
    /// A binary `NetParameter` of Caffe.
    Caffe,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Safetensors => "safetensors",
            Self::Torch => "PyTorch",
            Self::TorchLegacy => "PyTorch (legacy)",
            Self::Onnx => "ONNX",
            Self::Caffe => "Caffe",
        })
    }
}

/// What is in a file.
#[derive(Debug)]
pub struct Contents {
    /// The format it has.
    pub format: Format,
    /// Its tensors by name: parameters, and in an ONNX model other constants too.
    pub tensors: Archive,
    /// The graph, where the format has one.
    pub graph: Option<OnnxModel>,
    /// What deserves a word, although the file was read.
    pub warnings: Vec<String>,
}

/// How many bytes tell a format.
const HEAD: usize = 16;

impl Format {
    /// The format of a file by its first bytes and, where they fit several, its name.
    pub fn detect(head: &[u8], path: &Path) -> Option<Self> {
        let extension = path
            .extension()
            .and_then(|e| e.to_str())
            .unwrap_or_default();
        match (head, extension) {
            (_, "safetensors") => Some(Self::Safetensors),
            (_, "onnx") => Some(Self::Onnx),
            (_, "caffemodel") => Some(Self::Caffe),
            ([b'P', b'K', ..], _) => Some(Self::Torch),
            (head, _) if head.get(8) == Some(&b'{') => Some(Self::Safetensors),
            // A pickle of protocol 2 whose first value is a number of ten bytes.
            ([0x80, 0x02, 0x8A, 0x0A, ..], _) => Some(Self::TorchLegacy),
            ([0x80, ..], "pth" | "pt" | "bin" | "ckpt") => Some(Self::TorchLegacy),
            (_, "pth" | "pt") => Some(Self::Torch),
            // The version of the format, as field 1.
            ([0x08, 3..=20, ..], _) => Some(Self::Onnx),
            (head, _) if caffe::is_likely(head) => Some(Self::Caffe),
            _ => None,
        }
    }
}

/// Reads a file of weights of any format.
///
/// Nothing in the file is executed. Data outside of it are read for ONNX alone, and only from
/// the folder that the file lies in.
///
/// # Errors
/// When the file cannot be read, is over a limit or malformed, or has no known format.
pub fn read(path: &Path, limits: &Limits) -> Result<Contents, FormatError> {
    let mut head = Vec::new();
    // A special file must not be opened; the reader of the whole file refuses it.
    let regular = std::fs::metadata(path).is_ok_and(|m| m.is_file());
    if regular && let Ok(file) = File::open(path) {
        let _ = file.take(HEAD as u64).read_to_end(&mut head);
    }
    match Format::detect(&head, path) {
        // Its header is checked before its data are read.
        None | Some(Format::Safetensors) => plain(inception_store::read_file(path, limits)?),
        Some(_) => parse(inception_store::read_bytes(path, limits)?, path, limits),
    }
}

/// Reads the file that `bytes` are; `path` says where they came from.
///
/// # Errors
/// As [`read`].
pub fn parse(bytes: Vec<u8>, path: &Path, limits: &Limits) -> Result<Contents, FormatError> {
    let head = bytes.get(..HEAD.min(bytes.len())).unwrap_or_default();
    let format = Format::detect(head, path).unwrap_or(Format::Safetensors);
    if format == Format::Safetensors {
        return plain(inception_store::parse(bytes, path, limits)?);
    }
    let found = match format {
        Format::Torch => torch::read_zip(&bytes).and_then(|dict| state(dict, path, limits)),
        Format::TorchLegacy => {
            torch::read_legacy(&bytes).and_then(|dict| state(dict, path, limits))
        }
        Format::Onnx => graph(&bytes, path, limits),
        _ => blobs(&bytes, path, limits),
    };
    let found = found.map_err(|flaw| flaw.in_file(path))?;
    Ok(Contents {
        format,
        tensors: found.tensors,
        graph: found.graph,
        warnings: found.warnings,
    })
}

struct Found {
    tensors: Archive,
    graph: Option<OnnxModel>,
    warnings: Vec<String>,
}

fn plain(tensors: Archive) -> Result<Contents, FormatError> {
    Ok(Contents {
        format: Format::Safetensors,
        warnings: tensors.warnings().to_vec(),
        tensors,
        graph: None,
    })
}

/// Tensors as an archive.
fn archive<'a>(
    tensors: impl Iterator<Item = (&'a str, Dtype, &'a [usize], Cow<'a, [u8]>)>,
    path: &Path,
    limits: &Limits,
) -> Result<Archive, Flaw> {
    let mut builder = ArchiveBuilder::new();
    for (name, dtype, shape, bytes) in tensors {
        builder
            .raw(name, dtype, shape, bytes)
            .map_err(|e| match e {
                StoreError::Usage { message, .. } => {
                    Flaw::new("tensors that fit an archive", message)
                        .of(format!("tensor {}", quoted(name)))
                }
                other => Flaw::Store(other),
            })?;
    }
    Ok(inception_store::parse(builder.build()?, path, limits)?)
}

fn state(dict: Dict<'_>, path: &Path, limits: &Limits) -> Result<Found, Flaw> {
    let tensors = dict.arrays.iter().map(|array| {
        let bytes = Cow::Borrowed(&*array.bytes);
        (
            array.name.as_str(),
            array.dtype,
            array.shape.as_slice(),
            bytes,
        )
    });
    Ok(Found {
        tensors: archive(tensors, path, limits)?,
        graph: None,
        warnings: dict.warnings,
    })
}

fn graph(bytes: &[u8], path: &Path, limits: &Limits) -> Result<Found, Flaw> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let model = onnx::read(bytes, folder)?;
    Ok(Found {
        tensors: archive(model.tensors(), path, limits)?,
        warnings: model.warnings.clone(),
        graph: Some(model),
    })
}

fn blobs(bytes: &[u8], path: &Path, limits: &Limits) -> Result<Found, Flaw> {
    let blobs = caffe::read(bytes)?;
    let tensors = blobs.iter().map(|blob| {
        let bytes = Cow::Borrowed(blob.bytes.as_slice());
        (blob.name.as_str(), Dtype::F32, blob.shape.as_slice(), bytes)
    });
    Ok(Found {
        tensors: archive(tensors, path, limits)?,
        graph: None,
        warnings: Vec::new(),
    })
}
