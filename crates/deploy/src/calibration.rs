//! Whether probabilities mean what they say.

/// Bins of the expected calibration error.
const BINS: usize = 15;
/// Temperatures that are tried: 2 to the power of these sixteenths.
const SIXTEENTHS: std::ops::RangeInclusive<i32> = -32..=48;

/// How far confidence is from accuracy, as it is and after dividing all logits by the
/// temperature that fits best.
///
/// The temperature is fitted on every second image and the error after it is that of the
/// others, so no image is judged by what was fitted to it.
///
/// # Sources
/// Guo et al. 2017, *On Calibration of Modern Neural Networks*, sections 2 and 4.2.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    plain: Bins,
    images: u64,
    temperatures: Vec<Temperature>,
}

/// Images by how sure the answer is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bin {
    /// Images.
    pub images: u64,
    /// Images whose most probable class is theirs.
    pub correct: u64,
    confidence: f64,
}

impl Bin {
    /// The mean of the largest probabilities; `None` without images.
    pub fn confidence(&self) -> Option<f64> {
        (self.images > 0).then(|| self.confidence / self.images as f64)
    }
}

/// By largest probability: `(0, 1/15]`, …, `(14/15, 1]`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Bins([Bin; BINS]);

#[derive(Clone, Debug, PartialEq)]
struct Temperature {
    value: f64,
    /// Sum of −ln p of the right class over the images that it is fitted on.
    loss: f64,
    /// Of the other images.
    bins: Bins,
}

impl Default for Calibration {
    fn default() -> Self {
        let at = |sixteenth| Temperature {
            value: (f64::from(sixteenth) / 16.0).exp2(),
            loss: 0.0,
            bins: Bins::default(),
        };
        Self {
            plain: Bins::default(),
            images: 0,
            temperatures: SIXTEENTHS.map(at).collect(),
        }
    }
}

impl Calibration {
    /// `Σ_b |images_b|/n · |accuracy_b − confidence_b|`; 0 without images.
    pub fn error(&self) -> f64 {
        self.plain.error()
    }

    /// The temperature under which the right classes are most probable.
    pub fn temperature(&self) -> f64 {
        self.best().value
    }

    /// The error at that temperature, on the images that it was not fitted on.
    pub fn error_at_temperature(&self) -> f64 {
        self.best().bins.error()
    }

    /// The bins, from the least sure to the surest.
    pub fn bins(&self) -> &[Bin] {
        &self.plain.0
    }

    fn best(&self) -> &Temperature {
        let least = |a: &&Temperature, b: &&Temperature| a.loss.total_cmp(&b.loss);
        let best = self.temperatures.iter().min_by(least);
        best.expect("there are temperatures")
    }

    /// Enters an image whose right class is `label` and most probable one `best`.
    pub(crate) fn add(&mut self, label: usize, best: usize, log_probs: &[f64]) {
        let correct = label == best;
        self.plain.add(log_probs[best].exp(), correct);
        let top = log_probs[best];
        let is_fitted_on = self.images.is_multiple_of(2);
        self.images += 1;
        for t in &mut self.temperatures {
            let scaled = log_probs.iter().map(|x| ((x - top) / t.value).exp());
            let sum: f64 = scaled.sum();
            if is_fitted_on {
                t.loss += sum.ln() - (log_probs[label] - top) / t.value;
            } else {
                t.bins.add(1.0 / sum, correct);
            }
        }
    }
}

impl Bins {
    fn add(&mut self, confidence: f64, correct: bool) {
        // What is no number is not sure at all.
        let place = (confidence * BINS as f64).ceil() as usize;
        let bin = &mut self.0[place.clamp(1, BINS) - 1];
        bin.images += 1;
        bin.correct += u64::from(correct);
        bin.confidence += if confidence.is_nan() { 0.0 } else { confidence };
    }

    fn error(&self) -> f64 {
        let images: u64 = self.0.iter().map(|bin| bin.images).sum();
        let gaps = self
            .0
            .iter()
            .map(|bin| (bin.correct as f64 - bin.confidence).abs());
        gaps.sum::<f64>() / images.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use inception_tensor::Stream;

    #[test]
    fn the_error_is_the_gap_of_each_bin_by_its_share() {
        let mut found = Calibration::default();
        // Three images at 0.9, two of them right; one at 0.5, wrong.
        let sure = [0.9f64.ln(), 0.1f64.ln()];
        let even = [0.5f64.ln(), 0.5f64.ln()];
        for (label, log_probs) in [(0, sure), (0, sure), (1, sure), (1, even)] {
            found.add(label, 0, &log_probs);
        }
        let expected = ((2.7 - 2.0) + (0.5 - 0.0)) / 4.0;
        assert!(
            (found.error() - expected).abs() < 1e-12,
            "{}",
            found.error()
        );
        assert_eq!(found.bins()[13].images, 3);
        assert_eq!(found.bins()[7].confidence(), Some(0.5));
        assert_eq!(Calibration::default().error(), 0.0);
    }

    #[test]
    fn a_network_that_is_too_sure_is_cooled_down_to_the_truth() {
        // Labels are drawn from softmax(z); the network says softmax(3z).
        let (mut found, mut stream) = (Calibration::default(), Stream::new(&[1]));
        for _ in 0..20_000 {
            let z: [f64; 4] = std::array::from_fn(|_| 2.0 * stream.normal());
            let log_softmax = |scale: f64| {
                let log_sum = z.iter().map(|x| (scale * x).exp()).sum::<f64>().ln();
                z.map(|x| scale * x - log_sum)
            };
            let mut left = stream.uniform();
            let label = log_softmax(1.0).iter().position(|p| {
                left -= p.exp();
                left < 0.0
            });
            let best = (0..4).fold(0, |best, i| if z[i] > z[best] { i } else { best });
            found.add(label.unwrap_or(3), best, &log_softmax(3.0));
        }
        assert!(
            (found.temperature() - 3.0).abs() < 0.15,
            "{}",
            found.temperature()
        );
        assert!(found.error() > 0.1, "{}", found.error());
        assert!(
            found.error_at_temperature() < 0.02,
            "{}",
            found.error_at_temperature()
        );
    }

    #[test]
    fn numbers_that_are_none_are_entered_and_change_nothing_else() {
        let mut found = Calibration::default();
        found.add(0, 0, &[f64::NAN, f64::NAN]);
        found.add(0, 0, &[f64::NAN, f64::NAN]);
        assert_eq!(found.bins()[0].images, 2);
        assert!(found.error().is_finite());
    }
}
