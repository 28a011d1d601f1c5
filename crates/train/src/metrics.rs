//! How good predictions are.

/// The place of class `label` when `logits` are sorted downwards: 0 is the best.
///
/// Equal logits keep the order of their classes, and NaN stands behind every number, so the
/// place is the same on every machine.
///
/// # Panics
/// When `label` is out of range.
///
/// # Examples
/// ```
/// use inception_train::rank;
///
/// assert_eq!(rank(&[0.1, 0.7, 0.7], 2), 1);
/// assert_eq!(rank(&[f32::NAN, 0.0], 1), 0);
/// ```
pub fn rank(logits: &[f32], label: u32) -> usize {
    let label = label as usize;
    let own = logits[label];
    let before = |(class, &other): (usize, &f32)| match (other.is_nan(), own.is_nan()) {
        (true, true) => class < label,
        (true, false) => false,
        (false, true) => true,
        (false, false) => other > own || (other == own && class < label),
    };
    logits.iter().enumerate().filter(|&at| before(at)).count()
}

/// `−log softmax(logits)[label]` in double precision.
///
/// # Panics
/// When `label` is out of range.
pub fn cross_entropy(logits: &[f32], label: u32) -> f64 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let largest = f64::from(largest);
    let sum: f64 = logits.iter().map(|&z| (f64::from(z) - largest).exp()).sum();
    sum.ln() + largest - f64::from(logits[label as usize])
}

/// How many of a number of predictions were right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hits {
    /// Predictions.
    pub total: u64,
    /// The label was the best class.
    pub top1: u64,
    /// The label was among the five best.
    pub top5: u64,
}

impl Hits {
    /// Counts one prediction.
    ///
    /// # Panics
    /// When `label` is out of range.
    pub fn add(&mut self, logits: &[f32], label: u32) {
        let place = rank(logits, label);
        self.total += 1;
        self.top1 += u64::from(place < 1);
        self.top5 += u64::from(place < 5);
    }

    /// Adds the counts of others.
    pub fn merge(&mut self, other: Self) {
        self.total += other.total;
        self.top1 += other.top1;
        self.top5 += other.top5;
    }

    /// The share, from 0 to 1, whose label was the best class; NaN of none.
    pub fn top1(&self) -> f64 {
        self.top1 as f64 / self.total as f64
    }

    /// The share, from 0 to 1, whose label was among the five best; NaN of none.
    pub fn top5(&self) -> f64 {
        self.top5 as f64 / self.total as f64
    }
}

/// A mean of numbers as they come, each with a weight.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mean {
    sum: f64,
    weight: f64,
}

impl Mean {
    /// Counts `value` as `weight` values.
    pub fn add(&mut self, value: f64, weight: f64) {
        self.sum += value * weight;
        self.weight += weight;
    }

    /// The mean; `None` of nothing.
    pub fn get(&self) -> Option<f64> {
        (self.weight > 0.0).then(|| self.sum / self.weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use inception_tensor::Stream;

    #[test]
    fn ranks_are_places_in_a_stable_sort_with_nan_last() {
        let values = [0.0, -0.0, 1.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
        let mut stream = Stream::new(&[3]);
        for _ in 0..2000 {
            let logits: Vec<f32> = (0..7).map(|_| values[stream.below(6) as usize]).collect();
            let mut order: Vec<usize> = (0..7).collect();
            order.sort_by(|&a, &b| {
                let key = |i: usize| (logits[i].is_nan(), -logits[i]);
                let ((na, a), (nb, b)) = (key(a), key(b));
                na.cmp(&nb)
                    .then(a.partial_cmp(&b).unwrap_or(std::cmp::Ordering::Equal))
            });
            for (place, &class) in order.iter().enumerate() {
                assert_eq!(rank(&logits, class as u32), place, "{logits:?} {class}");
            }
        }
    }

    #[test]
    fn hits_of_fewer_than_five_classes_are_all_in_the_top_five() {
        let mut hits = Hits::default();
        hits.add(&[0.0, 1.0, 2.0], 2);
        hits.add(&[0.0, 0.0, 0.0], 1);
        assert_eq!((hits.total, hits.top1, hits.top5), (2, 1, 2));
        hits.merge(hits);
        assert_eq!((hits.top1(), hits.top5()), (0.5, 1.0));
    }

    #[test]
    fn cross_entropy_stays_finite_for_extreme_logits() {
        assert_eq!(cross_entropy(&[1e4, -1e4], 0), 0.0);
        assert_eq!(cross_entropy(&[1e4, -1e4], 1), 2e4);
        assert!((cross_entropy(&[0.5; 8], 3) - 8f64.ln()).abs() < 1e-12);
        assert!(cross_entropy(&[f32::NAN, 0.0], 1).is_nan());
    }

    #[test]
    fn a_mean_weighs_its_values() {
        let mut mean = Mean::default();
        assert_eq!(mean.get(), None);
        mean.add(1.0, 3.0);
        mean.add(5.0, 1.0);
        assert_eq!(mean.get(), Some(2.0));
    }
}
