//! Counting right and wrong answers.

use crate::Calibration;
use crate::ranking::{rank_of, top};
use inception_data::Crops;

/// Answers about the images of one class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassTally {
    /// Its name.
    pub class: String,
    /// How many images of the class there are.
    pub images: u64,
    /// How many of them were taken for it.
    pub correct: u64,
    /// How many of them had it among the best five.
    pub in_top5: u64,
    /// How many images of any class were taken for it.
    pub predicted: u64,
}

impl ClassTally {
    /// The share of its images that were taken for it: recall. `None` without images.
    pub fn top1(&self) -> Option<f64> {
        ratio(self.correct, self.images)
    }

    /// The share of its images with it among the best five. `None` without images.
    pub fn top5(&self) -> Option<f64> {
        ratio(self.in_top5, self.images)
    }

    /// The share of images taken for it that are of it. `None` where none was.
    pub fn precision(&self) -> Option<f64> {
        ratio(self.correct, self.predicted)
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The figures of an evaluation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// How many images were looked at.
    pub images: u64,
    /// How many images were left out because they could not be read.
    pub skipped: u64,
    /// How many networks were averaged.
    pub models: usize,
    /// Which views of an image were averaged.
    pub crops: Crops,
    /// For how many images a network gave a number that is not finite.
    pub non_finite: u64,
    /// By label.
    pub per_class: Vec<ClassTally>,
    /// Whether probabilities mean what they say.
    pub calibration: Calibration,
    /// By label and by answer.
    confusion: Vec<u64>,
    loss_sum: f64,
}

impl Evaluation {
    pub(crate) fn new(classes: &[String], models: usize, crops: Crops) -> Self {
        let tally = |class: &String| ClassTally {
            class: class.clone(),
            ..ClassTally::default()
        };
        Self {
            models,
            crops,
            per_class: classes.iter().map(tally).collect(),
            confusion: vec![0; classes.len() * classes.len()],
            ..Self::default()
        }
    }

    /// The share of images that were taken for what they are; 0 without images.
    pub fn top1(&self) -> f64 {
        self.share(|class| class.correct)
    }

    /// The share of images with their class among the best five; 0 without images.
    pub fn top5(&self) -> f64 {
        self.share(|class| class.in_top5)
    }

    /// Mean cross-entropy: `−ln p`, `p` the probability given to an image's class. NaN
    /// without images.
    pub fn loss(&self) -> f64 {
        self.loss_sum / self.images as f64
    }

    /// By label, and in each row by answer: how many images of a class were taken for which.
    pub fn confusion(&self) -> impl ExactSizeIterator<Item = &[u64]> {
        self.confusion.chunks_exact(self.per_class.len().max(1))
    }

    fn share(&self, count: impl Fn(&ClassTally) -> u64) -> f64 {
        let right = self.per_class.iter().map(count).sum();
        ratio(right, self.images).unwrap_or(0.0)
    }

    /// Enters one image; `log_probs` are the logarithms of its probabilities.
    pub(crate) fn add(&mut self, label: usize, log_probs: &[f64]) {
        let rank = rank_of(log_probs, label);
        if let Some(best) = top(log_probs, 1).next() {
            self.per_class[best.index].predicted += 1;
            self.confusion[label * log_probs.len() + best.index] += 1;
            self.calibration.add(label, best.index, log_probs);
        }
        let class = &mut self.per_class[label];
        class.images += 1;
        class.correct += u64::from(rank == 0);
        class.in_top5 += u64::from(rank < 5);
        self.images += 1;
        self.loss_sum -= log_probs[label];
        self.non_finite += u64::from(log_probs.iter().any(|p| p.is_nan()));
    }
}
