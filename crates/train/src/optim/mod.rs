//! Optimisers: from gradients to new weights, in one pass over the data.

mod config;
mod muon;
mod rules;
#[cfg(test)]
mod tests;

pub use config::{OptimizerConfig, OptimizerKind};

use inception_tensor::{Element, Pool};
use rules::{Chunk, Rates};
use std::sync::atomic::{AtomicBool, Ordering};

/// Numbers that one thread updates at a time: three or four arrays of it fit a cache.
pub(crate) const CHUNK: usize = 16_384;

/// A parameter that an optimiser moves.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    /// Its key in a state dict, which names its buffers.
    pub name: String,
    /// How many numbers it has.
    pub len: usize,
    /// What the learning rate is multiplied by for it.
    pub lr: f64,
    /// What the weight decay is multiplied by for it; 0 keeps it from decaying.
    pub decay: f64,
    /// Numbers of a filter and filters, where it is the filters of a convolution: a matrix to
    /// Muon.
    pub filters: Option<[usize; 2]>,
}

impl Trained {
    /// A parameter that moves and decays as the settings say.
    pub fn new(name: impl Into<String>, len: usize) -> Self {
        Self {
            name: name.into(),
            len,
            lr: 1.0,
            decay: 1.0,
            filters: None,
        }
    }
}

/// What an update is done with, the same for every parameter of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Update {
    /// The learning rate.
    pub lr: f64,
    /// What gradients are multiplied by first: for clipping, and for means of several
    /// batches.
    pub scale: f64,
}

/// Whether an update left only finite numbers behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Finiteness {
    /// All weights and buffers are finite.
    Finite,
    /// A weight or a buffer is NaN or infinite now.
    NonFinite,
}

/// Buffers of one parameter; empty where the rule keeps fewer.
#[derive(Clone, Debug)]
struct Buffers<T> {
    first: Vec<T>,
    second: Vec<T>,
}

/// An update rule with its buffers, of `f32` in work and of `f64` in checks.
///
/// ```text
/// SGD       g ← s·∇ + λw;  b ← μb + g (b ← g at first);  w ← w − η·b   (nesterov: η·(g + μb))
/// AdamW     m ← β₁m + (1−β₁)g;  v ← β₂v + (1−β₂)g²;
///           w ← (1 − ηλ)w − η/(1−β₁ᵗ) · m / (√v/√(1−β₂ᵗ) + ε)
/// Muon      m ← μm + (1−μ)g;  w ← (1 − ηλ)w − 0.2η√max(rows, columns) · orthogonal((1−μ)g + μm)
/// RMSProp   v ← αv + (1−α)g²;  b ← μb + g/(√v + ε);  w ← w − η·b
/// the TF form  v ← αv + (1−α)g² (v ← 1 at first);  b ← μb + η·g/√(v + ε);  w ← w − b
/// ```
///
/// A step allocates nothing. Each number is computed from its own gradient and buffers alone, and
/// Muon's products are summed in an order that depends on shapes alone, so results do not depend
/// on the number of threads.
///
/// # Sources
/// `torch.optim` (SGD, AdamW, RMSprop); `tf.train.RMSPropOptimizer`; Loshchilov and Hutter,
/// "Decoupled Weight Decay Regularization", 2019; `torch.optim.Muon` with
/// `adjust_lr_fn="match_rms_adamw"`.
///
/// # Examples
/// ```
/// use inception_tensor::Pool;
/// use inception_train::{Optimizer, OptimizerConfig, OptimizerKind, Trained, Update};
///
/// let config = OptimizerConfig {
///     kind: OptimizerKind::Sgd { momentum: 0.9, nesterov: false },
///     weight_decay: 0.0,
/// };
/// let mut optimizer = Optimizer::new(config, vec![Trained::new("fc.weight", 2)]);
/// let (mut w, update) = ([1.0f64, 2.0], Update { lr: 0.1, scale: 1.0 });
/// for _ in 0..2 {
///     let _ = optimizer.update(&Pool::serial(), 0, update, &mut w, &[1.0, 0.0]);
///     optimizer.advance();
/// }
/// assert!((w[0] - (1.0 - 0.1 - 0.19)).abs() < 1e-12);
/// ```
#[derive(Clone, Debug)]
pub struct Optimizer<T> {
    config: OptimizerConfig,
    trained: Vec<Trained>,
    buffers: Vec<Buffers<T>>,
    steps: u64,
}

