//! What simple models reach on a dataset: the least that a network must beat.

mod features;
mod linear;

use crate::{DataError, Dataset};
use features::Features;
use inception_tensor::{Accumulate, Epilogue, Operand, Pool, Shape, Tensor, View, fnv1a, gemm};
use linear::Softmax;

/// Test items whose distances are computed together.
const BLOCK: usize = 64;

/// How [`baselines`] measures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaselineOptions {
    /// How many training items are used at most, drawn without replacement.
    pub train_items: usize,
    /// How many test items are used at most.
    pub test_items: usize,
    /// Pictures are averaged down (or repeated up) to this many pixels a side, 1 to 256;
    /// pixels take `3·side²·4` bytes an item.
    pub side: usize,
    /// Bins per channel of the colour histogram, 2 to 16; there are `bins³` in all.
    pub bins: usize,
    /// How often the linear models see the training items.
    pub epochs: usize,
    /// Which items are drawn, and in which order the linear models see them.
    pub seed: u64,
}

impl Default for BaselineOptions {
    fn default() -> Self {
        Self {
            train_items: 10_000,
            test_items: 2_000,
            side: 32,
            bins: 4,
            epochs: 20,
            seed: 0,
        }
    }
}

/// Shares of the test items that simple models get right, 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Baselines {
    /// Training items used.
    pub train_items: usize,
    /// Test items used.
    pub test_items: usize,
    /// How many classes there are; guessing gets one in so many.
    pub classes: usize,
    /// Always the class that is most frequent in training.
    pub majority: f64,
    /// Softmax regression on standardised pixels.
    pub linear_pixels: f64,
    /// Softmax regression on a colour histogram.
    pub linear_histogram: f64,
    /// The class of the training item whose pixels are nearest.
    pub nearest_neighbour: f64,
}

/// Fits the simple models to items of `train` and scores them on items of `test`.
///
/// The same datasets and options give the same numbers for any number of threads.
///
/// # Errors
/// [`DataError::Usage`] when there is no item, when the two have different numbers of
/// classes, or an option is out of range; and what reading an item returns.
///
/// # Examples
/// ```
/// use inception_data::baseline::{BaselineOptions, baselines};
/// use inception_data::shapes::{Shapes, ShapesConfig};
/// use inception_data::Split;
/// use inception_tensor::Pool;
///
/// let shapes = |split| Shapes::new(ShapesConfig::default(), split);
/// let options = BaselineOptions { train_items: 500, test_items: 200, ..Default::default() };
/// let found = baselines(&shapes(Split::Train)?, &shapes(Split::Test)?, &options, &Pool::serial())?;
/// assert!(found.nearest_neighbour < 0.4);
/// # Ok::<(), inception_data::DataError>(())
/// ```
pub fn baselines(
    train: &dyn Dataset,
    test: &dyn Dataset,
    options: &BaselineOptions,
    pool: &Pool,
) -> Result<Baselines, DataError> {
    check(train, test, options)?;
    let classes = train.classes().len();
    let train = features::read(train, options.train_items, "train", options, pool)?;
    let test = features::read(test, options.test_items, "test", options, pool)?;
    let linear = |fit: &Features, score: &Features| {
        let (fit, score) = features::standardised(fit, score);
        let model = Softmax::fit(&fit, &train.labels, classes, options);
        accuracy(&model.predict(&score), &test.labels)
    };
    let nearest = nearest_neighbour(&train.pixels, &train.labels, &test.pixels, pool);
    Ok(Baselines {
        train_items: train.labels.len(),
        test_items: test.labels.len(),
        classes,
        majority: {
            let most = majority(&train.labels, classes);
            accuracy(&vec![most; test.labels.len()], &test.labels)
        },
        linear_pixels: linear(&train.pixels, &test.pixels),
        linear_histogram: linear(&train.histogram, &test.histogram),
        nearest_neighbour: accuracy(&nearest, &test.labels),
    })
}

/// Everything that [`baselines`] asks of its arguments.
fn check(
    train: &dyn Dataset,
    test: &dyn Dataset,
    options: &BaselineOptions,
) -> Result<(), DataError> {
    let usage = |message: String| Err(DataError::Usage(format!("baseline: {message}")));
    let (found, expected) = (test.classes().len(), train.classes().len());
    if found != expected {
        return usage(format!("{expected} classes to train on, {found} to test"));
    }
    for (what, dataset, items) in [
        ("training", train, options.train_items),
        ("test", test, options.test_items),
    ] {
        if dataset.len().min(items) == 0 {
            return usage(format!("there are no {what} items"));
        }
    }
    if !(1..=256).contains(&options.side) {
        return usage(format!("side must be 1 to 256, found {}", options.side));
    }
    if !(2..=16).contains(&options.bins) {
        return usage(format!("bins must be 2 to 16, found {}", options.bins));
    }
    Ok(())
}

/// The key of a random stream: an option's seed and what it is for.
fn key(options: &BaselineOptions, purpose: &str) -> [u64; 2] {
    [fnv1a(purpose.as_bytes()), options.seed]
}

fn accuracy(predicted: &[u32], labels: &[u32]) -> f64 {
    let right = predicted.iter().zip(labels).filter(|(p, l)| p == l).count();
    right as f64 / labels.len() as f64
}

/// The most frequent label; the lowest of several.
fn majority(labels: &[u32], classes: usize) -> u32 {
    let mut counts = vec![0usize; classes];
    for &label in labels {
        counts[label as usize] += 1;
    }
    let most = counts.iter().max().copied();
    counts.iter().position(|&c| Some(c) == most).unwrap_or(0) as u32
}

/// For each of `queries` the label of the nearest of `items` by Euclidean distance; the
/// first of several.
///
/// `|q − x|² = |q|² − 2·q·x + |x|²`; the first term is the same for every item.
fn nearest_neighbour(
    items: &Features,
    labels: &[u32],
    queries: &Features,
    pool: &Pool,
) -> Vec<u32> {
    let norms: Vec<f32> = items
        .rows()
        .map(|row| row.iter().map(|v| v * v).sum())
        .collect();
    let mut found = vec![0u32; queries.count()];
    pool.for_each_chunk(&mut found, BLOCK, |block, found| {
        let first = block * BLOCK * queries.width;
        let rows = &queries.values[first..first + found.len() * queries.width];
        let mut products = Tensor::zeros(Shape::matrix(found.len(), norms.len()));
        gemm(
            Operand::Plain(View::new(rows, Shape::matrix(found.len(), queries.width))),
            Operand::Transposed(items.view()),
            Accumulate::Replace,
            Epilogue::NONE,
            products.view_mut(),
        );
        for (found, products) in found.iter_mut().zip(products.data().chunks(norms.len())) {
            let mut least = f32::INFINITY;
            for ((product, norm), &label) in products.iter().zip(&norms).zip(labels) {
                let distance = norm - 2.0 * product;
                if distance < least {
                    (least, *found) = (distance, label);
                }
            }
        }
    });
    found
}

#[cfg(test)]
mod tests;
