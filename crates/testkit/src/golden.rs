//! Fixtures: results of PyTorch in `golden/*.safetensors`, made by `golden/make_golden.py`.
//!
//! A fixture maps names to tensors, in PyTorch's layouts:
//! - `output`, `logits`, `aux1`, `loss…`: results of a forward pass;
//! - `curve`: the loss before each of ten steps of SGD on one batch;
//! - `grad/KEY`: the gradient of the parameter `KEY`, or of `input`;
//! - `buffer/KEY`: a running statistic after one training forward pass,
//!
//! with a case's name in front where a file holds several cases. Of a gradient or buffer
//! too large to keep, the file has [`SAMPLES`](crate::formula::SAMPLES) elements, its L2
//! norm, its sum and its largest magnitude; [`Golden::check`] and [`Golden::deviation`]
//! compare with either.

use crate::compare::{Deviation, Mismatch, Tolerance, compare, compare_scaled, deviation_scaled};
use crate::formula::sample_positions;
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensorError, SafeTensors};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// Why a fixture cannot be read or used.
#[derive(Debug, thiserror::Error)]
pub enum GoldenError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no safetensors file.
    #[error("{path}: {source}")]
    Format {
        /// The file.
        path: PathBuf,
        /// Why.
        source: SafeTensorError,
    },
    /// A tensor has another element type than F32 and F64.
    #[error("fixture {fixture}: tensor {tensor} has type {dtype:?}, expected F32 or F64")]
    ElementType {
        /// The fixture.
        fixture: String,
        /// The tensor.
        tensor: String,
        /// Its type.
        dtype: Dtype,
    },
    /// A metadata entry is missing or not what it should be.
    #[error("fixture {fixture}: metadata {key}: expected {expected}, found {found}")]
    Metadata {
        /// The fixture.
        fixture: String,
        /// The entry.
        key: String,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// No tensor has the name asked for.
    #[error("fixture {fixture}: no tensor {tensor}")]
    Missing {
        /// The fixture.
        fixture: String,
        /// The name asked for.
        tensor: String,
    },
    /// A tensor has another shape than the fixture's.
    #[error("fixture {fixture}: tensor {tensor}: shape {actual:?}, expected {expected:?}")]
    Shape {
        /// The fixture.
        fixture: String,
        /// The tensor.
        tensor: String,
        /// Found.
        actual: Vec<usize>,
        /// Expected.
        expected: Vec<usize>,
    },
    /// A tensor's numbers are not the fixture's.
    #[error("fixture {fixture}: tensor {tensor}: {part}: {source}")]
    Mismatch {
        /// The fixture.
        fixture: String,
        /// The tensor.
        tensor: String,
        /// `elements`, `samples`, `L2 norm` or `sum`.
        part: &'static str,
        /// Where and by how much.
        source: Box<Mismatch>,
    },
}

/// A tensor of a fixture, in PyTorch's layout.
#[derive(Clone, Debug, PartialEq)]
pub struct GoldenTensor {
    /// Its extents; empty for a scalar.
    pub shape: Vec<usize>,
    /// Its numbers in row-major order.
    pub data: Vec<f64>,
}

/// What a fixture keeps of a tensor.
#[derive(Clone, Debug)]
enum Kept {
    Whole(GoldenTensor),
    Sampled(Sampled),
}

/// Part of a large tensor.
#[derive(Clone, Debug)]
struct Sampled {
    shape: Vec<usize>,
    positions: Vec<usize>,
    samples: Vec<f64>,
    norm: f64,
    sum: f64,
    largest: f64,
}

/// A fixture in memory.
///
/// # Examples
/// ```
/// use inception_testkit::{Golden, Tolerance};
///
/// let golden = Golden::load("ops")?;
/// let relu: Vec<f64> = inception_testkit::formula::input(&[2, 5, 6, 7])
///     .iter()
///     .map(|&x| f64::from(x.max(0.0)))
///     .collect();
/// golden.check("relu/output", &[2, 5, 6, 7], &relu, Tolerance::EXACT)?;
/// # Ok::<(), inception_testkit::GoldenError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Golden {
    name: String,
    tensors: BTreeMap<String, Kept>,
    metadata: BTreeMap<String, String>,
}

