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
            OptimizerKind::AdamW { beta1, beta2, eps } => {
                adamw(&AdamW::new(rates, beta1, beta2, eps), w, g, first, second)
            }
            OptimizerKind::RmsProp {
                alpha,
                eps,
                momentum,
            } => {
                let (alpha, eps) = (T::of(alpha), T::of(eps));
                if momentum == 0.0 {
                    rmsprop(rates, alpha, eps, w, g, first)
                } else {
                    rmsprop_momentum(rates, alpha, eps, T::of(momentum), w, g, first, second)
                }
            }
            OptimizerKind::RmsPropTf {
                alpha,
                eps,
                momentum,
            } => {
                let k = RmsPropTf {
                    alpha: T::of(alpha),
                    eps: T::of(eps),
                    momentum: T::of(momentum),
                };
                if momentum == 0.0 {
                    rmsprop_tf(rates, &k, w, g, first)
                } else {
                    rmsprop_tf_momentum(rates, &k, w, g, first, second)
                }
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

#[inline(always)]
fn rmsprop<T: Element>(
    rates: &Rates,
    alpha: T,
    eps: T,
    w: &mut [T],
    g: &[T],
    square: &mut [T],
) -> bool {
    let (lr, scale, decay) = (T::of(rates.lr), T::of(rates.scale), T::of(rates.decay));
    let mut bad = false;
    for ((w, &g), v) in w.iter_mut().zip(g).zip(square) {
        let g = g * scale + decay * *w;
        *v = alpha * *v + (T::one() - alpha) * g * g;
        *w -= lr * g / (v.sqrt() + eps);
        bad |= !(w.is_finite() && v.is_finite());
    }
    !bad
}

#[allow(
    clippy::too_many_arguments,
    reason = "three constants and four arrays, all of one rule"
)]
#[inline(always)]
fn rmsprop_momentum<T: Element>(
    rates: &Rates,
    alpha: T,
    eps: T,
    momentum: T,
    w: &mut [T],
    g: &[T],
    square: &mut [T],
    buffer: &mut [T],
) -> bool {
    let (lr, scale, decay) = (T::of(rates.lr), T::of(rates.scale), T::of(rates.decay));
    let mut bad = false;
    for (((w, &g), v), b) in w.iter_mut().zip(g).zip(square).zip(buffer) {
        let g = g * scale + decay * *w;
        *v = alpha * *v + (T::one() - alpha) * g * g;
        *b = momentum * *b + g / (v.sqrt() + eps);
        *w -= lr * *b;
        bad |= !(w.is_finite() && v.is_finite() && b.is_finite());
    }
    !bad
}

/// Constants of RMSProp in TensorFlow's form.
struct RmsPropTf<T> {
    alpha: T,
    eps: T,
    momentum: T,
}

#[inline(always)]
fn rmsprop_tf<T: Element>(
    rates: &Rates,
    k: &RmsPropTf<T>,
    w: &mut [T],
    g: &[T],
    square: &mut [T],
) -> bool {
    let (lr, scale, decay) = (T::of(rates.lr), T::of(rates.scale), T::of(rates.decay));
    let mut bad = false;
    for ((w, &g), v) in w.iter_mut().zip(g).zip(square) {
        let g = g * scale + decay * *w;
        *v = k.alpha * *v + (T::one() - k.alpha) * g * g;
        *w -= lr * g / (*v + k.eps).sqrt();
        bad |= !(w.is_finite() && v.is_finite());
    }
    !bad
}

#[inline(always)]
fn rmsprop_tf_momentum<T: Element>(
    rates: &Rates,
    k: &RmsPropTf<T>,
    w: &mut [T],
    g: &[T],
    square: &mut [T],
    buffer: &mut [T],
) -> bool {
    let (lr, scale, decay) = (T::of(rates.lr), T::of(rates.scale), T::of(rates.decay));
    let mut bad = false;
    for (((w, &g), v), b) in w.iter_mut().zip(g).zip(square).zip(buffer) {
        let g = g * scale + decay * *w;
        *v = k.alpha * *v + (T::one() - k.alpha) * g * g;
        *b = k.momentum * *b + lr * g / (*v + k.eps).sqrt();
        *w -= *b;
        bad |= !(w.is_finite() && v.is_finite() && b.is_finite());
    }
    !bad
}
