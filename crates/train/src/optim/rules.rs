//! The update rules on one chunk of numbers.

use super::OptimizerKind;
use inception_tensor::{Element, Vectorize};

/// What a rule needs besides numbers: the same for every number of a step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rates {
    pub(super) lr: f64,
    /// What gradients are multiplied by first.
    pub(super) scale: f64,
    /// How many updates there were before this one.
    pub(super) steps: u64,
    /// λ of the parameter.
    pub(super) decay: f64,
}

/// Weights and buffers of consecutive numbers, to be updated from their gradients. Comes to
/// whether all results are finite.
pub(super) struct Chunk<'a, T> {
    pub(super) kind: OptimizerKind,
    pub(super) rates: Rates,
    pub(super) w: &'a mut [T],
    pub(super) g: &'a [T],
    /// Buffers, empty where the rule keeps fewer.
    pub(super) first: &'a mut [T],
    pub(super) second: &'a mut [T],
}

impl<T: Element> Vectorize for Chunk<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        let Self {
            kind,
            ref rates,
            w,
            g,
            first,
            second,
        } = self;
        match kind {
            OptimizerKind::Sgd { momentum: 0.0, .. } => descend(rates, w, g),
            OptimizerKind::Sgd { momentum, nesterov } => {
                sgd(rates, T::of(momentum), nesterov, w, g, first)
            }
            OptimizerKind::AdamW { beta1, beta2, eps }
            | OptimizerKind::Muon {
                beta1, beta2, eps, ..
            } => adamw(&AdamW::new(rates, beta1, beta2, eps), w, g, first, second),
            OptimizerKind::RmsProp {
                alpha,
                eps,
                momentum,
            } => {
                let k = RmsProp {
                    beside: T::of(eps),
                    leaving: T::of(rates.lr),
                    ..RmsProp::new(rates, alpha, momentum)
                };
                k.step(w, g, first, second)
            }
            OptimizerKind::RmsPropTf {
                alpha,
                eps,
                momentum,
            } => {
                let k = RmsProp {
                    under: T::of(eps),
                    entering: T::of(rates.lr),
                    ..RmsProp::new(rates, alpha, momentum)
                };
                k.step(w, g, first, second)
            }
        }
    }
}

#[inline(always)]
fn descend<T: Element>(rates: &Rates, w: &mut [T], g: &[T]) -> bool {
    let (lr, scale, decay) = (T::of(rates.lr), T::of(rates.scale), T::of(rates.decay));
    let mut bad = false;
    for (w, &g) in w.iter_mut().zip(g) {
        *w -= lr * (g * scale + decay * *w);
        bad |= !w.is_finite();
    }
    !bad
}

#[inline(always)]
fn sgd<T: Element>(
    rates: &Rates,
    momentum: T,
    nesterov: bool,
    w: &mut [T],
    g: &[T],
    buffer: &mut [T],
) -> bool {
    let (lr, scale, decay) = (T::of(rates.lr), T::of(rates.scale), T::of(rates.decay));
    // The first gradient enters the empty buffer as it is.
    let keep = if rates.steps == 0 {
        T::zero()
    } else {
        momentum
    };
    let (ahead, along) = match nesterov {
        true => (T::one(), momentum),
        false => (T::zero(), T::one()),
    };
    let mut bad = false;
    for ((w, &g), b) in w.iter_mut().zip(g).zip(buffer) {
        let g = g * scale + decay * *w;
        *b = keep * *b + g;
        *w -= lr * (ahead * g + along * *b);
        bad |= !(w.is_finite() && b.is_finite());
    }
    !bad
}

/// Constants of one step of AdamW.
struct AdamW<T> {
    scale: T,
    shrink: T,
    beta1: T,
    beta2: T,
    eps: T,
    /// `lr/(1 − β₁ᵗ)`.
    rate: T,
    /// `√(1 − β₂ᵗ)`.
    root: T,
}

