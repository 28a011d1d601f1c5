//! Everything that changes during a run, and how it is kept in a checkpoint.

use super::files::{self, fault, number, text};
use crate::{Optimizer, TrainError};
use inception_data::Position;
use inception_nn::{LoadMode, NnError, ParamSpec, Parameters, StateTensor};
use inception_store::{Archive, ArchiveBuilder, Rule, StoreError};

/// How many gradient norms are remembered.
pub(crate) const NORMS: usize = 10;

/// The best validation so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Best {
    /// The step after which it was made.
    pub step: u64,
    /// Epochs that were complete.
    pub epoch: u64,
    /// Share of right answers.
    pub top1: f64,
    /// Share of labels among the five best.
    pub top5: f64,
    /// Mean cross-entropy.
    pub loss: f64,
}

/// Places and counts of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// Steps made, those left out included.
    pub(crate) step: u64,
    /// The next batch.
    pub(crate) position: Position,
    /// Batches read, which keys dropout.
    pub(crate) batches: u64,
    /// Lines of the log.
    pub(crate) lines: u64,
    /// Updates of the moving average.
    pub(crate) averaged: u64,
    /// The last step after which the network was validated.
    pub(crate) validated: u64,
    /// Steps left out since the last that was not.
    pub(crate) bad_in_a_row: u64,
    /// How often the run went back to a checkpoint.
    pub(crate) rollbacks: u64,
}

/// Everything that changes during a run.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) params: Parameters<f32>,
    pub(crate) ema: Option<Parameters<f32>>,
    pub(crate) optimizer: Optimizer<f32>,
    pub(crate) counters: Counters,
    pub(crate) best: Option<Best>,
    /// Gradient norms of the last steps, the latest last.
    pub(crate) norms: Vec<f64>,
}

impl Counters {
    /// Names and values of those that are not kept elsewhere.
    fn named(&mut self) -> [(&'static str, &mut u64); 10] {
        [
            (files::STEP, &mut self.step),
            (files::ROLLBACKS, &mut self.rollbacks),
            ("checkpoint.epoch", &mut self.position.epoch),
            ("checkpoint.batch", &mut self.position.batch),
            ("checkpoint.skipped", &mut self.position.skipped),
            ("checkpoint.batches", &mut self.batches),
            ("checkpoint.lines", &mut self.lines),
            ("checkpoint.averaged", &mut self.averaged),
            ("checkpoint.validated", &mut self.validated),
            ("checkpoint.bad-in-a-row", &mut self.bad_in_a_row),
        ]
    }
}

impl State {
    /// Remembers the norm of a step's gradients.
    pub(crate) fn push_norm(&mut self, norm: f64) {
        if self.norms.len() == NORMS {
            self.norms.remove(0);
        }
        self.norms.push(norm);
    }

    /// Weights that are validated and kept: the moving average where there is one.
    pub(crate) fn evaluated(&self) -> &Parameters<f32> {
        self.ema.as_ref().unwrap_or(&self.params)
    }

    /// The first weight, statistic or average that is not finite, in words.
    pub(crate) fn non_finite(&self) -> Option<String> {
        let sets = [("", Some(&self.params)), ("average of ", self.ema.as_ref())];
        for (what, params) in sets {
            for (id, spec) in params.iter().flat_map(|p| p.specs().iter()) {
                let values = params.expect("a set with parameters").get(id);
                if !values.iter().all(|x| x.is_finite()) {
                    return Some(format!("{what}{} is not finite", spec.name));
                }
            }
        }
        None
    }

    /// Adds everything to an archive.
    pub(crate) fn write<'a>(&'a self, builder: &mut ArchiveBuilder<'a>) -> Result<(), StoreError> {
        builder.metadata("checkpoint.format", "inception-checkpoint")?;
        builder.metadata(files::VERSION, files::CURRENT.to_string())?;
        for (key, value) in self.counters.clone().named() {
            builder.metadata(key, value.to_string())?;
        }
        builder.metadata("checkpoint.updates", self.optimizer.steps().to_string())?;
        for (prefix, params) in [("model", Some(&self.params)), ("ema", self.ema.as_ref())] {
            for entry in params.into_iter().flat_map(Parameters::state_entries) {
                let name = format!("{prefix}.{}", entry.name());
                let write = move |out: &mut [f32]| entry.write(out);
                builder.f32_with(name, &entry.shape(), entry.len(), write)?;
            }
        }
        for slot in self.optimizer.slots() {
            let spec = spec(&self.params, slot.param);
            let write = move |out: &mut [f32]| spec.layout.write(spec.shape, slot.data, out);
            let name = slot_name(slot.slot, slot.param);
            builder.f32_with(name, &spec.torch_shape(), slot.data.len(), write)?;
        }
        // As bits, because the norm of a step that was left out may be NaN.
        let norms: Vec<u64> = self.norms.iter().map(|n| n.to_bits()).collect();
        builder.u64("norms", &[norms.len()], norms)?;
        if let Some(best) = self.best {
            let Best {
                step,
                epoch,
                top1,
                top5,
                loss,
            } = best;
            builder.u64("best.at", &[2], vec![step, epoch])?;
            builder.f64("best.metrics", &[3], vec![top1, top5, loss])?;
        }
        Ok(())
    }

