//! One step: batches, gradients, new weights.

use super::Trainer;
use super::plans::{MixedBatch, TrainPlan};
use crate::doctor::{self, Silence};
use crate::optim::CHUNK;
use crate::{
    Finiteness, Hits, Mean, StepMetrics, TrainConfig, TrainError, Update, clip_scale, ema_decay,
    ema_update,
};
use inception_autograd::{ParamId, RunKey};
use inception_nn::Parameters;
use inception_tensor::Pool;
use std::time::Instant;

/// What came of a step.
pub(super) enum StepEnd {
    /// Weights moved.
    Made(StepMetrics),
    /// Something was not finite; weights and running statistics are as they were.
    Bad(Bad),
    /// The update itself left weights or buffers that are not finite.
    Poisoned(Bad),
}

/// What was not finite, and where.
#[derive(Clone, Debug)]
pub(super) struct Bad {
    pub(super) epoch: u64,
    pub(super) what: String,
    pub(super) layer: Option<String>,
    pub(super) items: Vec<String>,
}

/// Numbers that live as long as the run, so that a step allocates none.
#[derive(Default)]
pub(super) struct Scratch {
    /// Sums of gradients over the batches of a step, where there is more than one.
    sums: Vec<Vec<f32>>,
    /// Running statistics as they were before the step.
    statistics: Vec<(ParamId, Vec<f32>)>,
    norm: crate::GlobalNorm,
    /// Squares of the norm of each parameter's gradient in the last step.
    squares: Vec<f64>,
    /// What the learning rate of each trained parameter is multiplied by.
    rates: Vec<f64>,
}

/// Means over the batches of a step.
#[derive(Default)]
struct Tally {
    loss: Mean,
    main: Mean,
    aux: Vec<(&'static str, Mean)>,
    hits: Hits,
    batches: u64,
    epoch: u64,
}

impl Trainer {
    /// Makes the next step.
    pub(super) fn step(&mut self) -> Result<StepEnd, TrainError> {
        let start = Instant::now();
        let lr = self.rate();
        let mut tally = Tally::default();
        let mut silence = self.examination_is_due().then(Silence::default);
        self.remember_statistics();
        let last = loop {
            let batch = self.next_mixed_batch()?;
            tally.epoch = batch.epoch;
            let key = self.run_key();
            let plan = self.plans.train(batch.len())?;
            match silence.as_mut().filter(|_| tally.batches == 0) {
                None => plan.run(&batch, &self.state.params, key),
                Some(silence) => plan.run_watched(&batch, &self.state.params, key, silence),
            }
            self.state.counters.batches += 1;
            if let Some(what) = plan.bad_loss() {
                return Ok(StepEnd::Bad(self.give_up(&batch, key, what)));
            }
            tally.add(plan, &batch);
            if let Some(what) = update_statistics(plan, &mut self.state.params) {
                return Ok(StepEnd::Bad(self.give_up(&batch, key, what)));
            }
            let ends = tally.batches == self.config.accumulate
                || self.state.counters.position.epoch != batch.epoch;
            if self.config.accumulate > 1 {
                self.scratch.add_gradients(&self.pool, plan, tally.batches);
            }
            if ends {
                break batch;
            }
        };
        let mean = 1.0 / tally.batches as f64;
        let norm = self.gradient_norm(last.len())? * mean;
        self.state.push_norm(norm);
        if !norm.is_finite() {
            let what = format!("norm of the gradients is {norm}");
            let mut key = self.run_key();
            key.step -= 1;
            return Ok(StepEnd::Bad(self.give_up(&last, key, what)));
        }
        let clip = self
            .config
            .clip_grad
            .map_or(1.0, |most| clip_scale(norm, most));
        let update = Update {
            lr,
            scale: clip * mean,
        };
        if let Some(param) = self.move_weights(last.len(), update)? {
            let what = format!("{param} or its buffers are not finite after the update");
            return Ok(StepEnd::Poisoned(self.bad(&last, what, None)));
        }
        self.average();
        self.state.counters.step += 1;
        self.state.counters.bad_in_a_row = 0;
        let seconds = start.elapsed().as_secs_f64();
        let metrics = tally.metrics(self.state.counters.step, lr, norm, seconds);
        Ok(StepEnd::Made(StepMetrics {
            stability: silence.map(|silence| silence.finish(self.stage_norms(mean))),
            ..metrics
        }))
    }

