//! Ranges of settings, and the message when a setting lies outside.

use crate::TrainError;

/// The finite numbers that a setting may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range {
    holds: fn(f64) -> bool,
    text: &'static str,
}

impl Range {
    pub(crate) const NOT_NEGATIVE: Self = Self {
        holds: |x| x >= 0.0,
        text: "a finite number of at least 0",
    };
    pub(crate) const POSITIVE: Self = Self {
        holds: |x| x > 0.0,
        text: "a finite number above 0",
    };
    pub(crate) const BELOW_ONE: Self = Self {
        holds: |x| (0.0..1.0).contains(&x),
        text: "a number of at least 0 and below 1",
    };
    pub(crate) const INSIDE_UNIT: Self = Self {
        holds: |x| x > 0.0 && x < 1.0,
        text: "a number above 0 and below 1",
    };
    pub(crate) const ABOVE_ONE: Self = Self {
        holds: |x| x > 1.0,
        text: "a finite number above 1",
    };
    pub(crate) const UP_TO_ONE: Self = Self {
        holds: |x| x > 0.0 && x <= 1.0,
        text: "a number above 0 and at most 1",
    };

    /// Refuses a `value` outside, by the name of its `field`.
    pub(crate) fn check(&self, field: &str, value: f64) -> Result<(), TrainError> {
        if value.is_finite() && (self.holds)(value) {
            return Ok(());
        }
        Err(TrainError::Usage(format!(
            "{field}: expected {}, found {value}",
            self.text
        )))
    }
}

/// Refuses a whole number outside `least..=most`.
pub(crate) fn check_count(
    field: &str,
    value: u64,
    range: std::ops::RangeInclusive<u64>,
) -> Result<(), TrainError> {
    if range.contains(&value) {
        return Ok(());
    }
    let (least, most) = (range.start(), range.end());
    let expected = if *most == u64::MAX {
        format!("at least {least}")
    } else {
        format!("{least} to {most}")
    };
    Err(TrainError::Usage(format!(
        "{field}: expected {expected}, found {value}"
    )))
}