    /// Takes everything from a checkpoint of a run with the same settings.
    ///
    /// # Errors
    /// When tensors are missing, left over, of another shape, or not finite.
    pub(crate) fn read(&mut self, archive: &Archive) -> Result<(), TrainError> {
        if text(archive, "checkpoint.format")? != "inception-checkpoint" {
            return Err(fault(archive, "this is no checkpoint".to_owned()));
        }
        archive.check_finite(Default::default())?;
        load_params(archive, "model.", &mut self.params)?;
        if let Some(ema) = &mut self.ema {
            load_params(archive, "ema.", ema)?;
        }
        let params = &self.params;
        let updates = number(archive, "checkpoint.updates")?;
        self.optimizer.restore(updates, |param, slot, data| {
            let spec = spec(params, param);
            let name = slot_name(slot, param);
            let found = tensor(archive, &name, &spec.torch_shape())?;
            spec.layout.read(spec.shape, &found, data);
            Ok::<(), TrainError>(())
        })?;
        for (key, value) in self.counters.named() {
            *value = number(archive, key)?;
        }
        let norms = archive.to_u64("norms")?;
        self.norms = norms.into_iter().map(f64::from_bits).collect();
        self.best = read_best(archive)?;
        Ok(())
    }
}

fn read_best(archive: &Archive) -> Result<Option<Best>, TrainError> {
    if !archive.contains("best.at") {
        return Ok(None);
    }
    let at = archive.to_u64("best.at")?;
    let metrics = archive.to_f64("best.metrics")?;
    let ([step, epoch], [top1, top5, loss]) = (&at[..], &metrics[..]) else {
        return Err(fault(archive, "best: expected 2 and 3 numbers".to_owned()));
    };
    Ok(Some(Best {
        step: *step,
        epoch: *epoch,
        top1: *top1,
        top5: *top5,
        loss: *loss,
    }))
}

fn slot_name(slot: &str, param: &str) -> String {
    format!("optimizer.{slot}.{param}")
}

fn spec<'a>(params: &'a Parameters<f32>, name: &str) -> &'a ParamSpec {
    let id = params.specs().find(name);
    params
        .specs()
        .get(id.expect("optimisers move parameters of the model"))
}

fn load_params(
    archive: &Archive,
    prefix: &str,
    params: &mut Parameters<f32>,
) -> Result<(), TrainError> {
    let mut tensors = Vec::new();
    for (name, entry) in archive.iter() {
        if let Some(short) = name.strip_prefix(prefix) {
            tensors.push(StateTensor {
                name: short.to_owned(),
                shape: entry.shape.to_vec(),
                data: archive.to_f32(name)?,
            });
        }
    }
    let report = params.load_state_dict(tensors, LoadMode::Strict);
    let report = report.map_err(|e: NnError| match e {
        NnError::StateDict(_) => fault(archive, format!("{prefix}: {e}")),
        other => other.into(),
    })?;
    if let Some(name) = report.ignored.first() {
        let message = format!("expected no tensor {prefix}{name}, found one");
        return Err(fault(archive, message));
    }
    Ok(())
}

fn tensor(archive: &Archive, name: &str, shape: &[usize]) -> Result<Vec<f32>, TrainError> {
    let found = archive.tensor(name).map_err(|e| match e.rule() {
        Some(Rule::Present) => fault(archive, format!("expected a tensor {name}, found none")),
        _ => e.into(),
    })?;
    if found.shape != shape {
        let message = format!("{name}: expected {shape:?}, found {:?}", found.shape);
        return Err(fault(archive, message));
    }
    Ok(archive.to_f32(name)?)
}
