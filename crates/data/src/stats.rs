//! What a dataset holds, and whether all of it can be read.

use crate::dataset::read_item;
use crate::{DataError, Dataset, DecodeNote, ErrorKind, Image, Size};
use inception_tensor::Pool;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Items that one task of the pool reads.
const TILE: usize = 32;

/// The most bad items that are kept by name.
const MAX_BAD: usize = 10_000;

/// What a dataset holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Stats {
    /// Items in all.
    pub items: usize,
    /// Items of each class, by label.
    pub class_counts: Vec<u64>,
    /// Items that the figures below were measured on.
    pub measured: u64,
    /// Items that could not be read.
    pub unreadable: u64,
    /// Mean of each channel over all pixels, in units where white is 1.
    pub mean: Vec<f64>,
    /// Standard deviation of each channel over all pixels.
    pub std: Vec<f64>,
    /// How often each size occurs, the most frequent first.
    pub sizes: Vec<SizeCount>,
}

/// A size and how many pictures have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeCount {
    /// The size.
    pub size: Size,
    /// How many pictures.
    pub count: u64,
}

/// How thoroughly a dataset is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MeasureOptions {
    /// Read at most so many items, evenly spread; all when `None`.
    pub at_most: Option<usize>,
}

/// Counts classes, and measures sizes and the channels' mean and deviation.
///
/// Sums are whole numbers, so the result does not depend on the pool. `progress` is called
/// with the number of items that were just read.
///
/// # Errors
/// When pictures have different numbers of channels. Items that cannot be read are counted.
pub fn measure(
    dataset: &dyn Dataset,
    pool: &Pool,
    options: MeasureOptions,
    progress: impl Fn(usize) + Sync,
) -> Result<Stats, DataError> {
    let len = dataset.len();
    let mut class_counts = vec![0; dataset.classes().len()];
    (0..len).for_each(|i| class_counts[dataset.label(i) as usize] += 1);
    let picked = options.at_most.map_or(len, |most| most.min(len));
    let total = Mutex::new(Sums::default());
    pool.for_each(picked.div_ceil(TILE), |tile| {
        let mut sums = Sums::default();
        let places = tile * TILE..((tile + 1) * TILE).min(picked);
        let count = places.len();
        for place in places {
            // In 128 bits, as the product of two lengths may not fit.
            let item = (place as u128 * len as u128 / picked as u128) as usize;
            match read_item(dataset, item, || dataset.get(item)) {
                Ok(sample) => sums.add(&sample.image),
                Err(_) => sums.unreadable += 1,
            }
        }
        let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
        total.merge(sums);
        drop(total);
        progress(count);
    });
    let total = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    total.finish(len, class_counts)
}

/// Sums over pictures, exact.
#[derive(Default)]
struct Sums {
    /// By number of channels.
    channels: BTreeMap<usize, ChannelSums>,
    sizes: BTreeMap<(usize, usize), u64>,
    unreadable: u64,
    measured: u64,
}

#[derive(Clone, Copy, Default)]
struct ChannelSums {
    pixels: u128,
    sum: [u128; 3],
    squares: [u128; 3],
}

impl Sums {
    fn add(&mut self, image: &Image) {
        self.measured += 1;
        *self.sizes.entry((image.width, image.height)).or_default() += 1;
        let sums = self.channels.entry(image.channels).or_default();
        sums.pixels += (image.width * image.height) as u128;
        for (channel, (sum, squares)) in sums.sum.iter_mut().zip(&mut sums.squares).enumerate() {
            let bytes = image.pixels.iter().skip(channel).step_by(image.channels);
            if channel < image.channels {
                let (mut s, mut q) = (0_u64, 0_u64);
                for &byte in bytes {
                    s += u64::from(byte);
                    q += u64::from(byte) * u64::from(byte);
                }
                *sum += u128::from(s);
                *squares += u128::from(q);
            }
        }
    }

    fn merge(&mut self, other: Self) {
        for (channels, sums) in other.channels {
            let mine = self.channels.entry(channels).or_default();
            mine.pixels += sums.pixels;
            for i in 0..3 {
                mine.sum[i] += sums.sum[i];
                mine.squares[i] += sums.squares[i];
            }
        }
        for (size, count) in other.sizes {
            *self.sizes.entry(size).or_default() += count;
        }
        self.unreadable += other.unreadable;
        self.measured += other.measured;
    }

