//! Plans, one for each size of batch, and the memory that they share.

use crate::doctor::Silence;
use crate::{TrainConfig, TrainError};
use inception_autograd::{Executor, Params, RunKey};
use inception_data::{Batch, Mix, Mixture};
use inception_nn::{EvalProgram, Model, NnError, Targets, TrainProgram};
use inception_tensor::{Arena, Pool, Shape};
use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

/// A batch whose images are mixed, and how.
pub(super) struct MixedBatch {
    batch: Batch,
    mixture: Mixture,
}

impl MixedBatch {
    /// Mixes the images of batch `number` of a run.
    pub(super) fn new(mut batch: Batch, mix: Mix, seed: u64, number: u64) -> Self {
        let image = Shape {
            n: 1,
            ..batch.shape()
        };
        let mixture = mix.draw(seed, number, image);
        mixture.apply(&mut batch.images, image);
        Self { batch, mixture }
    }
}

impl Deref for MixedBatch {
    type Target = Batch;

    fn deref(&self) -> &Batch {
        &self.batch
    }
}

/// A training step ready to run.
pub(super) struct TrainPlan {
    pub(super) program: TrainProgram,
    pub(super) executor: Executor<f32>,
}

/// Inference ready to run.
pub(super) struct EvalPlan {
    pub(super) program: EvalProgram,
    pub(super) executor: Executor<f32>,
    /// Whether weights have changed since the plan took them up.
    stale: bool,
}

/// Plans that were made so far: those of full batches and of the short last ones.
pub(super) struct Plans {
    model: Model,
    settings: inception_nn::TrainConfig,
    eval_passes: inception_autograd::Passes,
    pool: Pool,
    train: BTreeMap<usize, TrainPlan>,
    eval: BTreeMap<usize, EvalPlan>,
    /// The plan that has the memory, which all of them share.
    holder: Option<Holder>,
}

/// A plan by the size of its batch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holder {
    Train(usize),
    Eval(usize),
}

impl Plans {
    pub(super) fn new(model: Model, config: &TrainConfig, pool: Pool) -> Result<Self, TrainError> {
        Ok(Self {
            model,
            settings: config.program_config()?,
            eval_passes: config.eval_passes()?,
            pool,
            train: BTreeMap::new(),
            eval: BTreeMap::new(),
            holder: None,
        })
    }

    pub(super) fn model(&self) -> &Model {
        &self.model
    }

    /// The plan of a training step on `images` images.
    ///
    /// # Errors
    /// When the network cannot be trained on so few, or the memory is not to be had.
    pub(super) fn train(&mut self, images: usize) -> Result<&mut TrainPlan, TrainError> {
        if !self.train.contains_key(&images) {
            let settings = inception_nn::TrainConfig {
                batch_size: images,
                ..self.settings.clone()
            };
            let program = TrainProgram::record(&self.model, &settings)
                .map_err(|e| explain(e, images, "trained on"))?;
            let plan = Arc::new(program.compile::<f32>());
            let executor = Executor::without_memory(plan, &self.pool);
            self.train.insert(images, TrainPlan { program, executor });
        }
        self.hand_over(Holder::Train(images))?;
        Ok(self.train.get_mut(&images).expect("it was just made"))
    }

    /// The plan of inference on `images` images.
    ///
    /// # Errors
    /// When the memory is not to be had.
    pub(super) fn eval(&mut self, images: usize) -> Result<&mut EvalPlan, TrainError> {
        if !self.eval.contains_key(&images) {
            let program = EvalProgram::record(&self.model, images, self.eval_passes)
                .map_err(|e| explain(e, images, "run on"))?;
            let plan = Arc::new(program.compile::<f32>());
            let executor = Executor::without_memory(plan, &self.pool);
            let plan = EvalPlan {
                program,
                executor,
                stale: true,
            };
            self.eval.insert(images, plan);
        }
        self.hand_over(Holder::Eval(images))?;
        Ok(self.eval.get_mut(&images).expect("it was just made"))
    }

