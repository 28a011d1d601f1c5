//! Plain loops.

use inception_tensor::{Element, Tensor};

/// Probabilities, from differences of logits: `1 / Σ_j exp(x_j − x_c)`.
pub fn forward<T: Element>(x: &Tensor<T>) -> Tensor<T> {
    let classes = x.shape().c;
    Tensor::from_fn(x.shape(), |i| {
        let row = x.view().row(i / classes);
        let sum = row
            .iter()
            .fold(T::zero(), |sum, &x| sum + (x - row[i % classes]).exp());
        sum.recip()
    })
}

/// What each probability of row `r` should be.
pub fn target(smoothing: f64, label: u32, class: usize, classes: usize) -> f64 {
    let hit = if class == label as usize {
        1.0 - smoothing
    } else {
        0.0
    };
    hit + smoothing / classes as f64
}

/// Mean cross-entropy of the probabilities.
pub fn cross_entropy<T: Element>(smoothing: f64, logits: &Tensor<T>, labels: &[u32]) -> T {
    let shape = logits.shape();
    let p = forward(logits);
    let mut loss = T::zero();
    for (i, &p) in p.data().iter().enumerate() {
        let target = target(smoothing, labels[i / shape.c], i % shape.c, shape.c);
        loss -= T::of(target) * p.ln();
    }
    loss / T::of(shape.n as f64)
}

/// `dlogits = dloss·(softmax − target)/n`.
pub fn cross_entropy_backward<T: Element>(
    smoothing: f64,
    logits: &Tensor<T>,
    labels: &[u32],
    dloss: T,
) -> Tensor<T> {
    let shape = logits.shape();
    let p = forward(logits);
    Tensor::from_fn(shape, |i| {
        let target = target(smoothing, labels[i / shape.c], i % shape.c, shape.c);
        dloss * (p.data()[i] - T::of(target)) / T::of(shape.n as f64)
    })
}
