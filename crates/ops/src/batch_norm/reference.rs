//! Plain loops: each channel gathered, sums in double precision, two passes.

use super::Norm;
use inception_tensor::{Element, Tensor};

/// The values of channel `c`.
fn channel<T: Element>(x: &Tensor<T>, c: usize) -> Vec<f64> {
    (0..x.shape().rows())
        .map(|p| x.view().row(p)[c].f64())
        .collect()
}

/// Mean and variance.
#[derive(Clone, Debug)]
pub struct Statistics<T> {
    /// The means.
    pub mean: Vec<T>,
    /// The variances, divisor N.
    pub var: Vec<T>,
}

/// Mean and variance of each channel.
pub fn statistics<T: Element>(x: &Tensor<T>) -> Statistics<T> {
    let moments = |c| {
        let values = channel(x, c);
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let squares = values.iter().map(|v| (v - mean) * (v - mean));
        [mean, squares.sum::<f64>() / values.len() as f64]
    };
    let pairs: Vec<[f64; 2]> = (0..x.shape().c).map(moments).collect();
    Statistics {
        mean: pairs.iter().map(|p| T::of(p[0])).collect(),
        var: pairs.iter().map(|p| T::of(p[1])).collect(),
    }
}

/// `(x − mean)/√(var + eps)` of a number of channel `c`.
fn standard<T: Element>(norm: &Norm<'_, T>, c: usize, x: T) -> f64 {
    (x.f64() - norm.mean[c].f64()) / (norm.var[c].f64() + norm.eps).sqrt()
}

/// `γ·(x − mean)/√(var + eps) + β`.
pub fn normalize<T: Element>(norm: &Norm<'_, T>, x: &Tensor<T>) -> Tensor<T> {
    Tensor::from_fn(x.shape(), |i| {
        let c = i % x.shape().c;
        let gamma = norm.gamma.map_or(1.0, |g| g[c].f64());
        let beta = norm.beta.map_or(0.0, |b| b[c].f64());
        T::of(gamma * standard(norm, c, x.data()[i]) + beta)
    })
}

/// Gradients of a training step.
#[derive(Clone, Debug)]
pub struct Gradients<T> {
    /// Of the input.
    pub dx: Tensor<T>,
    /// Of γ.
    pub dgamma: Vec<T>,
    /// Of β.
    pub dbeta: Vec<T>,
}

/// Gradients from `dz`, that of the output before an activation.
pub fn backward_train<T: Element>(
    norm: &Norm<'_, T>,
    x: &Tensor<T>,
    dz: &Tensor<T>,
) -> Gradients<T> {
    let (channels, count) = (x.shape().c, x.shape().rows() as f64);
    let sums = |c: usize| {
        let pairs = channel(dz, c).into_iter().zip(channel(x, c));
        pairs.fold([0.0, 0.0], |[plain, weighted], (d, x)| {
            [plain + d, weighted + d * standard(norm, c, T::of(x))]
        })
    };
    let sums: Vec<[f64; 2]> = (0..channels).map(sums).collect();
    let dx = Tensor::from_fn(x.shape(), |i| {
        let c = i % channels;
        let scale = norm.gamma.map_or(1.0, |g| g[c].f64()) / (norm.var[c].f64() + norm.eps).sqrt();
        let common = sums[c][0] + standard(norm, c, x.data()[i]) * sums[c][1];
        T::of(scale * (dz.data()[i].f64() - common / count))
    });
    Gradients {
        dx,
        dgamma: sums.iter().map(|s| T::of(s[1])).collect(),
        dbeta: sums.iter().map(|s| T::of(s[0])).collect(),
    }
}