    /// Moves the memory to a plan, which begins as if it had never run.
    fn hand_over(&mut self, to: Holder) -> Result<(), TrainError> {
        if self.holder == Some(to) {
            return Ok(());
        }
        let memory = match self.holder.take() {
            None => Arena::default(),
            Some(from) => self.executor(from).take_memory(),
        };
        self.executor(to).give_memory(memory)?;
        self.holder = Some(to);
        if let Holder::Eval(images) = to {
            let plan = self.eval.get_mut(&images).expect("a plan that was made");
            plan.stale = true;
        }
        Ok(())
    }

    /// Gives the memory back.
    pub(super) fn release(&mut self) {
        if let Some(holder) = self.holder.take() {
            drop(self.executor(holder).take_memory());
        }
    }

    fn executor(&mut self, of: Holder) -> &mut Executor<f32> {
        let executor = match of {
            Holder::Train(images) => self.train.get_mut(&images).map(|p| &mut p.executor),
            Holder::Eval(images) => self.eval.get_mut(&images).map(|p| &mut p.executor),
        };
        executor.expect("a plan that was made")
    }

    /// Says that plans of inference have to take up new weights.
    pub(super) fn weights_changed(&mut self) {
        self.eval.values_mut().for_each(|plan| plan.stale = true);
    }
}

impl EvalPlan {
    /// Runs inference on a batch.
    pub(super) fn run(&mut self, batch: &Batch, params: &impl Params<f32>) {
        if self.stale {
            self.executor.prepare(params);
            self.stale = false;
        }
        let images = self.executor.input_mut(self.program.images);
        images.copy_from_slice(&batch.images);
        self.executor.run(params, RunKey::default());
    }
}

impl TrainPlan {
    /// Writes a batch where the plan reads it.
    pub(super) fn load(&mut self, batch: &MixedBatch) {
        let Self { program, executor } = self;
        executor
            .input_mut(program.images)
            .copy_from_slice(&batch.images);
        match program.targets {
            Targets::Labels(var) => executor.labels_mut(var).copy_from_slice(&batch.labels),
            Targets::Shares(var) => {
                let targets = executor.input_mut(var);
                let classes = targets.len() / batch.labels.len();
                batch.mixture.targets(&batch.labels, classes, targets);
            }
        }
    }

    /// Runs a step on a batch.
    pub(super) fn run(&mut self, batch: &MixedBatch, params: &impl Params<f32>, key: RunKey) {
        self.load(batch);
        self.executor.prepare(params);
        self.executor.run(params, key);
    }

    /// As [`TrainPlan::run`], to the same bits, and counts channels that stay silent.
    pub(super) fn run_watched(
        &mut self,
        batch: &MixedBatch,
        params: &impl Params<f32>,
        key: RunKey,
        silence: &mut Silence,
    ) {
        self.load(batch);
        self.executor.prepare(params);
        self.executor
            .run_watched(params, key, |r| silence.hear(r.path, r.output));
    }

    /// Runs the step again, up to the first layer that computes something not finite.
    pub(super) fn first_non_finite(
        &mut self,
        batch: &MixedBatch,
        params: &impl Params<f32>,
        key: RunKey,
    ) -> Option<String> {
        self.load(batch);
        self.executor.first_non_finite(params, key)
    }

    /// The first loss that is not finite, in words.
    pub(super) fn bad_loss(&self) -> Option<String> {
        let program = &self.program;
        let aux = program.loss_aux.iter().map(|aux| (aux.name, aux.loss));
        let losses = [("", program.loss_main)].into_iter().chain(aux);
        let losses = losses.chain([("", program.loss)]);
        losses
            .map(|(name, loss)| (name, self.scalar(loss)))
            .find(|(_, loss)| !loss.is_finite())
            .map(|(name, loss)| match name {
                "" => format!("loss is {loss}"),
                name => format!("loss of {name} is {loss}"),
            })
    }

    pub(super) fn scalar(&self, var: inception_autograd::Var) -> f64 {
        f64::from(self.executor.output(var).row(0)[0])
    }
}

/// Says which size of batch does not fit the network.
fn explain(error: NnError, images: usize, use_: &str) -> TrainError {
    match error {
        NnError::Graph(error) => TrainError::Usage(format!(
            "batch-size: the network cannot be {use_} a batch of {images}: {error}"
        )),
        other => other.into(),
    }
}
