//! Which class is taken for which.

use crate::Assessment;
use crate::svg::{Anchor, Rect, Svg, clipped};
use serde::Serialize;

/// Classes from which on names no longer fit beside the matrix.
const NAMED: usize = 40;
/// Classes from which on counts no longer fit into the cells.
const COUNTED: usize = 16;
/// Classes from which on there is no matrix.
const DRAWN: usize = 250;
/// Pairs that are listed.
const PAIRS: usize = 10;

/// One class taken for another.
#[derive(Serialize)]
pub(crate) struct Pair {
    label: String,
    answer: String,
    images: u64,
    share: String,
}

/// The pairs that are confused most often.
pub(crate) fn pairs(found: &Assessment) -> Vec<Pair> {
    let mut all: Vec<(u64, usize, usize)> = Vec::new();
    for (label, row) in found.confusion.iter().enumerate() {
        for (answer, &images) in row.iter().enumerate() {
            if label != answer && images > 0 {
                all.push((images, label, answer));
            }
        }
    }
    all.sort_by_key(|&(images, label, answer)| (std::cmp::Reverse(images), label, answer));
    let pair = |(images, label, answer): (u64, usize, usize)| {
        let of_label: u64 = found.confusion[label].iter().sum();
        Pair {
            label: name(found, label),
            answer: name(found, answer),
            images,
            share: format!("{:.1}%", 100.0 * images as f64 / of_label as f64),
        }
    };
    all.into_iter().take(PAIRS).map(pair).collect()
}

fn name(found: &Assessment, class: usize) -> String {
    let name = found.classes.get(class).map_or("", String::as_str);
    inception_data::escape(name.as_ref())
}

/// The matrix; rows are labels, columns answers, and a cell is as strong as its share of the
/// row.
pub(crate) fn matrix(found: &Assessment) -> Option<String> {
    let n = found.confusion.len();
    if !(2..=DRAWN).contains(&n) {
        return None;
    }
    let named = n <= NAMED;
    let longest = found.classes.iter().map(|c| c.chars().count()).max();
    let longest = longest.unwrap_or(0).min(18) as f64;
    let margin = if named { 14.0 + 6.6 * longest } else { 8.0 };
    let cell = (460.0 / n as f64).clamp(2.0, 36.0);
    let side = cell * n as f64;
    let below = if named { 12.0 + 4.8 * longest } else { 8.0 };
    let mut svg = Svg::new(margin + side + 4.0, side + below, "Confusion matrix");
    for (label, row) in found.confusion.iter().enumerate() {
        let images: u64 = row.iter().sum();
        let y = cell * label as f64;
        if named {
            let at = (margin - 6.0, y + 0.5 * cell + 4.0);
            let text = clipped(&name(found, label), 18);
            svg.text("tick", at, Anchor::End, &text);
            let at = (margin + y + 0.5 * cell + 3.0, side + 12.0);
            svg.slanted(at, &text);
        }
        for (answer, &count) in row.iter().enumerate() {
            if count == 0 && n > COUNTED {
                continue;
            }
            let share = count as f64 / images.max(1) as f64;
            let gap = if cell > 6.0 { 1.0 } else { 0.0 };
            let at = Rect {
                x: margin + cell * answer as f64,
                y,
                w: cell - gap,
                h: cell - gap,
            };
            let class = if label == answer {
                "cell good"
            } else {
                "cell bad"
            };
            // Rare mistakes must be seen too.
            let strength = match (count, label == answer) {
                (0, _) => 0.03,
                (_, true) => 0.08 + 0.82 * share,
                (_, false) => 0.15 + 0.85 * share.sqrt(),
            };
            let title = format!(
                "{} taken for {}: {count} of {images}",
                name(found, label),
                name(found, answer)
            );
            svg.cell(class, at, strength, &title);
            if n <= COUNTED && count > 0 {
                let at = (at.x + 0.5 * at.w, y + 0.5 * cell + 4.0);
                let class = if strength > 0.55 { "count on" } else { "count" };
                svg.text(class, at, Anchor::Middle, &count.to_string());
            }
        }
    }
    Some(svg.finish())
}
