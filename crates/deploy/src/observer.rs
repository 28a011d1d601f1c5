//! The ranges of a network's values.

use crate::{DeployError, Weights};
use inception_autograd::{Executor, Range, Ranges, RunKey, Storage, Var};
use inception_data::{Dataset, Pipeline};
use inception_nn::{Model, ObserveProgram, Parameters};
use inception_tensor::{Pool, View};
use std::sync::Arc;

/// Runs a network in `f32` and notes between which numbers its values lie.
#[derive(Debug)]
pub struct Observer<'a> {
    parameters: &'a Parameters<f32>,
    executor: Executor<f32>,
    images: Var,
    values: Vec<(String, Var)>,
    ranges: Ranges,
}

impl<'a> Observer<'a> {
    /// An observer of `model` on batches of `batch_size` images.
    ///
    /// # Errors
    /// When the batch does not fit the model, or memory is not to be had.
    pub fn new(
        model: &Model,
        parameters: &'a Parameters<f32>,
        batch_size: usize,
        pool: &Pool,
    ) -> Result<Self, DeployError> {
        let program = ObserveProgram::record(model, batch_size)?;
        let mut executor = Executor::new(Arc::new(program.compile::<f32>()), pool)
            .map_err(|source| DeployError::Memory { batch_size, source })?;
        executor.prepare(parameters);
        Ok(Self {
            parameters,
            executor,
            images: program.images,
            values: program.values,
            ranges: Ranges::default(),
        })
    }

    /// The numbers of the images, to write before [`Observer::run`].
    pub fn images_mut(&mut self) -> &mut [f32] {
        self.executor.input_mut(self.images)
    }

    /// Runs the images and notes the ranges of all values.
    pub fn run(&mut self) {
        self.executor.run(self.parameters, RunKey::default());
        for (name, var) in &self.values {
            if let Some(range) = range(self.executor.output(*var)) {
                self.ranges.observe(name, range);
            }
        }
    }

    /// What was observed.
    pub fn into_ranges(self) -> Ranges {
        self.ranges
    }
}

/// Images that are observed at a time.
const BATCH: usize = 8;

impl Weights {
    /// Notes between which numbers the network's values lie on `images` images of `dataset`,
    /// evenly spread over it: the least and the greatest of all. They go into the file that
    /// [`Weights::save`] writes.
    ///
    /// # Errors
    /// When there is no image, one cannot be read or does not fit, or memory is not to be had.
    pub fn calibrate(
        &mut self,
        dataset: &dyn Dataset,
        images: usize,
        pool: &Pool,
    ) -> Result<(), DeployError> {
        if dataset.is_empty() || images == 0 {
            return Err(DeployError::Usage(
                "there is no image to calibrate with".to_owned(),
            ));
        }
        let pipeline = Pipeline::evaluation(self.preprocess.clone())?;
        let images = images.min(dataset.len());
        let batch = BATCH.min(images);
        let mut observer = Observer::new(&self.model, &self.parameters, batch, pool)?;
        for first in (0..images).step_by(batch) {
            let numbers = observer.images_mut();
            let len = numbers.len() / batch;
            for (i, numbers) in numbers.chunks_exact_mut(len).enumerate() {
                // The last batch begins again at the first image.
                let item = (first + i) % images * dataset.len() / images;
                pipeline.evaluate(&dataset.get(item)?.image, numbers)?;
            }
            observer.run();
        }
        self.meta.ranges = observer.into_ranges();
        Ok(())
    }

    /// Maps kept as bytes over the ranges that [`Weights::calibrate`] noted, in this run or
    /// before the file was written; `None` where nobody did.
    pub fn int8(&self) -> Option<Storage> {
        let ranges = &self.meta.ranges;
        (!ranges.0.is_empty()).then(|| Storage::Int8(Arc::new(ranges.clone())))
    }
}

/// The range of a map's finite numbers.
fn range(view: View<'_, f32>) -> Option<Range> {
    let numbers = (0..view.shape().rows()).flat_map(|p| view.row(p));
    let finite = numbers.copied().filter(|x| x.is_finite());
    let ranges = finite.map(|x| Range { low: x, high: x });
    ranges.reduce(Range::join)
}
