//! Whether a run is slower than a record of an earlier one.

use super::{Figure, Measure, Record};
use std::fmt;

/// A slowdown that is never called one, however quiet both runs were: codegen and the layout
/// of memory move a ratio by this much.
const FLOOR: f64 = 0.08;
/// Spreads of a difference that chance hardly reaches. The median distance from the median is
/// 0.67 of a standard deviation where noise is normal, so this is a little over three.
const SPREADS: f64 = 5.0;
/// How much more memory a plan may take.
const MEMORY: f64 = 0.02;

/// What became of a work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Within the tolerance.
    Same,
    /// Faster by more than it.
    Faster,
    /// Slower by more than it.
    Slower,
    /// As fast, with more memory.
    Larger,
    /// In the record, and not measured now.
    Lost,
    /// Not in the record.
    New,
}

impl Verdict {
    /// Whether somebody has to look.
    pub fn is_regression(self) -> bool {
        matches!(self, Self::Slower | Self::Larger | Self::Lost)
    }
}

/// A work, then and now.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The work.
    pub work: String,
    /// How its cost changed, in the unit in which it changed least; none where it was measured
    /// only once.
    pub change: Option<Change>,
    /// What follows.
    pub verdict: Verdict,
}

/// Compares every work of `now` and of `then`.
pub fn compare(then: &Record, now: &Record) -> Vec<Finding> {
    let find = |record: &Record, work: &str| -> Option<Figure> {
        record.figures.iter().find(|f| f.work == work).cloned()
    };
    let lost = then.figures.iter().filter(|f| find(now, &f.work).is_none());
    let lost = lost.map(|f| absent(&f.work, Verdict::Lost));
    let measured = now.figures.iter().map(|f| match find(then, &f.work) {
        Some(before) => judge(&before, f),
        None => absent(&f.work, Verdict::New),
    });
    measured.chain(lost).collect()
}

fn absent(work: &str, verdict: Verdict) -> Finding {
    Finding {
        work: work.to_owned(),
        change: None,
        verdict,
    }
}

/// A cost, then and now, in one unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// Now over then.
    pub factor: f64,
    /// By how much more than 1 it, or its inverse, has to be to count.
    pub tolerance: f64,
}

impl Change {
    fn of(then: Measure, now: Measure) -> Self {
        Self {
            factor: now.ratio / then.ratio,
            tolerance: FLOOR.max(SPREADS * then.spread.hypot(now.spread)),
        }
    }

    fn is_slower(self) -> bool {
        self.factor > 1.0 + self.tolerance
    }

    // As far away on a scale of ratios: a third slower, a quarter faster.
    fn is_faster(self) -> bool {
        1.0 / self.factor > 1.0 + self.tolerance
    }

    /// Of two units the one in which less has changed: the machine alone moves a work's time by
    /// something between what it does to the one and to the other.
    fn least(self, other: Self) -> Self {
        let (a, b) = (self.factor, other.factor);
        let distance = |x: f64| x.max(1.0 / x);
        if distance(b) < distance(a) {
            other
        } else {
            self
        }
    }
}

