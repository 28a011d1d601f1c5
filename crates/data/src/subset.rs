//! Part of a dataset, and a holdout for validation.

use crate::digest::Digest;
use crate::{DataError, Dataset, Inspection, Sample};
use inception_tensor::{Stream, fnv1a};
use std::sync::Arc;

/// Items of another dataset, by index.
pub struct Subset {
    dataset: Arc<dyn Dataset>,
    items: Vec<usize>,
}

impl Subset {
    /// The given items, in the given order.
    ///
    /// # Panics
    /// When an index is out of range.
    pub fn new(dataset: Arc<dyn Dataset>, items: Vec<usize>) -> Self {
        let len = dataset.len();
        assert!(
            items.iter().all(|&i| i < len),
            "a subset of {len} items names an item out of range"
        );
        Self { dataset, items }
    }

    /// The first `n` items, or all when there are fewer.
    pub fn first(dataset: Arc<dyn Dataset>, n: usize) -> Self {
        let items = (0..dataset.len().min(n)).collect();
        Self { dataset, items }
    }
}

impl Dataset for Subset {
    fn len(&self) -> usize {
        self.items.len()
    }

    fn classes(&self) -> &[String] {
        self.dataset.classes()
    }

    fn label(&self, i: usize) -> u32 {
        self.dataset.label(self.items[i])
    }

    fn get(&self, i: usize) -> Result<Sample, DataError> {
        self.dataset.get(self.items[i])
    }

    fn inspect(&self, i: usize) -> Result<Inspection, DataError> {
        self.dataset.inspect(self.items[i])
    }

    fn origin(&self, i: usize) -> String {
        self.dataset.origin(self.items[i])
    }

    fn fingerprint(&self) -> u64 {
        let mut digest = Digest::new("subset");
        digest.word(self.dataset.fingerprint());
        self.items.iter().for_each(|&i| digest.word(i as u64));
        digest.finish()
    }
}

/// A part of the training set that is kept for validation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Holdout {
    /// The share of each class, above 0 and below 1.
    pub fraction: f64,
    /// Which items: another seed holds out others.
    pub seed: u64,
}

/// A dataset cut in two.
pub struct HoldoutParts {
    /// What is left to train on.
    pub train: Subset,
    /// What is held out.
    pub val: Subset,
}

impl Holdout {
    /// Cuts `dataset` in two. Of each class with `n` items, `n·fraction`, rounded, are held
    /// out, at least one of a class that has two; both parts keep the order of items.
    ///
    /// # Errors
    /// When the fraction is not between 0 and 1.
    pub fn split(&self, dataset: &Arc<dyn Dataset>) -> Result<HoldoutParts, DataError> {
        if !(self.fraction > 0.0 && self.fraction < 1.0) {
            return Err(DataError::Usage(format!(
                "a holdout is a fraction between 0 and 1, found {}",
                self.fraction
            )));
        }
        let mut by_class = vec![Vec::new(); dataset.classes().len()];
        (0..dataset.len()).for_each(|i| by_class[dataset.label(i) as usize].push(i));
        let (mut train, mut val) = (Vec::new(), Vec::new());
        for (class, mut items) in by_class.into_iter().enumerate() {
            let key = [self.seed, fnv1a(b"data.holdout"), class as u64];
            Stream::new(&key).shuffle(&mut items);
            let most = items.len().saturating_sub(1);
            let held = (items.len() as f64 * self.fraction).round() as usize;
            let held = held.max(1).min(most);
            val.extend_from_slice(&items[..held]);
            train.extend_from_slice(&items[held..]);
        }
        train.sort_unstable();
        val.sort_unstable();
        Ok(HoldoutParts {
            train: Subset::new(dataset.clone(), train),
            val: Subset::new(dataset.clone(), val),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Image;

    /// Empty pictures whose labels are given.
    struct Labels(Vec<u32>, Vec<String>);

    impl Dataset for Labels {
        fn len(&self) -> usize {
            self.0.len()
        }
        fn classes(&self) -> &[String] {
            &self.1
        }
        fn label(&self, i: usize) -> u32 {
            self.0[i]
        }
        fn get(&self, i: usize) -> Result<Sample, DataError> {
            let image = Image {
                width: 1,
                height: 1,
                channels: 1,
                pixels: vec![i as u8],
            };
            let label = self.label(i);
            Ok(Sample { image, label })
        }
        fn origin(&self, i: usize) -> String {
            format!("label {i}")
        }
        fn fingerprint(&self) -> u64 {
            7
        }
    }

    fn labels() -> Arc<dyn Dataset> {
        let labels = (0..100).map(|i| u32::from(i >= 80)).collect();
        Arc::new(Labels(labels, vec!["a".into(), "b".into()]))
    }

    #[test]
    fn a_holdout_takes_its_share_of_every_class_and_nothing_twice() {
        let holdout = Holdout {
            fraction: 0.1,
            seed: 3,
        };
        let parts = holdout.split(&labels()).unwrap();
        let count = |part: &Subset, label| {
            let found = (0..part.len()).filter(|&i| part.label(i) == label);
            found.count()
        };
        assert_eq!((count(&parts.val, 0), count(&parts.val, 1)), (8, 2));
        assert_eq!((count(&parts.train, 0), count(&parts.train, 1)), (72, 18));
        let mut all = [parts.train.items.clone(), parts.val.items.clone()].concat();
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
        let first = parts.val.get(0).unwrap().image.pixels[0];
        assert_eq!(usize::from(first), parts.val.items[0]);
    }

    #[test]
    fn another_seed_holds_out_other_items() {
        let items = |seed| {
            let fraction = 0.2;
            let parts = Holdout { fraction, seed }.split(&labels()).unwrap();
            (parts.val.items.clone(), parts.val.fingerprint())
        };
        assert_eq!(items(1), items(1));
        assert_ne!(items(1).0, items(2).0);
        assert_ne!(items(1).1, items(2).1);
    }

    #[test]
    fn fractions_out_of_range_are_refused() {
        for fraction in [0.0, 1.0, -1.0, f64::NAN] {
            assert!(Holdout { fraction, seed: 0 }.split(&labels()).is_err());
        }
    }
}
