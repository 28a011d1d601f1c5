//! Stages over steps, as a strip of cells for each stage.

use crate::chart::grouped;
use crate::history::Point;
use crate::svg::{Anchor, Rect, Svg, clipped, figure};

/// Cells in a row; of more, every so many are drawn.
const CELLS: usize = 60;

/// How strong a value's cell is.
#[derive(Clone, Copy)]
pub(crate) enum Strength {
    /// A share as it is.
    Share,
    /// The logarithm, between the least and the largest of all.
    Log,
}

/// Draws the figure `name` of each stage; `None` where no step has it.
pub(crate) fn strips(
    points: &[Point],
    name: &str,
    title: &str,
    class: &str,
    strength: Strength,
) -> Option<String> {
    let known: Vec<(&Point, &Vec<(String, f64)>)> = points
        .iter()
        .filter_map(|p| Some((p, p.stages.get(name)?)))
        .filter(|(_, stages)| !stages.is_empty())
        .collect();
    let every = known.len().div_ceil(CELLS).max(1);
    // The last look is always among them.
    let mut shown: Vec<_> = known.iter().rev().step_by(every).collect();
    shown.reverse();
    let stages: Vec<&str> = shown.last()?.1.iter().map(|(s, _)| s.as_str()).collect();
    let (row, left, width) = (17.0, 108.0, 540.0);
    let height = row * stages.len() as f64 + 26.0;
    let cell = (width - left - 62.0) / shown.len() as f64;
    let range = Range::of(shown.iter().flat_map(|(_, s)| s.iter().map(|(_, x)| *x)));
    let mut svg = Svg::new(width, height, title);
    for (i, stage) in stages.iter().enumerate() {
        let y = i as f64 * row;
        let label = (left - 8.0, y + 12.0);
        svg.text("tick", label, Anchor::End, &clipped(stage, 16));
        let mut last = f64::NAN;
        for (j, (point, values)) in shown.iter().enumerate() {
            let Some((_, x)) = values.iter().find(|(s, _)| s == stage) else {
                continue;
            };
            last = *x;
            let at = Rect {
                x: left + j as f64 * cell,
                y: y + 1.0,
                w: (cell - if cell > 4.0 { 1.0 } else { 0.0 }).min(40.0),
                h: row - 2.0,
            };
            let shown = strength.of(*x, range);
            let text = strength.text(*x);
            let title = format!("{stage}, step {}: {text}", grouped(point.step));
            svg.cell(class, at, shown, &title);
        }
        let end = (
            left + (shown.len() as f64 * cell).min(40.0 * shown.len() as f64) + 6.0,
            y + 12.0,
        );
        svg.text("tick", end, Anchor::Start, &strength.text(last));
    }
    let (first, last) = (shown.first()?.0.step, shown.last()?.0.step);
    let y = height - 8.0;
    svg.text(
        "tick",
        (left, y),
        Anchor::Start,
        &format!("step {}", grouped(first)),
    );
    if last > first && cell * shown.len() as f64 > 160.0 {
        let end = (
            left + (cell * shown.len() as f64).min(40.0 * shown.len() as f64),
            y,
        );
        svg.text("tick", end, Anchor::End, &grouped(last));
    }
    Some(svg.finish())
}

/// The least and the largest number above 0.
#[derive(Clone, Copy)]
struct Range {
    low: f64,
    high: f64,
}

impl Range {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let all = Self {
            low: f64::INFINITY,
            high: 0.0,
        };
        let values = values.filter(|x| x.is_finite() && *x > 0.0);
        values.fold(all, |range, x| Self {
            low: range.low.min(x),
            high: range.high.max(x),
        })
    }
}

impl Strength {
    fn of(self, x: f64, range: Range) -> f64 {
        match self {
            // Even the smallest share shows that there was a look.
            Self::Share => 0.06 + 0.94 * x.clamp(0.0, 1.0),
            Self::Log if x > 0.0 && range.high > range.low => {
                let share = (x / range.low).ln() / (range.high / range.low).ln();
                0.1 + 0.9 * share.clamp(0.0, 1.0)
            }
            Self::Log => 0.1,
        }
    }

    fn text(self, x: f64) -> String {
        match self {
            Self::Share => format!("{:.1}%", 100.0 * x),
            Self::Log => figure(x),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::History;

    #[test]
    fn every_stage_has_a_row_and_many_looks_are_thinned() {
        let line = |step: u32| {
            format!(
                "{{\"step\":{step},\"split\":\"train\",\"dead_relus\":{{\"a<b\":0.5,\"c\":0}}}}\n"
            )
        };
        let log: String = (1..=200).map(line).collect();
        let points = History::read(&log).train;
        let svg = strips(&points, "dead_relus", "t", "warm", Strength::Share).unwrap();
        let cells = svg.matches("<rect").count();
        assert!((80..=120).contains(&cells), "{cells}");
        assert!(svg.contains("step 200: 50.0%") && svg.contains("a&lt;b"));
        assert!(strips(&points, "grad_norms", "t", "cool", Strength::Log).is_none());
    }
}