fn judge(then: &Figure, now: &Figure) -> Finding {
    let products = Change::of(then.products, now.products);
    let copies = then.copies.zip(now.copies);
    let copies = copies.map_or(products, |(then, now)| Change::of(then, now));
    let memory = now.arena_bytes as f64 > (1.0 + MEMORY) * then.arena_bytes as f64;
    let verdict = if products.is_slower() && copies.is_slower() {
        Verdict::Slower
    } else if memory {
        Verdict::Larger
    } else if products.is_faster() && copies.is_faster() {
        Verdict::Faster
    } else {
        Verdict::Same
    };
    Finding {
        work: now.work.clone(),
        change: Some(products.least(copies)),
        verdict,
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.verdict {
            Verdict::Same => "same",
            Verdict::Faster => "faster",
            Verdict::Slower => "SLOWER",
            Verdict::Larger => "MORE MEMORY",
            Verdict::Lost => "NOT MEASURED",
            Verdict::New => "new",
        };
        write!(f, "{:32} ", self.work)?;
        if let Some(Change { factor, tolerance }) = self.change {
            let (change, tolerance) = (100.0 * (factor - 1.0), 100.0 * tolerance);
            write!(f, "{change:+7.1} % (tolerance {tolerance:4.1} %)  ")?;
        }
        f.write_str(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Machine;
    use proptest::prelude::*;

    fn figure(work: &str, ratio: f64, spread: f64, arena_bytes: u64) -> Figure {
        Figure {
            work: work.to_owned(),
            products: Measure { ratio, spread },
            copies: None,
            median_ms: 1.0,
            arena_bytes,
        }
    }

    /// A figure that was measured in both units.
    fn figure2(products: f64, copies: f64) -> Figure {
        let spread = 0.01;
        let ratio = copies;
        Figure {
            copies: Some(Measure { ratio, spread }),
            ..figure("w", products, spread, 1)
        }
    }

    fn record(figures: &[Figure]) -> Record {
        Record {
            machine: Machine {
                processor: "p".to_owned(),
                cores: 2,
                kernel: "k".to_owned(),
                commit: "c".to_owned(),
                date: "2026-01-01".to_owned(),
            },
            threads: 2,
            calibration_gflops: 100.0,
            figures: figures.to_vec(),
        }
    }

    fn verdict(then: Figure, now: Figure) -> Verdict {
        compare(&record(&[then]), &record(&[now]))[0].verdict
    }

    #[test]
    fn a_change_counts_when_it_is_larger_than_floor_and_noise() {
        let before = || figure("w", 10.0, 0.002, 100);
        assert_eq!(
            verdict(before(), figure("w", 10.5, 0.002, 100)),
            Verdict::Same
        );
        assert_eq!(
            verdict(before(), figure("w", 11.0, 0.002, 100)),
            Verdict::Slower
        );
        assert_eq!(
            verdict(before(), figure("w", 9.0, 0.002, 100)),
            Verdict::Faster
        );
        // The same slowdown in a noisy run proves nothing.
        assert_eq!(
            verdict(before(), figure("w", 11.0, 0.05, 100)),
            Verdict::Same
        );
        assert_eq!(
            verdict(figure("w", 10.0, 0.05, 100), figure("w", 11.0, 0.0, 100)),
            Verdict::Same
        );
        assert_eq!(
            verdict(before(), figure("w", 15.0, 0.05, 100)),
            Verdict::Slower
        );
    }

    #[test]
    fn only_what_both_units_show_is_a_change() {
        let before = || figure2(10.0, 4.0);
        // Memory became slower, which the work waits for in part.
        assert_eq!(verdict(before(), figure2(12.0, 3.0)), Verdict::Same);
        assert_eq!(verdict(before(), figure2(8.0, 5.0)), Verdict::Same);
        assert_eq!(verdict(before(), figure2(12.0, 4.1)), Verdict::Same);
        assert_eq!(verdict(before(), figure2(12.0, 4.8)), Verdict::Slower);
        assert_eq!(verdict(before(), figure2(8.0, 3.0)), Verdict::Faster);
        // A record without the second unit is compared in the first.
        let old = || figure("w", 10.0, 0.01, 1);
        assert_eq!(verdict(old(), figure2(12.0, 3.0)), Verdict::Slower);
    }

    #[test]
    fn memory_is_compared_without_noise() {
        let before = || figure("w", 10.0, 0.2, 1000);
        assert_eq!(
            verdict(before(), figure("w", 10.0, 0.2, 1020)),
            Verdict::Same
        );
        assert_eq!(
            verdict(before(), figure("w", 10.0, 0.2, 1021)),
            Verdict::Larger
        );
        assert_eq!(
            verdict(before(), figure("w", 40.0, 0.2, 1021)),
            Verdict::Slower
        );
    }

    #[test]
    fn a_work_that_is_gone_is_a_regression_and_a_new_one_is_none() {
        let (a, b) = (figure("a", 1.0, 0.0, 1), figure("b", 1.0, 0.0, 1));
        let found = compare(&record(std::slice::from_ref(&a)), &record(&[b]));
        let found: Vec<_> = found.iter().map(|f| (f.work.as_str(), f.verdict)).collect();
        assert_eq!(found, [("b", Verdict::New), ("a", Verdict::Lost)]);
        assert!(Verdict::Lost.is_regression() && !Verdict::New.is_regression());
        assert_eq!(
            compare(&record(std::slice::from_ref(&a)), &record(&[a]))[0].verdict,
            Verdict::Same
        );
    }

    #[test]
    fn a_record_is_compared_with_the_last_of_such_a_machine() {
        let with = |processor: &str, threads, commit: &str| {
            let mut record = record(&[]);
            record.machine.processor = processor.to_owned();
            record.machine.commit = commit.to_owned();
            record.threads = threads;
            record
        };
        let records = [
            with("p", 2, "old"),
            with("p", 2, "new"),
            with("q", 2, "other"),
        ];
        let found = with("p", 2, "now").last_comparable(&records).cloned();
        assert_eq!(found.unwrap().machine.commit, "new");
        assert_eq!(with("p", 1, "now").last_comparable(&records), None);
    }

    #[test]
    fn records_are_written_and_read_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let mut later = record(&[figure("w", 1.5, 0.25, 7)]);
        later.machine.date = "2026-02-01".to_owned();
        let first = record(&[]);
        later.write(folder.path()).unwrap();
        first.write(folder.path()).unwrap();
        assert_eq!(Record::read_all(folder.path()).unwrap(), [first, later]);
        std::fs::write(folder.path().join("x.jsonl"), "{}\n").unwrap();
        let error = Record::read_all(folder.path()).unwrap_err();
        assert!(format!("{error:#}").contains("x.jsonl"), "{error:#}");
    }

    proptest! {
        #[test]
        fn more_noise_or_less_change_never_turns_same_into_slower(
            change in 0.0f64..1.0, less in 0.0f64..1.0, spread in 0.0f64..0.2, more in 1.0f64..3.0,
        ) {
            let then = figure("w", 10.0, 0.01, 1);
            let now = |change: f64, spread| figure("w", 10.0 * (1.0 + change), spread, 1);
            if verdict(then.clone(), now(change, spread)) == Verdict::Same {
                let calmer = verdict(then.clone(), now(change * less, spread));
                let noisier = verdict(then, now(change, spread * more));
                prop_assert_eq!((calmer, noisier), (Verdict::Same, Verdict::Same));
            }
        }

        /// A work whose time is some of each unit, on a machine that changes.
        #[test]
        fn no_machine_makes_a_work_slower_or_faster(
            part in 0.0f64..1.0, product in 0.3f64..3.0, copy in 0.3f64..3.0,
        ) {
            let time = part * product + (1.0 - part) * copy;
            let then = figure2(1.0, 1.0);
            let now = figure2(time / product, time / copy);
            prop_assert_eq!(verdict(then, now), Verdict::Same);
        }
    }
}