impl Golden {
    /// Reads the fixture `name`, one of those that this crate holds.
    ///
    /// # Errors
    /// When there is none of that name or it is malformed.
    pub fn load(name: &str) -> Result<Self, GoldenError> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
        Self::read(&folder.join(format!("{name}.safetensors")))
    }

    /// Reads a fixture from a file.
    ///
    /// # Errors
    /// When it cannot be read or is malformed.
    pub fn read(path: &Path) -> Result<Self, GoldenError> {
        let bytes = std::fs::read(path).map_err(|source| GoldenError::Read {
            path: path.to_owned(),
            source,
        })?;
        let format = |source| GoldenError::Format {
            path: path.to_owned(),
            source,
        };
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(format)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let mut raw = BTreeMap::new();
        let file = SafeTensors::deserialize(&bytes).map_err(format)?;
        for (tensor, view) in file.tensors() {
            let values = decode(&name, &tensor, &view)?;
            raw.insert(tensor, values);
        }
        Ok(Self {
            tensors: gather(&name, raw, &metadata)?,
            name: name.into_owned(),
            metadata: metadata.into_iter().collect(),
        })
    }

    /// The names of all tensors, kept whole or in part, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The shape of a tensor, kept whole or in part.
    ///
    /// # Errors
    /// When the fixture has none of that name.
    pub fn shape(&self, name: &str) -> Result<&[usize], GoldenError> {
        Ok(match self.kept(name)? {
            Kept::Whole(tensor) => &tensor.shape,
            Kept::Sampled(part) => &part.shape,
        })
    }

    /// A tensor that the fixture keeps whole.
    ///
    /// # Errors
    /// When the fixture has none of that name or keeps a part only.
    pub fn tensor(&self, name: &str) -> Result<&GoldenTensor, GoldenError> {
        match self.kept(name)? {
            Kept::Whole(tensor) => Ok(tensor),
            Kept::Sampled(_) => Err(self.missing(name)),
        }
    }

    /// A tensor of one element, such as a loss.
    ///
    /// # Errors
    /// When there is none of that name or it has another number of elements.
    pub fn scalar(&self, name: &str) -> Result<f64, GoldenError> {
        let tensor = self.tensor(name)?;
        match tensor.data[..] {
            [value] => Ok(value),
            _ => Err(self.other_shape(name, &[], &tensor.shape)),
        }
    }

    /// An entry of the metadata: the learning rate `lr`, the shape `input_shape`, …
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// A metadata entry that is a number.
    ///
    /// # Errors
    /// When there is none or it is no number.
    pub fn number(&self, key: &str) -> Result<f64, GoldenError> {
        let text = self.metadata(key).unwrap_or("nothing");
        text.parse().map_err(|_| GoldenError::Metadata {
            fixture: self.name.clone(),
            key: key.to_owned(),
            expected: "a number",
            found: text.to_owned(),
        })
    }

    /// Demands that `actual`, of PyTorch's `shape` and layout, is close to the fixture's
    /// tensor `name`: all elements, or samples, norm and sum where that is what is kept.
    ///
    /// With `t` the tolerance's limit for one element and `n` elements, the norm may differ
    /// by `√n·t` and the sum by `n·t`, which close elements cannot exceed.
    ///
    /// # Errors
    /// When the tensor is unknown, its shape is another, or it is not close.
    pub fn check(
        &self,
        name: &str,
        shape: &[usize],
        actual: &[f64],
        tolerance: Tolerance,
    ) -> Result<(), GoldenError> {
        let fail = |part| {
            move |source: Mismatch| GoldenError::Mismatch {
                fixture: self.name.clone(),
                tensor: name.to_owned(),
                part,
                source: Box::new(source),
            }
        };
        match self.kept_as(name, shape, actual)? {
            Kept::Whole(tensor) => {
                compare(actual, &tensor.data, tolerance).map_err(fail("elements"))
            }
            Kept::Sampled(part) => {
                let (n, limit) = (actual.len() as f64, tolerance.limit(part.largest));
                let within = |absolute| Tolerance {
                    relative: 1e-12,
                    absolute,
                };
                let (norm, sum) = (norm(actual), actual.iter().sum());
                compare_scaled(&part.pick(actual), &part.samples, tolerance, part.largest)
                    .map_err(fail("samples"))?;
                compare(&[norm], &[part.norm], within(n.sqrt() * limit))
                    .map_err(fail("L2 norm"))?;
                compare(&[sum], &[part.sum], within(n * limit)).map_err(fail("sum"))
            }
        }
    }

    /// How far `actual`, of PyTorch's `shape` and layout, lies from the fixture's tensor
    /// `name`; from its samples alone where the fixture keeps no more.
    ///
    /// # Errors
    /// When the tensor is unknown or its shape is another.
    pub fn deviation(
        &self,
        name: &str,
        shape: &[usize],
        actual: &[f64],
    ) -> Result<Deviation, GoldenError> {
        Ok(match self.kept_as(name, shape, actual)? {
            Kept::Whole(tensor) => crate::compare::deviation(actual, &tensor.data),
            Kept::Sampled(part) => {
                // The samples' share of the norm, were the tensor even.
                let share = (part.samples.len() as f64 / actual.len() as f64).sqrt();
                let picked = part.pick(actual);
                deviation_scaled(&picked, &part.samples, part.largest, part.norm * share)
            }
        })
    }

    fn kept(&self, name: &str) -> Result<&Kept, GoldenError> {
        self.tensors.get(name).ok_or_else(|| self.missing(name))
    }

    /// The tensor `name`, once `actual` is known to have its shape.
    fn kept_as(&self, name: &str, shape: &[usize], actual: &[f64]) -> Result<&Kept, GoldenError> {
        let expected = self.shape(name)?;
        if shape != expected || actual.len() != shape.iter().product::<usize>() {
            return Err(self.other_shape(name, expected, shape));
        }
        self.kept(name)
    }

    fn missing(&self, tensor: &str) -> GoldenError {
        GoldenError::Missing {
            fixture: self.name.clone(),
            tensor: tensor.to_owned(),
        }
    }

    fn other_shape(&self, tensor: &str, expected: &[usize], actual: &[usize]) -> GoldenError {
        GoldenError::Shape {
            fixture: self.name.clone(),
            tensor: tensor.to_owned(),
            actual: actual.to_vec(),
            expected: expected.to_vec(),
        }
    }
}

