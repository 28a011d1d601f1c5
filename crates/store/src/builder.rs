//! How an archive is written.

use crate::header::METADATA;
use crate::render::{Line, arrange, render};
use crate::{Content, Dtype, Limits, StoreError, seal};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;
use std::fmt;
use std::io;
use std::sync::Arc;

/// Writes a tensor's elements when it is their turn.
type Write<'a> = Arc<dyn Fn(&mut [f32]) + Send + Sync + 'a>;

/// Where bytes go.
type Sink<'s> = &'s mut dyn FnMut(&[u8]) -> io::Result<()>;

/// Bytes that are encoded at a time.
const PIECE: usize = 1 << 16;

/// The elements of one tensor.
#[derive(Clone)]
enum Data<'a> {
    /// So many numbers, written by a function.
    Written(usize, Write<'a>),
    F32(Cow<'a, [f32]>),
    F64(Cow<'a, [f64]>),
    U64(Cow<'a, [u64]>),
    Bytes(Cow<'a, [u8]>),
}

impl Data<'_> {
    fn byte_len(&self) -> usize {
        match self {
            Self::Written(len, _) => len * size_of::<f32>(),
            Self::F32(data) => size_of_val::<[f32]>(data),
            Self::F64(data) => size_of_val::<[f64]>(data),
            Self::U64(data) => size_of_val::<[u64]>(data),
            Self::Bytes(data) => data.len(),
        }
    }

    /// Hands the bytes to `sink`; at most one tensor, and that one as numbers, is laid out.
    fn pieces(&self, sink: Sink<'_>) -> io::Result<()> {
        match self {
            Self::Written(len, write) => {
                let mut data = vec![0.0; *len];
                write(&mut data);
                encode(&data, f32::to_le_bytes, sink)
            }
            Self::F32(data) => encode(data, f32::to_le_bytes, sink),
            Self::F64(data) => encode(data, f64::to_le_bytes, sink),
            Self::U64(data) => encode(data, u64::to_le_bytes, sink),
            Self::Bytes(data) => sink(data),
        }
    }
}

impl fmt::Debug for Data<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.byte_len())
    }
}

/// Encodes numbers a piece at a time.
fn encode<T: Copy, const N: usize>(
    data: &[T],
    bytes: fn(T) -> [u8; N],
    sink: Sink<'_>,
) -> io::Result<()> {
    let mut piece = vec![0; PIECE.min(size_of_val(data))];
    for part in data.chunks(PIECE / N) {
        let piece = &mut piece[..part.len() * N];
        for (to, &value) in piece.as_chunks_mut::<N>().0.iter_mut().zip(part) {
            *to = bytes(value);
        }
        sink(piece)?;
    }
    Ok(())
}

#[derive(Clone, Debug)]
struct Tensor<'a> {
    dtype: Dtype,
    shape: Vec<usize>,
    data: Data<'a>,
}

/// Collects tensors and metadata, and lays them out as one safetensors file.
///
/// The bytes depend on the contents alone, not on the order of the calls: metadata are
/// sorted by key, tensors by element type, widest first, and then by name. The header is
/// padded to eight bytes, so that each tensor begins at a multiple of its element size.
/// Data may be lent or given.
///
/// What the default [`Limits`] do not let back in is refused here.
///
/// # Examples
/// ```
/// use inception_store::ArchiveBuilder;
///
/// let weights = [1.0_f32, 2.0, 3.0, 4.0];
/// let mut builder = ArchiveBuilder::new();
/// builder.metadata("format", "pt")?;
/// builder.f32("fc.weight", &[2, 2], &weights)?;
/// builder.u64("step", &[], vec![7])?;
/// let bytes = builder.build()?;
/// assert_eq!(bytes.len() % 8, 0);
/// # Ok::<(), inception_store::StoreError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ArchiveBuilder<'a> {
    tensors: BTreeMap<String, Tensor<'a>>,
    metadata: BTreeMap<String, String>,
}

