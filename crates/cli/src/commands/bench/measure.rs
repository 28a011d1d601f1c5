//! Running a plan again and again.

use super::profile::{Profile, Recorder};
use anyhow::Result;
use inception_autograd::{Executor, Passes, RunKey, Storage};
use inception_nn::{EvalProgram, Model, Parameters, TrainConfig, TrainProgram};
use inception_tensor::{Calibration, Element, Pool, Stream};
use inception_train::{Optimizer, OptimizerConfig, OptimizerKind, ParamRule, Recompute, Update};
use std::sync::Arc;
use std::time::Instant;

/// Products of which the fastest is the machine's peak.
const PEAK_RUNS: usize = 20;

/// What is run, and how often.
pub(super) struct Work<'a, T> {
    pub(super) model: &'a Model,
    pub(super) parameters: Parameters<T>,
    pub(super) batch_size: usize,
    pub(super) reps: usize,
    pub(super) profile: bool,
    pub(super) seed: u64,
    pub(super) pool: Pool,
    pub(super) storage: Storage,
    /// For training.
    pub(super) recompute: Recompute,
}

/// What came of it.
pub(super) struct Measured {
    /// Seconds of each run.
    pub(super) times: Vec<f64>,
    /// Multiply-adds of a run.
    pub(super) macs: u64,
    pub(super) arena_bytes: u64,
    pub(super) profile: Option<Profile>,
}

impl<T: Element> Work<'_, T> {
    /// Measures inference.
    pub(super) fn infer(self, passes: Passes) -> Result<Measured> {
        let program =
            EvalProgram::record_stored(self.model, self.batch_size, passes, &self.storage)?;
        let mut executor = Executor::new(Arc::new(program.compile::<T>()), &self.pool)?;
        executor.prepare(&self.parameters);
        let images = self.noise(executor.input_mut(program.images).len());
        let before = |executor: &mut Executor<T>| {
            executor.input_mut(program.images).copy_from_slice(&images);
        };
        self.repeat(executor, before, |_, _| {})
    }

    /// Measures training steps: forward, backward, update.
    pub(super) fn train(self, passes: Passes) -> Result<Measured> {
        let config = TrainConfig {
            batch_size: self.batch_size,
            passes,
            storage: self.storage.clone(),
            recompute: self.recompute.into(),
            ..TrainConfig::default()
        };
        let program = TrainProgram::record(self.model, &config)?;
        let mut executor = Executor::new(Arc::new(program.compile::<T>()), &self.pool)?;
        executor.prepare(&self.parameters);
        let images = self.noise(executor.input_mut(program.images).len());
        let mut stream = Stream::new(&[self.seed, 1]);
        let classes = self.model.options().classes as u64;
        let labels = (0..self.batch_size).map(|_| stream.below(classes) as u32);
        let labels: Vec<u32> = labels.collect();
        let before = |executor: &mut Executor<T>| {
            executor.input_mut(program.images).copy_from_slice(&images);
            executor
                .labels_mut(program.targets.labels().expect("labels are the default"))
                .copy_from_slice(&labels);
        };
        let mut optimizer = self.optimizer(&program);
        // So small a rate leaves even noise for labels without effect.
        let update = Update {
            lr: 1e-9,
            scale: 1.0,
        };
        let pool = self.pool.clone();
        self.repeat(executor, before, |executor, parameters| {
            for found in program.graph.updates() {
                let value = executor.output(found.value).dense();
                parameters.get_mut(found.param).copy_from_slice(value);
            }
            for (i, grad) in program.grads.iter().enumerate() {
                let gradient = executor.output(grad.grad).dense();
                let weights = parameters.get_mut(grad.param);
                let _ = optimizer.update(&pool, i, update, weights, gradient);
            }
            optimizer.advance();
            executor.prepare(parameters);
        })
    }

    fn optimizer(&self, program: &TrainProgram) -> Optimizer<T> {
        let config = OptimizerConfig {
            kind: OptimizerKind::Sgd {
                momentum: 0.9,
                nesterov: false,
            },
            weight_decay: 1e-4,
        };
        let specs = self.model.specs();
        let grads = program.grads.iter();
        let trained = grads.map(|grad| ParamRule::apply(&[], specs.get(grad.param)));
        Optimizer::new(config, trained.collect())
    }

    /// Numbers for images.
    fn noise(&self, len: usize) -> Vec<T> {
        let mut stream = Stream::new(&[self.seed, 0]);
        (0..len).map(|_| T::of(stream.normal())).collect()
    }

    /// Runs the plan; `before` writes its inputs, whose memory a run may use again, and is
    /// not measured.
    fn repeat(
        mut self,
        mut executor: Executor<T>,
        before: impl Fn(&mut Executor<T>),
        mut after: impl FnMut(&mut Executor<T>, &mut Parameters<T>),
    ) -> Result<Measured> {
        let macs = executor.plan().steps().map(|(_, _, macs)| macs).sum();
        let arena_bytes = executor.plan().arena_bytes() as u64;
        let mut times = Vec::with_capacity(self.reps);
        for rep in 0..=self.reps {
            let key = RunKey {
                seed: self.seed,
                step: rep as u64,
            };
            before(&mut executor);
            let start = Instant::now();
            executor.run(&self.parameters, key);
            after(&mut executor, &mut self.parameters);
            if rep > 0 {
                times.push(start.elapsed().as_secs_f64());
            }
        }
        let profile = match self.profile {
            true => Some(self.profile(&mut executor, before, after)),
            false => None,
        };
        Ok(Measured {
            times,
            macs,
            arena_bytes,
            profile,
        })
    }

    /// Runs the plan step by step with a clock.
    fn profile(
        &mut self,
        executor: &mut Executor<T>,
        before: impl Fn(&mut Executor<T>),
        mut after: impl FnMut(&mut Executor<T>, &mut Parameters<T>),
    ) -> Profile {
        let peak = Calibration::<T>::new(&self.pool).peak_gflops(PEAK_RUNS);
        let mut recorder = Recorder::default();
        for rep in 0..self.reps {
            let key = RunKey {
                seed: self.seed,
                step: rep as u64,
            };
            before(executor);
            executor.run_timed(&self.parameters, key, |step| recorder.add(step));
            let start = Instant::now();
            after(executor, &mut self.parameters);
            recorder.add_update(start.elapsed());
        }
        recorder.finish(self.reps, peak)
    }
}