    fn finish(self, items: usize, class_counts: Vec<u64>) -> Result<Stats, DataError> {
        if self.channels.len() > 1 {
            let found: Vec<String> = self.channels.keys().map(ToString::to_string).collect();
            return Err(DataError::Usage(format!(
                "pictures have different numbers of channels: {}",
                found.join(", ")
            )));
        }
        let (channels, sums) = self.channels.into_iter().next().unwrap_or_default();
        let n = sums.pixels.max(1);
        let mean = |i: usize| sums.sum[i] as f64 / n as f64 / 255.0;
        // n·Σx² − (Σx)² in whole numbers: nothing cancels.
        let std = |i: usize| {
            let spread = n * sums.squares[i] - sums.sum[i] * sums.sum[i];
            (spread as f64).sqrt() / n as f64 / 255.0
        };
        let mut sizes: Vec<SizeCount> = self
            .sizes
            .into_iter()
            .map(|((width, height), count)| SizeCount {
                size: Size { width, height },
                count,
            })
            .collect();
        sizes.sort_by_key(|s| std::cmp::Reverse(s.count));
        Ok(Stats {
            items,
            class_counts,
            measured: self.measured,
            unreadable: self.unreadable,
            mean: (0..channels).map(mean).collect(),
            std: (0..channels).map(std).collect(),
            sizes,
        })
    }
}

/// An item that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadItem {
    /// The item.
    pub item: usize,
    /// Where it comes from.
    pub origin: String,
    /// What sort of problem it is.
    pub kind: ErrorKind,
    /// Why it cannot be read.
    pub reason: String,
}

/// What reading every item found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Items that were read.
    pub items: usize,
    /// Items that could not be read.
    pub bad_count: u64,
    /// They, in order, up to 10 000.
    pub bad: Vec<BadItem>,
    /// How often something was odd about an item that could be read.
    pub notes: BTreeMap<DecodeNote, u64>,
}

/// Reads every item and lists those that cannot be used. `progress` is called with the
/// number of items that were just read.
pub fn check(dataset: &dyn Dataset, pool: &Pool, progress: impl Fn(usize) + Sync) -> CheckReport {
    let len = dataset.len();
    let report = Mutex::new(CheckReport::default());
    pool.for_each(len.div_ceil(TILE), |tile| {
        let mut found = CheckReport::default();
        for item in tile * TILE..((tile + 1) * TILE).min(len) {
            found.add(item, read_item(dataset, item, || dataset.inspect(item)));
        }
        let count = found.items;
        let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
        report.merge(found);
        drop(report);
        progress(count);
    });
    report.into_inner().unwrap_or_else(PoisonError::into_inner)
}

impl CheckReport {
    fn add(&mut self, item: usize, result: Result<crate::Inspection, DataError>) {
        self.items += 1;
        match result {
            Ok(inspection) => {
                for note in inspection.notes {
                    *self.notes.entry(note).or_default() += 1;
                }
            }
            Err(error) => {
                self.bad_count += 1;
                self.bad.push(BadItem::new(item, &error));
            }
        }
    }

    fn merge(&mut self, other: Self) {
        self.items += other.items;
        self.bad_count += other.bad_count;
        for (note, count) in other.notes {
            *self.notes.entry(note).or_default() += count;
        }
        // Tiles end in any order; the first items stay.
        if !other.bad.is_empty() {
            self.bad.extend(other.bad);
            self.bad.sort_by_key(|b| b.item);
            self.bad.truncate(MAX_BAD);
        }
    }
}

impl BadItem {
    fn new(item: usize, error: &DataError) -> Self {
        let (origin, reason) = match error {
            DataError::Item { origin, source, .. } => (origin.clone(), source.to_string()),
            other => (String::new(), other.to_string()),
        };
        let prefix = format!("{origin}: ");
        Self {
            item,
            kind: error.kind(),
            reason: reason.strip_prefix(&prefix).unwrap_or(&reason).to_owned(),
            origin,
        }
    }
}