    /// Whether the next step is one of those that are looked at closely.
    fn examination_is_due(&self) -> bool {
        let (steps, every) = (self.state.counters.step, self.config.doctor_every);
        every > 0 && (steps == 0 || (steps + 1).is_multiple_of(every))
    }

    /// Norms of the last step's gradients, of which `mean` is the factor, by stage.
    fn stage_norms(&self, mean: f64) -> Vec<(String, f64)> {
        let names = self.state.optimizer.trained().iter();
        let squares = self.scratch.squares.iter();
        let params = names.zip(squares);
        doctor::stage_norms(params.map(|(p, squares)| (p.name.as_str(), squares * mean * mean)))
    }

    fn next_mixed_batch(&mut self) -> Result<MixedBatch, TrainError> {
        let batch = self.next_batch()?;
        let (seed, number) = (self.config.seed, self.state.counters.batches);
        Ok(MixedBatch::new(batch, self.config.mix(), seed, number))
    }

    /// The learning rate of the next step: the schedule's, halved by each rollback.
    fn rate(&self) -> f64 {
        let counters = &self.state.counters;
        let rate = self.schedule.rate(counters.step, self.span);
        let halvings = i32::try_from(counters.rollbacks).unwrap_or(i32::MAX);
        rate * 0.5f64.powi(halvings)
    }

    /// The key of the next batch's random numbers.
    fn run_key(&self) -> RunKey {
        RunKey {
            seed: self.config.seed,
            step: self.state.counters.batches,
        }
    }

    /// Norm of the gradients, summed over the batches of a step.
    pub(super) fn gradient_norm(&mut self, images: usize) -> Result<f64, TrainError> {
        let Scratch {
            sums,
            norm,
            squares,
            ..
        } = &mut self.scratch;
        let plan = self.plans.train(images)?;
        squares.clear();
        for (i, grad) in plan.program.grads.iter().enumerate() {
            squares.push(match sums.get(i) {
                Some(sum) => norm.add(&self.pool, sum),
                None => norm.add(&self.pool, plan.executor.output(grad.grad).dense()),
            });
        }
        Ok(norm.finish())
    }

    /// Moves every weight; the name of the first that is not finite then.
    fn move_weights(
        &mut self,
        images: usize,
        update: Update,
    ) -> Result<Option<String>, TrainError> {
        let plan = self.plans.train(images)?;
        let mut poisoned = None;
        for (i, grad) in plan.program.grads.iter().enumerate() {
            let gradient = match self.scratch.sums.get(i) {
                Some(sum) => sum.as_slice(),
                None => plan.executor.output(grad.grad).dense(),
            };
            let weights = self.state.params.get_mut(grad.param);
            let optimizer = &mut self.state.optimizer;
            let update = Update {
                lr: update.lr * self.scratch.rates[i],
                ..update
            };
            let end = optimizer.update(&self.pool, i, update, weights, gradient);
            if end == Finiteness::NonFinite && poisoned.is_none() {
                poisoned = Some(optimizer.trained()[i].name.clone());
            }
        }
        self.state.optimizer.advance();
        Ok(poisoned)
    }

    /// Moves the average of all weights and running statistics.
    fn average(&mut self) {
        let (Some(decay), Some(ema)) = (self.config.ema, &mut self.state.ema) else {
            return;
        };
        let decay = ema_decay(decay, self.state.counters.averaged);
        for (id, average) in ema.iter_mut() {
            ema_update(&self.pool, decay, average, self.state.params.get(id));
        }
        self.state.counters.averaged += 1;
    }

    fn remember_statistics(&mut self) {
        for (id, saved) in &mut self.scratch.statistics {
            saved.copy_from_slice(self.state.params.get(*id));
        }
    }

