//! Medians.

/// The middle of `numbers`, or the mean of the two in the middle.
///
/// # Panics
/// When there are none.
pub fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    assert!(n > 0, "the median of no numbers");
    (sorted[(n - 1) / 2] + sorted[n / 2]) / 2.0
}

/// The median distance from the median, relative to it: a spread that single disturbances do
/// not move.
///
/// # Panics
/// When there are no numbers.
pub fn spread(numbers: &[f64]) -> f64 {
    let middle = median(numbers);
    let distances: Vec<f64> = numbers.iter().map(|x| (x - middle).abs()).collect();
    median(&distances) / middle
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle_and_the_spread_ignores_one_disturbance() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(spread(&[10.0, 11.0, 9.0, 10.0, 1000.0]), 0.1);
    }
}
