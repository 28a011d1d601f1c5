//! How far two tensors lie apart, and how far they may.

use std::fmt;

/// How far two tensors may differ: `‖a − b‖∞ ≤ relative · ‖b‖∞ + absolute`, where `b` is
/// the expected one.
///
/// Measured against the largest element, because the small elements of a sum of many terms
/// carry the rounding of the large ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// Allowed difference over the largest expected magnitude.
    pub relative: f64,
    /// Allowed difference on top of it, for tensors that are zero in theory.
    pub absolute: f64,
}

impl Tolerance {
    /// Every element equal as a number.
    pub const EXACT: Self = Self::relative(0.0);

    /// A tolerance relative to the largest expected magnitude alone.
    pub const fn relative(relative: f64) -> Self {
        Self {
            relative,
            absolute: 0.0,
        }
    }

    /// The difference allowed where the largest expected magnitude is `largest`.
    pub fn limit(self, largest: f64) -> f64 {
        self.relative * largest + self.absolute
    }
}

/// Two measures of the distance between a tensor and the expected one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Deviation {
    /// `‖a − b‖∞ / ‖b‖∞`.
    pub largest: f64,
    /// `‖a − b‖₂ / ‖b‖₂`: one element that took the other side of a ReLU moves it little.
    pub l2: f64,
}

/// Why two tensors are not close.
#[derive(Clone, Debug, PartialEq)]
pub enum Mismatch {
    /// The numbers of elements differ.
    Length {
        /// Found.
        actual: usize,
        /// Expected.
        expected: usize,
    },
    /// An element differs by more than the tolerance allows; the worst one is named.
    Element {
        /// Its position.
        index: usize,
        /// Its value.
        actual: f64,
        /// What it should be.
        expected: f64,
        /// The allowed difference.
        limit: f64,
        /// The largest expected magnitude.
        largest: f64,
        /// How many elements differ by more than allowed.
        wrong: usize,
        /// Of how many.
        of: usize,
    },
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Length { actual, expected } => {
                write!(f, "{actual} elements, expected {expected}")
            }
            Self::Element {
                index,
                actual,
                expected,
                limit,
                largest,
                wrong,
                of,
            } => write!(
                f,
                "{wrong} of {of} elements differ; worst is element {index}: {actual:e}, expected \
                 {expected:e}, difference {:e} above the allowed {limit:e} (largest expected \
                 magnitude {largest:e})",
                (actual - expected).abs()
            ),
        }
    }
}

impl std::error::Error for Mismatch {}

/// The largest magnitude of `values`, 0 for none.
fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |m, v| v.abs().max(m))
}

/// Whether `actual` is close to `expected`, and if not, where it is worst.
///
/// A NaN is close to nothing.
///
/// # Errors
/// [`Mismatch`] when the lengths differ or an element differs by more than allowed.
pub fn compare(actual: &[f64], expected: &[f64], tolerance: Tolerance) -> Result<(), Mismatch> {
    compare_scaled(actual, expected, tolerance, largest(expected))
}

/// [`compare`] where `expected` is part of a tensor whose largest magnitude is `largest`.
pub(crate) fn compare_scaled(
    actual: &[f64],
    expected: &[f64],
    tolerance: Tolerance,
    largest: f64,
) -> Result<(), Mismatch> {
    if actual.len() != expected.len() {
        return Err(Mismatch::Length {
            actual: actual.len(),
            expected: expected.len(),
        });
    }
    let limit = tolerance.limit(largest);
    // A NaN on either side is the worst difference there is.
    let distance = |i: &usize| match (actual[*i] - expected[*i]).abs() {
        d if d.is_nan() => f64::INFINITY,
        d => d,
    };
    let wrong: Vec<usize> = (0..actual.len()).filter(|i| distance(i) > limit).collect();
    let worst = wrong
        .iter()
        .copied()
        .max_by(|a, b| distance(a).total_cmp(&distance(b)));
    match worst {
        None => Ok(()),
        Some(index) => Err(Mismatch::Element {
            index,
            actual: actual[index],
            expected: expected[index],
            limit,
            largest,
            wrong: wrong.len(),
            of: actual.len(),
        }),
    }
}

/// Measures the distance between `actual` and `expected`; NaN where either has one.
///
/// # Panics
/// When the lengths differ.
pub fn deviation(actual: &[f64], expected: &[f64]) -> Deviation {
    let square = |values: &[f64]| values.iter().map(|v| v * v).sum::<f64>();
    deviation_scaled(actual, expected, largest(expected), square(expected).sqrt())
}