impl<'a> ArchiveBuilder<'a> {
    /// An archive of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an entry to the metadata.
    ///
    /// # Errors
    /// [`StoreError::Usage`] where the key is there already, or kept for digests.
    pub fn metadata(
        &mut self,
        key: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<&mut Self, StoreError> {
        let key = key.into();
        if seal::is_reserved(&key) {
            return Err(usage(
                &key,
                "this metadata key is kept for digests".to_owned(),
            ));
        }
        match self.metadata.entry(key) {
            Slot::Occupied(slot) => return Err(usage(slot.key(), "given twice".to_owned())),
            Slot::Vacant(slot) => slot.insert(value.into()),
        };
        Ok(self)
    }

    /// Adds a tensor of F32.
    ///
    /// # Errors
    /// As [`raw`](Self::raw).
    pub fn f32(
        &mut self,
        name: impl Into<String>,
        shape: &[usize],
        data: impl Into<Cow<'a, [f32]>>,
    ) -> Result<&mut Self, StoreError> {
        self.add(name.into(), Dtype::F32, shape, Data::F32(data.into()))
    }

    /// Adds a tensor of F32 whose `len` numbers `write` fills in while the file is laid out,
    /// so that no more than one of them is held twice.
    ///
    /// # Errors
    /// As [`raw`](Self::raw).
    pub fn f32_with(
        &mut self,
        name: impl Into<String>,
        shape: &[usize],
        len: usize,
        write: impl Fn(&mut [f32]) + Send + Sync + 'a,
    ) -> Result<&mut Self, StoreError> {
        let data = Data::Written(len, Arc::new(write));
        self.add(name.into(), Dtype::F32, shape, data)
    }

    /// Adds a tensor of F64.
    ///
    /// # Errors
    /// As [`raw`](Self::raw).
    pub fn f64(
        &mut self,
        name: impl Into<String>,
        shape: &[usize],
        data: impl Into<Cow<'a, [f64]>>,
    ) -> Result<&mut Self, StoreError> {
        self.add(name.into(), Dtype::F64, shape, Data::F64(data.into()))
    }

    /// Adds a tensor of U64.
    ///
    /// # Errors
    /// As [`raw`](Self::raw).
    pub fn u64(
        &mut self,
        name: impl Into<String>,
        shape: &[usize],
        data: impl Into<Cow<'a, [u64]>>,
    ) -> Result<&mut Self, StoreError> {
        self.add(name.into(), Dtype::U64, shape, Data::U64(data.into()))
    }

    /// Adds a tensor of U8.
    ///
    /// # Errors
    /// As [`raw`](Self::raw).
    pub fn u8(
        &mut self,
        name: impl Into<String>,
        shape: &[usize],
        data: impl Into<Cow<'a, [u8]>>,
    ) -> Result<&mut Self, StoreError> {
        self.raw(name, Dtype::U8, shape, data)
    }

    /// Adds a tensor of any type, given as its little-endian bytes.
    ///
    /// # Errors
    /// [`StoreError::Usage`] where the name is there already, is reserved or too long, or
    /// where the data are not as many as the shape says.
    pub fn raw(
        &mut self,
        name: impl Into<String>,
        dtype: Dtype,
        shape: &[usize],
        data: impl Into<Cow<'a, [u8]>>,
    ) -> Result<&mut Self, StoreError> {
        self.add(name.into(), dtype, shape, Data::Bytes(data.into()))
    }

    fn add(
        &mut self,
        name: String,
        dtype: Dtype,
        shape: &[usize],
        data: Data<'a>,
    ) -> Result<&mut Self, StoreError> {
        let limits = Limits::default();
        let product = shape
            .iter()
            .try_fold(dtype.size(), |n, &d| n.checked_mul(d));
        let bytes = data.byte_len();
        let problem = if name == METADATA {
            Some("the format keeps this name for metadata".to_owned())
        } else if name.len() as u64 > limits.max_name_bytes {
            Some(format!(
                "a name has at most {} bytes",
                limits.max_name_bytes
            ))
        } else if shape.len() as u64 > limits.max_dims {
            Some(format!("a shape has at most {} extents", limits.max_dims))
        } else if self.tensors.len() as u64 >= limits.max_tensors {
            Some(format!(
                "an archive has at most {} tensors",
                limits.max_tensors
            ))
        } else if product != Some(bytes) {
            Some(format!(
                "shape {shape:?} of {dtype} does not hold {bytes} bytes of data"
            ))
        } else {
            None
        };
        if let Some(message) = problem {
            return Err(usage(&name, message));
        }
        let shape = shape.to_vec();
        match self.tensors.entry(name) {
            Slot::Occupied(slot) => return Err(usage(slot.key(), "given twice".to_owned())),
            Slot::Vacant(slot) => slot.insert(Tensor { dtype, shape, data }),
        };
        Ok(self)
    }

    /// The file, without digests.
    ///
    /// # Errors
    /// [`StoreError::Usage`] where the header or the data are over the default limits.
    pub fn build(&self) -> Result<Vec<u8>, StoreError> {
        let lines = self.lines();
        let metadata = self.metadata.iter().map(|(k, v)| (k.as_str(), v.as_str()));
        let header = render(metadata, &lines);
        Ok(whole(&self.laid_out(header, &lines)?))
    }

    /// The file with a digest of each tensor and of the header, for
    /// [`Archive::verify`](crate::Archive::verify).
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn seal(&self) -> Result<Vec<u8>, StoreError> {
        Ok(whole(&self.sealed()?))
    }

    /// The bytes of [`seal`](Self::seal), tensor by tensor, for
    /// [`write_atomic_from`](crate::write_atomic_from): the file never lies in memory. Each
    /// tensor is laid out twice, once for its digest, which stands before it.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn sealed(&self) -> Result<LaidOut<'_>, StoreError> {
        let lines = self.lines();
        let header = |metadata: &BTreeMap<String, String>| {
            render(
                metadata.iter().map(|(k, v)| (k.as_str(), v.as_str())),
                &lines,
            )
        };
        let mut metadata = self.metadata.clone();
        for line in &lines {
            let mut digest = seal::TensorDigest::default();
            let data = &self.tensors[line.name].data;
            let hashed = data.pieces(&mut |piece| {
                digest.add(piece);
                Ok(())
            });
            hashed.expect("hashing cannot fail");
            metadata.insert(seal::tensor_key(line.name), digest.finish());
        }
        metadata.insert(seal::HEADER_KEY.to_owned(), seal::blank());
        let digest = seal::header_seal(&header(&metadata));
        metadata.insert(seal::HEADER_KEY.to_owned(), digest);
        self.laid_out(header(&metadata), &lines)
    }

