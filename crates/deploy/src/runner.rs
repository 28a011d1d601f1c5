//! Plans by batch size.

use crate::{DeployError, PredictorConfig};
use inception_autograd::{Executor, RunKey, Var};
use inception_nn::{EvalProgram, Model, Parameters};
use std::sync::Arc;

/// How many plans are kept: a full batch, the last of a dataset, a single image, one more.
const KEPT: usize = 4;

/// An executor and the values that callers reach.
#[derive(Debug)]
struct Runner {
    batch_size: usize,
    images: Var,
    logits: Var,
    probs: Var,
    executor: Executor<f32>,
}

/// The plans of one model, made when a batch size is first seen.
#[derive(Debug)]
pub(crate) struct Runners {
    config: PredictorConfig,
    /// Last used comes last.
    list: Vec<Runner>,
}

/// Logits and probabilities of a batch, row after row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<'a> {
    pub(crate) logits: &'a [f32],
    pub(crate) probs: &'a [f32],
}

impl Runners {
    pub(crate) fn new(config: &PredictorConfig) -> Self {
        Self {
            config: config.clone(),
            list: Vec::new(),
        }
    }

    /// Runs a batch that `fill` writes as `[n, h, w, c]` numbers.
    pub(crate) fn run<E: From<DeployError>>(
        &mut self,
        model: &Model,
        parameters: &Parameters<f32>,
        batch_size: usize,
        fill: impl FnOnce(&mut [f32]) -> Result<(), E>,
    ) -> Result<Rows<'_>, E> {
        let runner = self.runner(model, parameters, batch_size)?;
        fill(runner.executor.input_mut(runner.images))?;
        runner.executor.run(parameters, RunKey::default());
        Ok(Rows {
            logits: runner.executor.output(runner.logits).dense(),
            probs: runner.executor.output(runner.probs).dense(),
        })
    }

    fn runner(
        &mut self,
        model: &Model,
        parameters: &Parameters<f32>,
        batch_size: usize,
    ) -> Result<&mut Runner, DeployError> {
        let found = self.list.iter().position(|r| r.batch_size == batch_size);
        let runner = match found {
            Some(place) => self.list.remove(place),
            None => {
                // The oldest plan goes first, so that its memory is free for the new one.
                if self.list.len() == KEPT {
                    self.list.remove(0);
                }
                self.plan(model, parameters, batch_size)?
            }
        };
        self.list.push(runner);
        Ok(self.list.last_mut().expect("a runner was pushed"))
    }

    fn plan(
        &self,
        model: &Model,
        parameters: &Parameters<f32>,
        batch_size: usize,
    ) -> Result<Runner, DeployError> {
        let PredictorConfig {
            pool,
            passes,
            storage,
        } = &self.config;
        let program = EvalProgram::record_stored(model, batch_size, *passes, storage)?;
        let plan = Arc::new(program.compile::<f32>());
        let mut executor = Executor::new(plan, pool)
            .map_err(|source| DeployError::Memory { batch_size, source })?;
        executor.prepare(parameters);
        Ok(Runner {
            batch_size,
            images: program.images,
            logits: program.logits,
            probs: program.probs,
            executor,
        })
    }
}