/// [`deviation`] against a given largest magnitude and L2 norm of the expected tensor.
pub(crate) fn deviation_scaled(
    actual: &[f64],
    expected: &[f64],
    largest: f64,
    norm: f64,
) -> Deviation {
    assert_eq!(actual.len(), expected.len(), "tensors of different length");
    let over = |error: f64, scale: f64| {
        if error == 0.0 { 0.0 } else { error / scale }
    };
    let (mut worst, mut square) = (0.0f64, 0.0);
    for (a, b) in actual.iter().zip(expected) {
        let error = (a - b).abs();
        worst = worst.max(error);
        square += error * error;
    }
    // `max` drops a NaN; the sum of squares keeps it.
    let worst = if square.is_nan() { square } else { worst };
    Deviation {
        largest: over(worst, largest),
        l2: over(square.sqrt(), norm),
    }
}

/// Demands that `actual` is close to `expected`.
///
/// # Panics
/// When it is not; the message names the tensor, the worst element and both values.
///
/// # Examples
/// ```
/// use inception_testkit::{Tolerance, assert_close};
///
/// let actual = [1.0f32, -4.000001];
/// assert_close("y", actual.map(f64::from), &[1.0, -4.0], Tolerance::relative(1e-6));
/// ```
#[track_caller]
pub fn assert_close(
    name: &str,
    actual: impl IntoIterator<Item = f64>,
    expected: &[f64],
    tolerance: Tolerance,
) {
    let actual: Vec<f64> = actual.into_iter().collect();
    if let Err(mismatch) = compare(&actual, expected, tolerance) {
        panic!("{name}: {mismatch}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_message_names_the_worst_element_and_both_values() {
        let found = compare(
            &[1.0, 2.5, 9.0],
            &[1.0, 2.0, 10.0],
            Tolerance::relative(0.01),
        );
        let text = found.unwrap_err().to_string();
        assert_eq!(
            text,
            "2 of 3 elements differ; worst is element 2: 9e0, expected 1e1, difference 1e0 above \
             the allowed 1e-1 (largest expected magnitude 1e1)"
        );
    }

    #[test]
    fn a_nan_is_close_to_nothing() {
        let loose = Tolerance {
            relative: 1e9,
            absolute: 1e9,
        };
        assert!(compare(&[f64::NAN], &[1.0], loose).is_err());
        assert!(compare(&[1.0], &[f64::NAN], loose).is_err());
        assert!(deviation(&[f64::NAN, 0.0], &[1.0, 1.0]).largest.is_nan());
    }

    #[test]
    fn tensors_of_different_length_are_not_close() {
        let found = compare(&[1.0, 2.0], &[1.0], Tolerance::EXACT);
        let expected = Mismatch::Length {
            actual: 2,
            expected: 1,
        };
        assert_eq!(found, Err(expected));
    }

    #[test]
    #[should_panic(expected = "logits: 1 of 2 elements differ; worst is element 1")]
    fn an_assertion_names_its_tensor() {
        assert_close("logits", [0.0, 1.0], &[0.0, 2.0], Tolerance::relative(0.1));
    }

    #[test]
    fn one_wrong_element_moves_the_l2_deviation_little() {
        let expected = vec![1.0; 100];
        let mut actual = expected.clone();
        actual[3] = 1.5;
        let found = deviation(&actual, &expected);
        assert_eq!(found.largest, 0.5);
        assert!((found.l2 - 0.05).abs() < 1e-15, "{found:?}");
    }

    proptest! {
        #[test]
        fn close_means_within_the_largest_relative_deviation(
            expected in proptest::collection::vec(-10.0f64..10.0, 1..20),
            error in -1.0f64..1.0,
            at in 0usize..20,
        ) {
            let mut actual = expected.clone();
            let at = at % expected.len();
            actual[at] += error;
            let found = deviation(&actual, &expected).largest;
            prop_assume!(found.is_finite());
            prop_assert!(compare(&actual, &expected, Tolerance::relative(found * 1.000001 + 1e-300)).is_ok());
            if found > 0.0 {
                prop_assert!(compare(&actual, &expected, Tolerance::relative(found * 0.999)).is_err());
            }
        }
    }
}
