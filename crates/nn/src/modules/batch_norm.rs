//! Batch normalisation.

use crate::{Builder, Ctx, Init, Mode, Module, Role};
use inception_autograd::{GraphError, ParamId, RunningStatistics, Var};
use inception_tensor::Shape;
use std::sync::Arc;

/// Whether a normalisation multiplies by a γ of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scale {
    /// It does.
    With,
    /// γ is 1.
    Without,
}

/// Batch normalisation: keys `weight` (γ, where there is one), `bias` (β), `running_mean`,
/// `running_var`.
///
/// In training the batch's own statistics normalise, and running statistics follow them; in
/// inference the running statistics normalise. Where the running statistics are frozen, they
/// normalise in training too and stay as they are: a frozen module computes what it computed
/// before.
#[derive(Clone, Debug)]
pub struct BatchNorm2d {
    path: Arc<str>,
    eps: f64,
    channels: usize,
    gamma: Option<ParamId>,
    beta: ParamId,
    running_mean: ParamId,
    running_var: ParamId,
}

/// How far running statistics move to a batch's: PyTorch's default.
const MOMENTUM: f64 = 0.1;

impl BatchNorm2d {
    /// Registers the parameters of a normalisation of `channels` channels.
    pub fn new(b: &mut Builder<'_>, channels: usize, eps: f64, scale: Scale) -> Self {
        Self {
            path: b.path(),
            eps,
            channels,
            gamma: match scale {
                Scale::With => Some(b.vector("weight", channels, Init::ONES, Role::NormScale)),
                Scale::Without => None,
            },
            beta: b.vector("bias", channels, Init::ZEROS, Role::NormShift),
            running_mean: b.vector("running_mean", channels, Init::ZEROS, Role::RunningMean),
            running_var: b.vector("running_var", channels, Init::ONES, Role::RunningVar),
        }
    }

    fn follows_batches(&self, ctx: &Ctx<'_>) -> bool {
        let frozen = ctx.is_frozen(self.running_mean) || ctx.is_frozen(self.running_var);
        ctx.mode == Mode::Train && !frozen
    }
}

impl Module for BatchNorm2d {
    fn forward(&self, x: Var, ctx: &mut Ctx<'_>) -> Result<Var, GraphError> {
        let gamma = match self.gamma {
            Some(gamma) => ctx.param(gamma),
            None => {
                let ones = Shape::vector(self.channels);
                ctx.graph.fill(&self.path, ones, 1.0)?
            }
        };
        let beta = ctx.param(self.beta);
        let running = RunningStatistics {
            mean: ctx.param(self.running_mean),
            var: ctx.param(self.running_var),
        };
        if !self.follows_batches(ctx) {
            let graph = &mut *ctx.graph;
            return graph.batch_norm_eval(&self.path, self.eps, x, gamma, beta, running);
        }
        let graph = &mut *ctx.graph;
        let batch = graph.batch_norm(&self.path, self.eps, x, gamma, beta)?;
        let next = graph.batch_norm_update(&self.path, MOMENTUM, batch, running)?;
        graph.update(self.running_mean, next.mean);
        graph.update(self.running_var, next.var);
        Ok(batch.y)
    }
}