    fn lines(&self) -> Vec<Line<'_>> {
        let mut lines: Vec<Line<'_>> = self
            .tensors
            .iter()
            .map(|(name, tensor)| Line {
                name,
                dtype: tensor.dtype,
                shape: &tensor.shape,
                bytes: tensor.data.byte_len(),
            })
            .collect();
        arrange(&mut lines);
        lines
    }

    fn laid_out(&self, header: Vec<u8>, lines: &[Line<'_>]) -> Result<LaidOut<'_>, StoreError> {
        let limits = Limits::default();
        let total: usize = lines.iter().map(|line| line.bytes).sum();
        if header.len() as u64 > limits.max_header_bytes || total as u64 > limits.max_total_bytes {
            let sizes = format!("a header of {} bytes and data of {total}", header.len());
            return Err(usage(
                "(all)",
                format!("{sizes} are more than can be read back"),
            ));
        }
        Ok(LaidOut {
            bytes: (header.len() + total) as u64,
            header,
            data: lines.iter().map(|l| &self.tensors[l.name].data).collect(),
        })
    }
}

/// An archive whose header is written and whose tensors are laid out when they are asked
/// for.
#[derive(Debug)]
pub struct LaidOut<'a> {
    bytes: u64,
    header: Vec<u8>,
    data: Vec<&'a Data<'a>>,
}

impl Content for LaidOut<'_> {
    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn pieces(&self, sink: Sink<'_>) -> io::Result<()> {
        sink(&self.header)?;
        self.data.iter().try_for_each(|data| data.pieces(sink))
    }
}

fn whole(content: &LaidOut<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.header.len());
    out.reserve_exact(usize::try_from(content.bytes).unwrap_or(0) - content.header.len());
    let appended = content.pieces(&mut |piece| {
        out.extend_from_slice(piece);
        Ok(())
    });
    appended.expect("memory takes every byte");
    out
}

fn usage(item: &str, message: String) -> StoreError {
    StoreError::Usage {
        item: item.to_owned(),
        message,
    }
}
