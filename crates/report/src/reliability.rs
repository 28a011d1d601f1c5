//! Whether probabilities mean what they say.

use crate::Bin;
use crate::svg::{Anchor, Rect, Svg};

const SIDE: f64 = 300.0;
const LEFT: f64 = 44.0;
const TOP: f64 = 10.0;
/// Height of the images' distribution below the diagram.
const SPREAD: f64 = 56.0;

/// Accuracy over confidence, with the distribution of confidence below.
pub(crate) fn diagram(bins: &[Bin]) -> Option<String> {
    let most = bins
        .iter()
        .map(|b| b.images)
        .max()
        .filter(|most| *most > 0)?;
    let (width, height) = (LEFT + SIDE + 14.0, TOP + SIDE + SPREAD + 52.0);
    let mut svg = Svg::new(width, height, "Accuracy over confidence");
    let x = |share: f64| LEFT + share * SIDE;
    let y = |share: f64| TOP + (1.0 - share) * SIDE;
    for share in [0.0, 0.25, 0.5, 0.75, 1.0] {
        svg.line("grid", (LEFT, y(share)), (LEFT + SIDE, y(share)));
        let text = format!("{:.0}%", 100.0 * share);
        svg.text("tick", (LEFT - 8.0, y(share) + 4.0), Anchor::End, &text);
        let at = (x(share), height - 22.0);
        svg.text("tick", at, Anchor::Middle, &text);
    }
    let w = SIDE / bins.len() as f64;
    let base = TOP + SIDE + 14.0 + SPREAD;
    for (i, bin) in bins.iter().enumerate().filter(|(_, b)| b.images > 0) {
        let title = format!(
            "{} images, {:.1}% sure, {:.1}% right",
            bin.images,
            100.0 * bin.confidence,
            100.0 * bin.accuracy
        );
        let bar = |y: f64, h: f64| Rect {
            x: LEFT + i as f64 * w + 1.0,
            y,
            w: w - 2.0,
            h,
        };
        svg.cell(
            "cool",
            bar(y(bin.accuracy), bin.accuracy * SIDE),
            0.75,
            &title,
        );
        let tall = (bin.images as f64 / most as f64 * SPREAD).max(1.0);
        svg.cell("plain", bar(base - tall, tall), 0.5, &title);
    }
    svg.line("ideal", (x(0.0), y(0.0)), (x(1.0), y(1.0)));
    let at = (LEFT + 0.5 * SIDE, height - 5.0);
    svg.text("tick", at, Anchor::Middle, "how sure the network is");
    Some(svg.finish())
}
