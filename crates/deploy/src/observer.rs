//! The ranges of a network's values.

use crate::DeployError;
use inception_autograd::{Executor, Range, Ranges, RunKey, Var};
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

/// The range of a map's finite numbers.
fn range(view: View<'_, f32>) -> Option<Range> {
    let numbers = (0..view.shape().rows()).flat_map(|p| view.row(p));
    let finite = numbers.copied().filter(|x| x.is_finite());
    let ranges = finite.map(|x| Range { low: x, high: x });
    ranges.reduce(Range::join)
}
