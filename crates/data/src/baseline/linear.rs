//! Softmax regression.

use super::features::Features;
use super::{BaselineOptions, key};
use inception_tensor::{Accumulate, Epilogue, Operand, Shape, Stream, Tensor, View, ViewMut, gemm};

/// Items a step.
const BATCH: usize = 64;
/// The first step's learning rate; it falls to 0 along a line.
const RATE: f32 = 0.5;
const MOMENTUM: f32 = 0.9;
/// Pull of the weights towards 0, per step and unit of learning rate.
const DECAY: f32 = 1e-3;

/// Scores `x·W + b`, the class with the highest.
pub(super) struct Softmax {
    classes: usize,
    /// `width × classes`.
    weights: Vec<f32>,
    bias: Vec<f32>,
}

impl Softmax {
    /// Minimises the cross entropy by stochastic gradient descent with momentum.
    pub(super) fn fit(
        features: &Features,
        labels: &[u32],
        classes: usize,
        options: &BaselineOptions,
    ) -> Self {
        let mut model = Self {
            classes,
            weights: vec![0.0; features.width * classes],
            bias: vec![0.0; classes],
        };
        let mut speed = vec![0.0; model.weights.len()];
        let mut bias_speed = vec![0.0; classes];
        let mut order: Vec<usize> = (0..labels.len()).collect();
        let mut stream = Stream::new(&key(options, "order"));
        let steps = options.epochs * labels.len().div_ceil(BATCH);
        let mut step = 0;
        for _ in 0..options.epochs {
            stream.shuffle(&mut order);
            for batch in order.chunks(BATCH) {
                let rate = RATE * (1.0 - step as f32 / steps as f32);
                let rows: Vec<f32> = batch
                    .iter()
                    .flat_map(|&i| features.row(i))
                    .copied()
                    .collect();
                let rows = View::new(&rows, Shape::matrix(batch.len(), features.width));
                let errors = model.errors(rows, batch, labels);
                descend(&mut model.weights, &mut speed, rate, |gradient| {
                    gemm(
                        Operand::Transposed(rows),
                        Operand::Plain(errors.view()),
                        Accumulate::Replace,
                        Epilogue::NONE,
                        ViewMut::new(gradient, Shape::matrix(features.width, classes)),
                    );
                });
                descend(&mut model.bias, &mut bias_speed, rate, |gradient| {
                    for row in errors.data().chunks(classes) {
                        gradient.iter_mut().zip(row).for_each(|(g, e)| *g += e);
                    }
                });
                step += 1;
            }
        }
        model
    }

    /// Probabilities less one at the label, over the size of the batch: the derivative of
    /// the mean cross entropy by the scores.
    fn errors(&self, rows: View<'_, f32>, batch: &[usize], labels: &[u32]) -> Tensor<f32> {
        let mut errors = self.scores(rows);
        let share = 1.0 / batch.len() as f32;
        for (scores, &item) in errors.data_mut().chunks_mut(self.classes).zip(batch) {
            let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            scores.iter_mut().for_each(|s| *s = (*s - most).exp());
            let sum: f32 = scores.iter().sum();
            scores.iter_mut().for_each(|s| *s *= share / sum);
            scores[labels[item] as usize] -= share;
        }
        errors
    }

    fn scores(&self, rows: View<'_, f32>) -> Tensor<f32> {
        let shape = rows.shape();
        let mut scores = Tensor::zeros(Shape::matrix(shape.rows(), self.classes));
        gemm(
            Operand::Plain(rows),
            Operand::Plain(View::new(
                &self.weights,
                Shape::matrix(shape.c, self.classes),
            )),
            Accumulate::Replace,
            Epilogue {
                bias: Some(&self.bias),
                relu: false,
            },
            scores.view_mut(),
        );
        scores
    }

    /// The class of each row with the highest score; the lowest of several.
    pub(super) fn predict(&self, features: &Features) -> Vec<u32> {
        self.scores(features.view())
            .data()
            .chunks(self.classes)
            .map(|scores| {
                let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                scores.iter().position(|&s| s == most).unwrap_or(0) as u32
            })
            .collect()
    }
}

/// One step with momentum, down the gradient that `fill` writes over zeros.
fn descend(values: &mut [f32], speed: &mut [f32], rate: f32, fill: impl FnOnce(&mut [f32])) {
    let mut gradient = vec![0.0; values.len()];
    fill(&mut gradient);
    for ((value, speed), gradient) in values.iter_mut().zip(speed).zip(gradient) {
        *speed = MOMENTUM * *speed - rate * (gradient + DECAY * *value);
        *value += *speed;
    }
}
