//! The order of classes against sorting.

use inception_deploy::{rank_of, top};
use proptest::prelude::*;

/// Few different values, so that ties and NaN are frequent.
fn scores() -> impl Strategy<Value = Vec<f32>> {
    let score = prop_oneof![
        4 => (-3i8..4).prop_map(f32::from),
        1 => Just(f32::NAN),
        1 => Just(f32::INFINITY),
        1 => Just(f32::NEG_INFINITY),
    ];
    proptest::collection::vec(score, 1..40)
}

/// The whole order, by insertion: slow, and plain to see.
fn order(scores: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::new();
    for (i, &score) in scores.iter().enumerate() {
        let goes_before = |&j: &usize| {
            let other: f32 = scores[j];
            (other.is_nan() && !score.is_nan()) || score > other
        };
        let place = order.iter().position(goes_before).unwrap_or(order.len());
        order.insert(place, i);
    }
    order
}

proptest! {
    #[test]
    fn the_best_come_first_equal_ones_by_index_and_nan_last(scores in scores(), k in 0usize..50) {
        let found: Vec<usize> = top(&scores, k).map(|r| r.index).collect();
        let expected = order(&scores);
        prop_assert_eq!(&found[..], &expected[..k.min(scores.len())]);
    }

    #[test]
    fn a_rank_is_the_place_in_the_order(scores in scores()) {
        for (rank, index) in order(&scores).into_iter().enumerate() {
            prop_assert_eq!(rank_of(&scores, index), rank);
        }
    }
}