impl Sampled {
    fn pick(&self, actual: &[f64]) -> Vec<f64> {
        self.positions.iter().map(|&p| actual[p]).collect()
    }
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|v| v * v).sum::<f64>().sqrt()
}

/// The numbers of a tensor as the file has them.
fn decode(fixture: &str, name: &str, view: &TensorView<'_>) -> Result<GoldenTensor, GoldenError> {
    let bytes = view.data();
    let data = match view.dtype() {
        Dtype::F32 => bytes
            .as_chunks::<4>()
            .0
            .iter()
            .map(|b| f64::from(f32::from_le_bytes(*b)))
            .collect(),
        Dtype::F64 => bytes
            .as_chunks::<8>()
            .0
            .iter()
            .map(|b| f64::from_le_bytes(*b))
            .collect(),
        dtype => {
            return Err(GoldenError::ElementType {
                fixture: fixture.to_owned(),
                tensor: name.to_owned(),
                dtype,
            });
        }
    };
    Ok(GoldenTensor {
        shape: view.shape().to_vec(),
        data,
    })
}

/// Joins `NAME#samples` and `NAME#stats` of the file with the shape in its metadata.
fn gather(
    fixture: &str,
    mut raw: BTreeMap<String, GoldenTensor>,
    metadata: &HashMap<String, String>,
) -> Result<BTreeMap<String, Kept>, GoldenError> {
    let mut kept = BTreeMap::new();
    for (name, shape) in shapes(fixture, metadata)? {
        let mut take = |suffix: &str, count: usize| -> Result<Vec<f64>, GoldenError> {
            let tensor = format!("{name}{suffix}");
            match raw.remove(&tensor) {
                Some(found) if found.data.len() == count => Ok(found.data),
                Some(found) => Err(GoldenError::Shape {
                    fixture: fixture.to_owned(),
                    tensor,
                    actual: found.shape,
                    expected: vec![count],
                }),
                None => Err(GoldenError::Missing {
                    fixture: fixture.to_owned(),
                    tensor,
                }),
            }
        };
        let bare = name.rsplit('/').next().unwrap_or(&name);
        let positions = sample_positions(bare, shape.iter().product::<usize>().max(1)).to_vec();
        let samples = take("#samples", positions.len())?;
        let stats = take("#stats", 3)?;
        let part = Sampled {
            shape,
            positions,
            samples,
            norm: stats[0],
            sum: stats[1],
            largest: stats[2],
        };
        kept.insert(name, Kept::Sampled(part));
    }
    kept.extend(raw.into_iter().map(|(name, t)| (name, Kept::Whole(t))));
    Ok(kept)
}

/// The shapes of the tensors that the fixture keeps in part.
fn shapes(
    fixture: &str,
    metadata: &HashMap<String, String>,
) -> Result<BTreeMap<String, Vec<usize>>, GoldenError> {
    let text = metadata.get("shapes").map_or("nothing", String::as_str);
    serde_json::from_str(text).map_err(|error| GoldenError::Metadata {
        fixture: fixture.to_owned(),
        key: "shapes".to_owned(),
        expected: "a JSON object of lists of extents",
        found: format!("{text} ({error})"),
    })
}
