//! Means of probabilities.

/// `ln (1/n · Σ p)` by class, in double precision: the sum is kept as a logarithm, so that no
/// probability is lost for being small.
#[derive(Clone, Debug, Default)]
pub(super) struct Average {
    log_sum: Vec<f64>,
    count: usize,
}

impl Average {
    /// How many probabilities were added.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Adds the probabilities of one view.
    pub(super) fn add_logits(&mut self, logits: &[f32]) {
        self.add(log_softmax(logits), 1);
    }

    fn add(&mut self, log_probs: Vec<f64>, count: usize) {
        self.count += count;
        if self.log_sum.is_empty() {
            self.log_sum = log_probs;
            return;
        }
        for (sum, x) in self.log_sum.iter_mut().zip(log_probs) {
            let most = sum.max(x);
            // Both may be −∞, whose difference is NaN.
            if most > f64::NEG_INFINITY && !sum.is_nan() && !x.is_nan() {
                *sum = most + ((*sum - most).exp() + (x - most).exp()).ln();
            } else if x.is_nan() {
                *sum = f64::NAN;
            }
        }
    }

    /// The mean over several networks, in their order.
    pub(super) fn of(networks: Vec<Self>) -> Vec<f64> {
        let mut all = Self::default();
        for Self { log_sum, count } in networks {
            all.add(log_sum, count);
        }
        let log_count = (all.count as f64).ln();
        all.log_sum.iter_mut().for_each(|x| *x -= log_count);
        all.log_sum
    }
}

/// `xᵢ − ln Σ exp xⱼ`.
fn log_softmax(logits: &[f32]) -> Vec<f64> {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let shifted = logits.iter().map(|&x| f64::from(x) - f64::from(most));
    let log_sum = shifted.clone().map(f64::exp).sum::<f64>().ln();
    shifted.map(|x| x - log_sum).collect()
}
