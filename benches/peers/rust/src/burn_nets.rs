//! Networks in burn, shaped as `models.py` has them.

use crate::{Run, times};
use anyhow::{Context, Result, bail};
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{Device, Distribution, Int, Tensor, activation::relu};
use std::hint::black_box;

fn conv(c_in: usize, c_out: usize, kernel: usize, bias: bool, device: &Device) -> Conv2d {
    let pad = kernel / 2;
    Conv2dConfig::new([c_in, c_out], [kernel, kernel])
        .with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad))
        .with_bias(bias)
        .init(device)
}

fn pool() -> MaxPool2d {
    MaxPool2dConfig::new([3, 3])
        .with_strides([1, 1])
        .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
        .init()
}

/// Convolution, and batch norm with ReLU where `norm` is there.
#[derive(Module, Debug)]
struct Unit {
    conv: Conv2d,
    norm: Option<BatchNorm>,
}

impl Unit {
    fn new(style: Style, c_in: usize, c_out: usize, kernel: usize, device: &Device) -> Self {
        let normalised = style == Style::Normalised;
        Self {
            conv: conv(c_in, c_out, kernel, !normalised, device),
            norm: normalised.then(|| BatchNormConfig::new(c_out).with_epsilon(1e-3).init(device)),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.conv.forward(x);
        match &self.norm {
            Some(norm) => relu(norm.forward(x)),
            None => x,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Biased,
    Normalised,
}

/// Four branches side by side.
#[derive(Module, Debug)]
struct Inception {
    branch1: Unit,
    branch2: [Unit; 2],
    branch3: [Unit; 2],
    branch4: Unit,
    pool: MaxPool2d,
}

impl Inception {
    fn new(style: Style, c_in: usize, c: [usize; 6], third: usize, device: &Device) -> Self {
        let unit = |c_in, c_out, kernel| Unit::new(style, c_in, c_out, kernel, device);
        Self {
            branch1: unit(c_in, c[0], 1),
            branch2: [unit(c_in, c[1], 1), unit(c[1], c[2], 3)],
            branch3: [unit(c_in, c[3], 1), unit(c[3], c[4], third)],
            branch4: unit(c_in, c[5], 1),
            pool: pool(),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [reduce2, branch2] = &self.branch2;
        let [reduce3, branch3] = &self.branch3;
        let branches = vec![
            self.branch1.forward(x.clone()),
            branch2.forward(reduce2.forward(x.clone())),
            branch3.forward(reduce3.forward(x.clone())),
            self.branch4.forward(self.pool.forward(x)),
        ];
        Tensor::cat(branches, 1)
    }
}

/// A module between an optional convolution and a classifier.
#[derive(Module, Debug)]
struct Net {
    stem: Option<Conv2d>,
    module: Inception,
    fc: Linear,
    averages: bool,
}

impl Net {
    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x = match &self.stem {
            Some(stem) => stem.forward(x),
            None => x,
        };
        let x = self.module.forward(x);
        let x = match self.averages {
            true => x.mean_dim(3).mean_dim(2),
            false => x,
        };
        self.fc.forward(x.flatten(1, 3))
    }
}

fn build(model: &str, device: &Device) -> Result<(Net, [usize; 3])> {
    Ok(match model {
        "simple-inception" => {
            let channels = [64, 64, 128, 64, 128, 32];
            let net = Net {
                stem: Some(conv(3, 64, 3, true, device)),
                module: Inception::new(Style::Biased, 64, channels, 5, device),
                fc: LinearConfig::new(352 * 32 * 32, 10).init(device),
                averages: false,
            };
            (net, [3, 32, 32])
        }
        "module-3a" => {
            let channels = [64, 96, 128, 16, 32, 32];
            let net = Net {
                stem: None,
                module: Inception::new(Style::Normalised, 192, channels, 3, device),
                fc: LinearConfig::new(256, 10).init(device),
                averages: true,
            };
            (net, [192, 28, 28])
        }
        other => bail!("no network of burn is called {other}"),
    })
}

/// Times inference, or forward and backward (with an update where a whole network is trained).
pub fn time(model: &str, mode: &str, run: Run) -> Result<Vec<f64>> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(run.threads)
        .build_global()
        .context("threads of burn")?;
    let device = Device::flex();
    match mode {
        "infer" => {
            let (net, [c, h, w]) = build(model, &device)?;
            let shape = [run.batch_size, c, h, w];
            let images = Tensor::<4>::random(shape, Distribution::Default, &device);
            times(run, || {
                black_box(net.module.forward(images.clone()).into_data());
                Ok(())
            })
        }
        "train" => train(model, run, device.autodiff()),
        other => bail!("no mode is called {other}"),
    }
}

fn train(model: &str, run: Run, device: Device) -> Result<Vec<f64>> {
    let (mut net, [c, h, w]) = build(model, &device)?;
    let shape = [run.batch_size, c, h, w];
    let images = Tensor::<4>::random(shape, Distribution::Default, &device);
    let labels: Vec<i64> = (0..run.batch_size as i64).map(|i| i % 10).collect();
    let labels = Tensor::<1, Int>::from_data(&labels[..], &device);
    let momentum = MomentumConfig::new().with_momentum(0.9);
    let mut optimizer = SgdConfig::new().with_momentum(Some(momentum)).init();
    let loss = CrossEntropyLossConfig::new().init(&device);
    times(run, || {
        // The gradient of the images is a part of a module's work.
        let images = match model {
            "module-3a" => images.clone().require_grad(),
            _ => images.clone(),
        };
        let total = loss.forward(net.forward(images), labels.clone());
        let grads = GradientsParams::from_grads(total.backward(), &net);
        if model == "module-3a" {
            black_box(grads);
        } else {
            net = optimizer.step(1e-6, net.clone(), grads);
        }
        Ok(())
    })
}
