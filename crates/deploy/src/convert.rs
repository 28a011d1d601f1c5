//! Weights compared, averaged, and checked after they were written.

use crate::{Classifier, DeployError, PredictorConfig, Weights};
use inception_autograd::Ranges;
use inception_data::Preprocess;
use inception_store::Archive;
use inception_tensor::Stream;

/// How a tensor of one file differs from that of the same name in another.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorDifference {
    /// Its name.
    pub name: String,
    /// Its extents in the first file; `None` where it is not there.
    pub first: Option<Vec<usize>>,
    /// Its extents in the second file.
    pub second: Option<Vec<usize>>,
    /// How the numbers differ, where extents are the same and both have numbers.
    pub numbers: Option<Difference>,
}

impl TensorDifference {
    /// Whether both files have the same numbers in the same shape.
    pub fn is_same(&self) -> bool {
        self.numbers.is_some_and(|numbers| numbers.max_abs == 0.0)
    }
}

/// How two rows of numbers differ.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Difference {
    /// The largest distance between two numbers.
    pub max_abs: f64,
    /// That distance over the largest number of the first row.
    pub max_rel: f64,
    /// The root of the mean squared distance.
    pub rms: f64,
}

impl Difference {
    /// Compares two rows of as many numbers. A NaN differs from everything but a NaN.
    ///
    /// # Panics
    /// When the rows do not have as many numbers.
    pub fn of(first: &[f64], second: &[f64]) -> Self {
        assert_eq!(first.len(), second.len(), "rows of as many numbers");
        let (mut most, mut largest, mut squares) = (0.0_f64, 0.0_f64, 0.0);
        for (&a, &b) in first.iter().zip(second) {
            let distance = match (a == b, a.is_nan() && b.is_nan()) {
                (false, false) => (a - b).abs(),
                _ => 0.0,
            };
            // Unlike `max`, this keeps a NaN.
            if distance > most || distance.is_nan() {
                most = distance;
            }
            largest = largest.max(a.abs());
            squares += distance * distance;
        }
        Self {
            max_abs: most,
            max_rel: if most == 0.0 { 0.0 } else { most / largest },
            rms: (squares / first.len().max(1) as f64).sqrt(),
        }
    }
}

/// Compares two archives tensor by tensor, by name.
///
/// # Errors
/// When numbers are not to be had in double precision for want of memory.
pub fn diff(first: &Archive, second: &Archive) -> Result<Vec<TensorDifference>, DeployError> {
    let mut names: Vec<&str> = first.names().chain(second.names()).collect();
    names.sort_unstable();
    names.dedup();
    let shape = |archive: &Archive, name: &str| {
        let entry = archive.tensor(name).ok()?;
        Some(entry.shape.to_vec())
    };
    let one = |name: &str| -> Result<TensorDifference, DeployError> {
        let shapes = [shape(first, name), shape(second, name)];
        let numbers = match &shapes {
            [Some(a), Some(b)] if a == b => {
                let numbers = |archive: &Archive| match archive.to_i64(name) {
                    Ok(ints) => Ok(ints.into_iter().map(|n| n as f64).collect()),
                    Err(_) => archive.to_f64(name),
                };
                Some(Difference::of(&numbers(first)?, &numbers(second)?))
            }
            _ => None,
        };
        let [first, second] = shapes;
        Ok(TensorDifference {
            name: name.to_owned(),
            first,
            second,
            numbers,
        })
    };
    names.into_iter().map(one).collect()
}

/// The mean of several weights of one model, number by number: of checkpoints of a run, say.
/// What else there is to say is taken from the first.
///
/// # Errors
/// When there is none, or two are of different models.
pub fn average(all: Vec<Weights>) -> Result<Weights, DeployError> {
    let count = all.len() as f64;
    let mut rest = all.into_iter();
    let Some(mut first) = rest.next() else {
        return Err(DeployError::Usage("nothing to average".to_owned()));
    };
    let mut sums = first.parameters.cast::<f64>();
    for other in rest {
        if other.model.name() != first.model.name() || other.model.specs() != first.model.specs() {
            return Err(DeployError::Usage(format!(
                "only weights of one model can be averaged, found {} of {} and {} of {} classes",
                first.model.name(),
                first.model.options().classes,
                other.model.name(),
                other.model.options().classes,
            )));
        }
        for (id, sum) in sums.iter_mut() {
            for (sum, &x) in sum.iter_mut().zip(other.parameters.get(id)) {
                *sum += f64::from(x);
            }
        }
    }
    for (_, sum) in sums.iter_mut() {
        sum.iter_mut().for_each(|x| *x /= count);
    }
    first.parameters = sums.cast();
    // Those of the first network's values.
    first.meta.ranges = Ranges::default();
    Ok(first)
}

/// How the logits of two networks differ on the same pictures.
///
/// Pictures are drawn from `seed`; each side prepares them as its preprocessing says.
///
/// # Errors
/// When the networks take different images or tell different classes apart, or memory is not
/// to be had.
pub fn compare(
    first: Weights,
    second: Weights,
    images: usize,
    seed: u64,
    config: &PredictorConfig,
) -> Result<Difference, DeployError> {
    let [a, b] = [first.model.options(), second.model.options()];
    if a.input != b.input || a.classes != b.classes {
        return Err(DeployError::Usage(format!(
            "the networks take images of {:?} and {:?} and know {} and {} classes",
            a.input, b.input, a.classes, b.classes
        )));
    }
    let pixels = images * a.input.iter().product::<usize>();
    let mut stream = Stream::new(&[seed]);
    let pixels: Vec<u8> = (0..pixels)
        .map(|_| (stream.next_u64() >> 56) as u8)
        .collect();
    let logits = |weights: Weights| -> Result<Vec<f64>, DeployError> {
        let prepared = prepare(&pixels, &weights.preprocess);
        let mut classifier = Classifier::new(weights.model, weights.parameters, config);
        let answers = classifier.run(images, &prepared)?;
        let logits = answers.iter().flat_map(|answer| &answer.logits);
        Ok(logits.map(|&x| f64::from(x)).collect())
    };
    Ok(Difference::of(&logits(first)?, &logits(second)?))
}

/// Pixels as a network takes them, each channel for itself.
fn prepare(pixels: &[u8], preprocess: &Preprocess) -> Vec<f32> {
    let channels = preprocess.mean.len();
    let prepared = pixels.iter().enumerate().map(|(i, &pixel)| {
        let (mean, std) = (preprocess.mean[i % channels], preprocess.std[i % channels]);
        (f32::from(pixel) / 255.0 - mean) / std
    });
    prepared.collect()
}