impl<T: Element> AdamW<T> {
    fn new(rates: &Rates, beta1: f64, beta2: f64, eps: f64) -> Self {
        let t = (rates.steps + 1) as f64;
        Self {
            scale: T::of(rates.scale),
            shrink: T::of(1.0 - rates.lr * rates.decay),
            beta1: T::of(beta1),
            beta2: T::of(beta2),
            eps: T::of(eps),
            rate: T::of(rates.lr / (1.0 - beta1.powf(t))),
            root: T::of((1.0 - beta2.powf(t)).sqrt()),
        }
    }
}

#[inline(always)]
fn adamw<T: Element>(k: &AdamW<T>, w: &mut [T], g: &[T], mean: &mut [T], square: &mut [T]) -> bool {
    let (new1, new2) = (T::one() - k.beta1, T::one() - k.beta2);
    let mut bad = false;
    for (((w, &g), m), v) in w.iter_mut().zip(g).zip(mean).zip(square) {
        let g = g * k.scale;
        *m = k.beta1 * *m + new1 * g;
        *v = k.beta2 * *v + new2 * g * g;
        *w = *w * k.shrink - k.rate * *m / (v.sqrt() / k.root + k.eps);
        bad |= !(w.is_finite() && m.is_finite() && v.is_finite());
    }
    !bad
}

/// Constants of one step of RMSProp. Its two forms differ in where ε is added and where the
/// learning rate enters; elsewhere they have 0 and 1, which change no bit.
struct RmsProp<T> {
    scale: T,
    decay: T,
    alpha: T,
    momentum: T,
    /// ε, as it is added under the root and beside it.
    under: T,
    beside: T,
    /// The learning rate, of what enters the buffer of momentum and of what leaves it.
    entering: T,
    leaving: T,
}

impl<T: Element> RmsProp<T> {
    /// What both forms have in common: neither ε nor a learning rate.
    fn new(rates: &Rates, alpha: f64, momentum: f64) -> Self {
        Self {
            scale: T::of(rates.scale),
            decay: T::of(rates.decay),
            alpha: T::of(alpha),
            momentum: T::of(momentum),
            under: T::zero(),
            beside: T::zero(),
            entering: T::one(),
            leaving: T::one(),
        }
    }

    #[inline(always)]
    fn step(&self, w: &mut [T], g: &[T], square: &mut [T], buffer: &mut [T]) -> bool {
        match buffer {
            [] => self.plain(w, g, square),
            _ => self.with_momentum(w, g, square, buffer),
        }
    }

    #[inline(always)]
    fn plain(&self, w: &mut [T], g: &[T], square: &mut [T]) -> bool {
        let lr = self.entering * self.leaving;
        let mut bad = false;
        for ((w, &g), v) in w.iter_mut().zip(g).zip(square) {
            let (g, root) = self.gradient_and_root(*w, g, v);
            *w -= lr * g / root;
            bad |= !(w.is_finite() && v.is_finite());
        }
        !bad
    }

    #[inline(always)]
    fn with_momentum(&self, w: &mut [T], g: &[T], square: &mut [T], buffer: &mut [T]) -> bool {
        let mut bad = false;
        for (((w, &g), v), b) in w.iter_mut().zip(g).zip(square).zip(buffer) {
            let (g, root) = self.gradient_and_root(*w, g, v);
            *b = self.momentum * *b + self.entering * g / root;
            *w -= self.leaving * *b;
            bad |= !(w.is_finite() && v.is_finite() && b.is_finite());
        }
        !bad
    }

    /// The gradient with decay, and the root of the mean of squares, which it enters.
    #[inline(always)]
    fn gradient_and_root(&self, w: T, g: T, square: &mut T) -> (T, T) {
        let g = g * self.scale + self.decay * w;
        *square = self.alpha * *square + (T::one() - self.alpha) * g * g;
        (g, (*square + self.under).sqrt() + self.beside)
    }
}
