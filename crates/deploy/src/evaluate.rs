//! How good networks are on a dataset.

mod average;

use crate::{DeployError, Evaluation, Predictor};
use average::Average;
use inception_data::{
    BadImages, Batch, CropTransform, Crops, Dataset, Loader, LoaderConfig, Mirror, Preprocess,
    mirror_into,
};
use std::collections::VecDeque;
use std::sync::Arc;

/// How networks are evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvalConfig {
    /// Views that a network runs on at a time; the last batch may have fewer.
    pub batch_size: usize,
    /// Views of an image whose probabilities are averaged.
    pub crops: Crops,
    /// Threads that read and prepare images.
    pub workers: usize,
    /// What happens to images that cannot be read.
    pub bad_images: BadImages,
}

impl Default for EvalConfig {
    fn default() -> Self {
        Self {
            batch_size: 64,
            crops: Crops::One,
            workers: 1,
            bad_images: BadImages::Fail,
        }
    }
}

/// What networks say about one image of a dataset.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer<'a> {
    /// The item of the dataset.
    pub item: usize,
    /// Its class.
    pub label: usize,
    /// By class: the logarithm of the probability, averaged over views and networks.
    pub log_probs: &'a [f64],
}

/// Evaluates networks as one: their probabilities are averaged, over the views of each image
/// and over the networks.
///
/// An image is resampled once for each scale and way of preparing it, whatever the number
/// of networks; mirror images are made from the views, and batches are filled across images.
/// `each` is told the answer about every image, in the dataset's order. The figures are the
/// same for any number of threads and any size of batch.
///
/// # Errors
/// When there is no network or no image, the classes of networks and dataset differ, views
/// do not fit an input, an image cannot be read, or memory is not to be had.
pub fn evaluate(
    predictors: &mut [Predictor],
    dataset: &Arc<dyn Dataset>,
    config: &EvalConfig,
    mut each: impl FnMut(&Answer<'_>),
) -> Result<Evaluation, DeployError> {
    check(predictors, dataset.as_ref(), config)?;
    let mut sources = Sources::open(predictors, dataset, config)?;
    let mut found = Evaluation::new(dataset.classes(), predictors.len(), config.crops);
    let mut views = Views::new(&sources, config, predictors);
    while let Some(batches) = sources.next()? {
        for i in 0..batches[0].len() {
            let (item, label) = (batches[0].items[i], batches[0].labels[i] as usize);
            views.open(item, label, predictors.len());
            for view in 0..config.crops.unmirrored() {
                for &mirror in config.crops.mirrors() {
                    views.add(&batches, i, view, mirror);
                    if views.waiting() == config.batch_size {
                        views.run(predictors, &sources.of_predictor)?;
                    }
                }
            }
        }
        views.close(&mut found, &mut each);
    }
    views.run(predictors, &sources.of_predictor)?;
    views.close(&mut found, &mut each);
    found.skipped = sources.skipped();
    Ok(found)
}

fn check(
    predictors: &[Predictor],
    dataset: &dyn Dataset,
    config: &EvalConfig,
) -> Result<(), DeployError> {
    let usage = |message: String| Err(DeployError::Usage(message));
    if config.batch_size == 0 {
        return usage("a batch has at least 1 item, found 0".to_owned());
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
        let mut ways: Vec<&Preprocess> = Vec::new();
        let mut of_predictor = Vec::new();
        for predictor in predictors {
            let own = predictor.preprocess();
            let place = ways.iter().position(|way| *way == own);
            of_predictor.push(place.unwrap_or(ways.len()));
            if place.is_none() {
                ways.push(own);
            }
        }
        let settings = LoaderConfig {
            workers: config.workers,
            prefetch: config.workers.max(1) + 1,
            bad_images: config.bad_images,
            // As many images as have the views of a batch.
            ..LoaderConfig::evaluation((config.batch_size / config.crops.count()).max(1))
        };
        let open = |way: &Preprocess| {
            let transform = Arc::new(CropTransform::new(way.clone(), config.crops)?);
            Loader::new(Arc::clone(dataset), transform, settings.clone())
        };
        let loaders = ways.into_iter().map(open);
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

/// An image whose views are not all answered for.
struct Open {
    item: usize,
    label: usize,
    /// By network.
    sums: Vec<Average>,
}

/// Views on their way into the networks.
struct Views {
    /// The networks' input, for each way of preparing images.
    inputs: Vec<Vec<f32>>,
    /// Width and channels of those.
    rows: Vec<[usize; 2]>,
    /// To which image each view of the inputs belongs, counted from the first.
    owners: Vec<u64>,
    /// Images in the order of the dataset.
    images: VecDeque<Open>,
    /// How many images were closed.
    closed: u64,
    /// Views of an image.
    views: usize,
}

impl Views {
    fn new(sources: &Sources, config: &EvalConfig, predictors: &[Predictor]) -> Self {
        let first_of = |source| {
            let mut places = sources.of_predictor.iter();
            let i = places.position(|&s| s == source);
            predictors[i.expect("each way of preparing images is some network's")].preprocess()
        };
        let rows = (0..sources.loaders.len()).map(|source| {
            let [channels, _, width] = first_of(source).input;
            [width, channels]
        });
        Self {
            inputs: vec![Vec::new(); sources.loaders.len()],
            rows: rows.collect(),
            owners: Vec::new(),
            images: VecDeque::new(),
            closed: 0,
            views: config.crops.count(),
        }
    }

    fn waiting(&self) -> usize {
        self.owners.len()
    }

    /// Begins an image.
    fn open(&mut self, item: usize, label: usize, networks: usize) {
        self.images.push_back(Open {
            item,
            label,
            sums: vec![Average::default(); networks],
        });
    }

    /// Takes view `view` of image `i` of a batch, as each way of preparing it made it, for the
    /// image that was opened last.
    fn add(&mut self, batches: &[Batch], i: usize, view: usize, mirror: Mirror) {
        for ((batch, input), &[width, channels]) in
            batches.iter().zip(&mut self.inputs).zip(&self.rows)
        {
            let len = batch.images.len() / batch.shape().n;
            let views = batch.shape().n / batch.len();
            let from = &batch.images[(i * views + view) * len..][..len];
            let start = input.len();
            match mirror {
                Mirror::No => input.extend_from_slice(from),
                Mirror::Horizontal => {
                    input.resize(start + len, 0.0);
                    mirror_into(from, width, channels, &mut input[start..]);
                }
            }
        }
        self.owners.push(self.closed + self.images.len() as u64 - 1);
    }

    /// Runs the networks on all views that wait.
    fn run(
        &mut self,
        predictors: &mut [Predictor],
        of_predictor: &[usize],
    ) -> Result<(), DeployError> {
        if self.owners.is_empty() {
            return Ok(());
        }
        for (network, (predictor, &source)) in predictors.iter_mut().zip(of_predictor).enumerate() {
            let answers = predictor
                .classifier()
                .run(self.owners.len(), &self.inputs[source])?;
            for (&owner, answer) in self.owners.iter().zip(&answers) {
                let image = &mut self.images[(owner - self.closed) as usize];
                image.sums[network].add_logits(&answer.logits);
            }
        }
        self.owners.clear();
        self.inputs.iter_mut().for_each(Vec::clear);
        Ok(())
    }

    /// Enters the images of which every view was answered for.
    fn close(&mut self, found: &mut Evaluation, each: &mut impl FnMut(&Answer<'_>)) {
        let answered = |image: &Open| image.sums.iter().all(|sum| sum.count() == self.views);
        while self.images.front().is_some_and(answered) {
            let Some(Open { item, label, sums }) = self.images.pop_front() else {
                return;
            };
            let log_probs = &Average::of(sums);
            found.add(label, log_probs);
            self.closed += 1;
            each(&Answer {
                item,
                label,
                log_probs,
            });
        }
    }
}
