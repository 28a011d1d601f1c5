//! The order of classes.

use std::cmp::Ordering;

/// A class and its score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ranked<T> {
    /// The class.
    pub index: usize,
    /// Its score.
    pub score: T,
}

/// Larger scores first, NaN after every number.
fn better<T: PartialOrd>(a: &T, b: &T) -> Ordering {
    let is_nan = |x: &T| x.partial_cmp(x).is_none();
    b.partial_cmp(a)
        .unwrap_or_else(|| is_nan(a).cmp(&is_nan(b)))
}

/// The `k` best of `scores`, or all where there are fewer: larger first, equal ones by index,
/// NaN last.
///
/// # Examples
/// ```
/// use inception_deploy::top;
///
/// let best = top(&[0.1, f32::NAN, 0.4, 0.4], 3);
/// assert_eq!(best.map(|r| r.index).collect::<Vec<_>>(), [2, 3, 0]);
/// ```
pub fn top<T: Copy + PartialOrd>(
    scores: &[T],
    k: usize,
) -> impl ExactSizeIterator<Item = Ranked<T>> + use<T> {
    let mut all: Vec<Ranked<T>> = scores
        .iter()
        .enumerate()
        .map(|(index, &score)| Ranked { index, score })
        .collect();
    let order =
        |a: &Ranked<T>, b: &Ranked<T>| better(&a.score, &b.score).then(a.index.cmp(&b.index));
    if k < all.len() && k > 0 {
        all.select_nth_unstable_by(k - 1, order);
    }
    all.truncate(k);
    all.sort_unstable_by(order);
    all.into_iter()
}

/// How many classes come before class `index` in the order of [`top`].
///
/// # Panics
/// When `index` is out of range.
pub fn rank_of<T: Copy + PartialOrd>(scores: &[T], index: usize) -> usize {
    let own = scores[index];
    let before =
        |&(i, score): &(usize, &T)| better(score, &own).then(i.cmp(&index)) == Ordering::Less;
    scores.iter().enumerate().filter(before).count()
}