    /// Leaves the step out: running statistics as before it, the step counted.
    fn give_up(&mut self, batch: &MixedBatch, key: RunKey, what: String) -> Bad {
        for (id, saved) in &self.scratch.statistics {
            self.state.params.get_mut(*id).copy_from_slice(saved);
        }
        let plan = self.plans.train(batch.len()).ok();
        let layer = plan.and_then(|p| p.first_non_finite(batch, &self.state.params, key));
        self.state.counters.step += 1;
        self.state.counters.bad_in_a_row += 1;
        self.bad(batch, what, layer)
    }

    fn bad(&self, batch: &MixedBatch, what: String, layer: Option<String>) -> Bad {
        let origins = batch.items.iter().map(|&i| self.datasets.train.origin(i));
        Bad {
            epoch: batch.epoch + 1,
            what,
            layer,
            items: origins.collect(),
        }
    }
}

/// Stores the running statistics of a step; what is not finite, in words.
fn update_statistics(plan: &TrainPlan, params: &mut Parameters<f32>) -> Option<String> {
    let mut bad = None;
    for update in plan.program.graph.updates() {
        let value = plan.executor.output(update.value).dense();
        if bad.is_none() && !value.iter().all(|x| x.is_finite()) {
            let name = &params.specs().get(update.param).name;
            bad = Some(format!("{name} is not finite"));
        }
        params.get_mut(update.param).copy_from_slice(value);
    }
    bad
}

impl Scratch {
    /// Memory for the steps of a plan.
    pub(super) fn new(plan: &TrainPlan, params: &Parameters<f32>, config: &TrainConfig) -> Self {
        let sums = plan.program.grads.iter().filter(|_| config.accumulate > 1);
        let depths = params.specs().depths();
        let factor = config.layer_decay.unwrap_or(1.0);
        let rate = |param: ParamId| factor.powi(depths[param.index()] as i32);
        let updates = plan.program.graph.updates().iter();
        Self {
            sums: sums.map(|g| vec![0.0; params.get(g.param).len()]).collect(),
            statistics: updates
                .map(|u| (u.param, params.get(u.param).to_vec()))
                .collect(),
            norm: crate::GlobalNorm::default(),
            squares: Vec::new(),
            rates: plan.program.grads.iter().map(|g| rate(g.param)).collect(),
        }
    }

    /// Adds the gradients of batch number `batch` of a step, from 1.
    fn add_gradients(&mut self, pool: &Pool, plan: &TrainPlan, batch: u64) {
        for (sum, grad) in self.sums.iter_mut().zip(&plan.program.grads) {
            let gradient = plan.executor.output(grad.grad).dense();
            if batch == 1 {
                sum.copy_from_slice(gradient);
                continue;
            }
            pool.for_each_chunk(sum, CHUNK, |i, chunk| {
                let gradient = &gradient[i * CHUNK..][..chunk.len()];
                for (s, &g) in chunk.iter_mut().zip(gradient) {
                    *s += g;
                }
            });
        }
    }
}

impl Tally {
    fn add(&mut self, plan: &TrainPlan, batch: &MixedBatch) {
        let program = &plan.program;
        let images = batch.len() as f64;
        self.batches += 1;
        self.loss.add(plan.scalar(program.loss), images);
        self.main.add(plan.scalar(program.loss_main), images);
        for (i, aux) in program.loss_aux.iter().enumerate() {
            if self.aux.len() == i {
                self.aux.push((aux.name, Mean::default()));
            }
            self.aux[i].1.add(plan.scalar(aux.loss), images);
        }
        let logits = plan.executor.output(program.logits);
        for (i, &label) in batch.labels.iter().enumerate() {
            self.hits.add(logits.row(i), label);
        }
    }

    fn metrics(&self, step: u64, lr: f64, grad_norm: f64, seconds: f64) -> StepMetrics {
        let value = |mean: &Mean| mean.get().unwrap_or(f64::NAN);
        StepMetrics {
            step,
            epoch: self.epoch + 1,
            loss: value(&self.loss),
            loss_main: value(&self.main),
            loss_aux: self.aux.iter().map(|(n, m)| (*n, value(m))).collect(),
            top1: self.hits.top1(),
            top5: self.hits.top5(),
            lr,
            grad_norm,
            images: self.hits.total,
            images_per_s: self.hits.total as f64 / seconds,
            stability: None,
        }
    }
}
