//! Images in, features out.

use crate::{DeployError, PredictorConfig, Weights};
use inception_autograd::{Executor, RunKey};
use inception_data::{Image, Pipeline, Preprocess};
use inception_nn::{FeaturesProgram, Model, Parameters};
use std::sync::Arc;

/// Computes what a network's last linear layer reads: the pooled features of a picture, for
/// use with anything else.
///
/// The same picture gives the same bits alone and in any batch, for any number of threads.
#[derive(Debug)]
pub struct FeatureExtractor {
    model: Model,
    parameters: Parameters<f32>,
    pipeline: Pipeline,
    config: PredictorConfig,
    /// The plan of the last batch.
    runner: Option<Runner>,
}

#[derive(Debug)]
struct Runner {
    batch_size: usize,
    program: FeaturesProgram,
    executor: Executor<f32>,
}

impl FeatureExtractor {
    /// An extractor with the numbers of `weights`.
    ///
    /// # Errors
    /// When the preprocessing is out of range.
    pub fn new(weights: Weights, config: PredictorConfig) -> Result<Self, DeployError> {
        Ok(Self {
            pipeline: Pipeline::evaluation(weights.preprocess)?,
            model: weights.model,
            parameters: weights.parameters,
            config,
            runner: None,
        })
    }

    /// What pictures go through.
    pub fn preprocess(&self) -> &Preprocess {
        self.pipeline.preprocess()
    }

    /// The features of each picture, all in one batch.
    ///
    /// # Errors
    /// When there is no picture, one does not have the input's size while no resize is set,
    /// or memory is not to be had.
    pub fn extract(&mut self, pictures: &[Image]) -> Result<Vec<Vec<f32>>, DeployError> {
        let batch_size = pictures.len();
        let runner = match self.runner.take() {
            Some(runner) if runner.batch_size == batch_size => runner,
            _ => self.plan(batch_size)?,
        };
        let runner = self.runner.insert(runner);
        let input = runner.executor.input_mut(runner.program.images);
        let len = input.len() / batch_size;
        for (picture, numbers) in pictures.iter().zip(input.chunks_exact_mut(len)) {
            self.pipeline.evaluate(picture, numbers)?;
        }
        runner.executor.run(&self.parameters, RunKey::default());
        let found = runner.executor.output(runner.program.features);
        let width = found.shape().c;
        let rows = found.dense().chunks_exact(width);
        Ok(rows.map(<[f32]>::to_vec).collect())
    }

    fn plan(&self, batch_size: usize) -> Result<Runner, DeployError> {
        let program = FeaturesProgram::record(&self.model, batch_size, self.config.passes)?;
        let plan = Arc::new(program.compile::<f32>());
        let mut executor = Executor::new(plan, &self.config.pool)
            .map_err(|source| DeployError::Memory { batch_size, source })?;
        executor.prepare(&self.parameters);
        Ok(Runner {
            batch_size,
            program,
            executor,
        })
    }
}