impl<T: Element> Optimizer<T> {
    /// An optimiser that has made no step.
    pub fn new(config: OptimizerConfig, trained: Vec<Trained>) -> Self {
        let first = T::of(config.first_value());
        let buffers = trained.iter().map(|p| {
            let slots = config.slots(p).len();
            Buffers {
                first: vec![first; if slots > 0 { p.len } else { 0 }],
                second: vec![T::zero(); if slots > 1 { p.len } else { 0 }],
            }
        });
        Self {
            buffers: buffers.collect(),
            config,
            trained,
            steps: 0,
        }
    }

    /// The settings.
    pub fn config(&self) -> &OptimizerConfig {
        &self.config
    }

    /// The parameters, by the index that [`Optimizer::update`] takes.
    pub fn trained(&self) -> &[Trained] {
        &self.trained
    }

    /// How many steps were made.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Moves parameter `i`, whose numbers are `weights`, against `gradient`.
    ///
    /// # Panics
    /// When a length is not the parameter's.
    pub fn update(
        &mut self,
        pool: &Pool,
        i: usize,
        update: Update,
        weights: &mut [T],
        gradient: &[T],
    ) -> Finiteness {
        let Trained {
            name,
            len,
            lr,
            decay,
            filters,
        } = &self.trained[i];
        assert_eq!([weights.len(), gradient.len()], [*len; 2], "{name}");
        let kind = self.config.kind;
        let rates = Rates {
            lr: update.lr * lr,
            scale: update.scale,
            steps: self.steps,
            decay: self.config.weight_decay * decay,
        };
        let Buffers { first, second } = &mut self.buffers[i];
        if let (OptimizerKind::Muon { momentum, .. }, &Some(size)) = (kind, filters) {
            let numbers = [weights, first.as_mut_slice()];
            return match muon::step(pool, &rates, momentum, size, numbers, gradient) {
                true => Finiteness::Finite,
                false => Finiteness::NonFinite,
            };
        }
        let bad = AtomicBool::new(false);
        let numbers = [weights, first.as_mut_slice(), second.as_mut_slice()];
        pool.for_each_chunks(numbers, CHUNK, |i, [w, first, second]| {
            let g = &gradient[i * CHUNK..][..w.len()];
            let chunk = Chunk {
                kind,
                rates,
                w,
                g,
                first,
                second,
            };
            if !pool.sweep(chunk) {
                bad.store(true, Ordering::Relaxed);
            }
        });
        match bad.into_inner() {
            false => Finiteness::Finite,
            true => Finiteness::NonFinite,
        }
    }

    /// Ends a step, after every parameter was moved.
    pub fn advance(&mut self) {
        self.steps += 1;
    }

    /// The buffers of every parameter, by parameter and by name of the rule's slot.
    pub fn slots(&self) -> impl Iterator<Item = Slot<'_, T>> {
        self.trained
            .iter()
            .zip(&self.buffers)
            .flat_map(move |(p, b)| {
                let data = [b.first.as_slice(), b.second.as_slice()];
                self.config
                    .slots(p)
                    .iter()
                    .zip(data)
                    .map(|(&slot, data)| Slot {
                        param: &p.name,
                        slot,
                        data,
                    })
            })
    }

    /// Takes up where another optimiser of the same settings stopped after `steps` steps:
    /// `fill(param, slot, buffer)` writes each buffer.
    ///
    /// # Errors
    /// The first of `fill`; buffers are undefined then.
    pub fn restore<E>(
        &mut self,
        steps: u64,
        mut fill: impl FnMut(&str, &str, &mut [T]) -> Result<(), E>,
    ) -> Result<(), E> {
        for (p, b) in self.trained.iter().zip(&mut self.buffers) {
            let names = self.config.slots(p).iter();
            for (&slot, data) in names.zip([&mut b.first, &mut b.second]) {
                fill(&p.name, slot, data)?;
            }
        }
        self.steps = steps;
        Ok(())
    }
}

/// A buffer of an optimiser.
#[derive(Clone, Copy, Debug)]
pub struct Slot<'a, T> {
    /// The parameter's key in a state dict.
    pub param: &'a str,
    /// The buffer's name in the rule: `momentum_buffer`.
    pub slot: &'static str,
    /// Its numbers, in the parameter's order in memory.
    pub data: &'a [T],
}
