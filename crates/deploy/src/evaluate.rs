//! How good networks are on a dataset.

use crate::{DeployError, Evaluation, Prediction, Predictor};
use inception_data::{BadImages, Batch, Dataset, Loader, LoaderConfig, Pipeline};
use std::sync::Arc;

/// How networks are evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvalConfig {
    /// Images in a batch; the last one may have fewer.
    pub batch_size: usize,
    /// Crops of an image whose probabilities are averaged; 1 is all there is yet.
    pub crops: u32,
    /// Threads that read and prepare images.
    pub workers: usize,
    /// What happens to images that cannot be read.
    pub bad_images: BadImages,
}

impl Default for EvalConfig {
    fn default() -> Self {
        Self {
            batch_size: 64,
            crops: 1,
            workers: 1,
            bad_images: BadImages::Fail,
        }
    }
}

/// Evaluates networks as one: their probabilities are averaged.
///
/// `progress` is told how many images are done after each batch. The figures are the same
/// for any number of threads and any size of batch.
///
/// # Errors
/// When there is no network or no image, the classes of networks and dataset differ, more
/// than one crop is asked for, an image cannot be read, or memory is not to be had.
pub fn evaluate(
    predictors: &mut [Predictor],
    dataset: &Arc<dyn Dataset>,
    config: &EvalConfig,
    mut progress: impl FnMut(u64),
) -> Result<Evaluation, DeployError> {
    check(predictors, dataset.as_ref(), config)?;
    let mut sources = Sources::open(predictors, dataset, config)?;
    let mut found = Evaluation::new(dataset.classes(), predictors.len(), config.crops);
    while let Some(batches) = sources.next()? {
        let labels = &batches[0].labels;
        let mut sums: Vec<LogMean> = labels.iter().map(|_| LogMean::default()).collect();
        for (predictor, &source) in predictors.iter_mut().zip(&sources.of_predictor) {
            let batch = &batches[source];
            let answers = predictor.classifier().run(batch.len(), &batch.images)?;
            for (sum, answer) in sums.iter_mut().zip(&answers) {
                sum.add(answer);
            }
        }
        for (sum, &label) in sums.into_iter().zip(labels) {
            found.add(label as usize, &sum.finish(predictors.len()));
        }
        progress(found.images);
    }
    found.skipped = sources.skipped();
    Ok(found)
}

fn check(
    predictors: &[Predictor],
    dataset: &dyn Dataset,
    config: &EvalConfig,
) -> Result<(), DeployError> {
    let usage = |message: String| Err(DeployError::Usage(message));
    if config.crops != 1 {
        let crops = config.crops;
        return usage(format!("{crops} crops are not supported yet: use 1 crop"));
    }
    if predictors.is_empty() {
        return usage("nothing to evaluate: give at least one file of weights".to_owned());
    }
    let classes = dataset.classes();
    for predictor in predictors {
        let found = predictor.model().options().classes;
        if found != classes.len() {
            return usage(format!(
                "the weights know {found} classes, the data have {}",
                classes.len()
            ));
        }
        let names = predictor.class_names();
        let differs = names.iter().zip(classes).find(|(a, b)| a != b);
        if let Some((ours, theirs)) = differs {
            return usage(format!(
                "the weights and the data have different classes: \"{}\" and \"{}\" have the \
                 same number",
                ours.escape_debug(),
                theirs.escape_debug()
            ));
        }
    }
    Ok(())
}

/// One loader for each way of preparing images.
struct Sources {
    loaders: Vec<Loader>,
    of_predictor: Vec<usize>,
}

impl Sources {
    fn open(
        predictors: &[Predictor],
        dataset: &Arc<dyn Dataset>,
        config: &EvalConfig,
    ) -> Result<Self, DeployError> {
        let mut pipelines: Vec<&Pipeline> = Vec::new();
        let mut of_predictor = Vec::new();
        for predictor in predictors {
            let own = predictor.pipeline();
            let same = |p: &&Pipeline| p.preprocess() == own.preprocess();
            let place = pipelines.iter().position(same);
            of_predictor.push(place.unwrap_or(pipelines.len()));
            if place.is_none() {
                pipelines.push(own);
            }
        }
        let settings = LoaderConfig {
            workers: config.workers,
            prefetch: config.workers.max(1) + 1,
            bad_images: config.bad_images,
            ..LoaderConfig::evaluation(config.batch_size)
        };
        let open = |pipeline: &Pipeline| {
            let transform = Arc::new(pipeline.clone());
            Loader::new(Arc::clone(dataset), transform, settings.clone())
        };
        let loaders = pipelines.into_iter().map(open);
        Ok(Self {
            loaders: loaders.collect::<Result<_, _>>()?,
            of_predictor,
        })
    }

    /// The next batch, prepared in each way.
    fn next(&mut self) -> Result<Option<Vec<Batch>>, DeployError> {
        let batches = self.loaders.iter_mut().map(Iterator::next);
        let batches: Option<Vec<_>> = batches.collect();
        let Some(batches) = batches else {
            return Ok(None);
        };
        let batches = batches.into_iter().collect::<Result<Vec<Batch>, _>>()?;
        // Whether an item can be read may change while a slow dataset is on its way.
        if let Some(other) = batches.iter().find(|b| b.items != batches[0].items) {
            return Err(DeployError::Usage(format!(
                "images came and went during the evaluation (batch {})",
                other.index_in_epoch
            )));
        }
        Ok(Some(batches))
    }

    fn skipped(&self) -> u64 {
        self.loaders
            .iter()
            .map(|l| l.skipped().total)
            .max()
            .unwrap_or(0)
    }
}

/// `ln (1/m · Σ p)` from logits, by class, in double precision.
#[derive(Default)]
struct LogMean {
    log_sum: Vec<f64>,
}

impl LogMean {
    fn add(&mut self, answer: &Prediction) {
        let own = log_softmax(&answer.logits);
        if self.log_sum.is_empty() {
            self.log_sum = own;
            return;
        }
        for (sum, x) in self.log_sum.iter_mut().zip(own) {
            let most = sum.max(x);
            // Both may be −∞, whose difference is NaN.
            if most > f64::NEG_INFINITY && !sum.is_nan() && !x.is_nan() {
                *sum = most + ((*sum - most).exp() + (x - most).exp()).ln();
            } else if x.is_nan() {
                *sum = f64::NAN;
            }
        }
    }

    fn finish(mut self, models: usize) -> Vec<f64> {
        let log_models = (models as f64).ln();
        self.log_sum.iter_mut().for_each(|x| *x -= log_models);
        self.log_sum
    }
}

/// `xᵢ − ln Σ exp xⱼ`.
fn log_softmax(logits: &[f32]) -> Vec<f64> {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let shifted = logits.iter().map(|&x| f64::from(x) - f64::from(most));
    let log_sum = shifted.clone().map(f64::exp).sum::<f64>().ln();
    shifted.map(|x| x - log_sum).collect()
}
