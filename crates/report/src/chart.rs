//! Curves over steps.

use crate::svg::{Anchor, Svg, figure};

/// How many points of a curve are drawn.
const POINTS: usize = 360;
/// The steps over which a curve is smoothed, as a share of all.
const SMOOTHED: f64 = 1.0 / 40.0;

/// How values are placed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    /// From the least value to the largest.
    Linear,
    /// From zero to one, as percentages.
    Share,
    /// By the logarithm.
    Log,
}

/// One curve.
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
    pub(crate) style: Style,
}

/// How a curve is drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// A smooth line over its own faint points.
    Smoothed,
    /// A line.
    Line,
    /// A line with a dot at each point.
    Dotted,
}

/// Curves in one frame.
pub(crate) struct Chart {
    pub(crate) title: &'static str,
    pub(crate) scale: Scale,
    pub(crate) series: Vec<Series>,
}

const WIDTH: f64 = 540.0;
const HEIGHT: f64 = 250.0;
const LEFT: f64 = 48.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 30.0;

/// Values on an axis, and where they lie.
struct Axis {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    log: bool,
}

impl Axis {
    fn at(&self, value: f64) -> f64 {
        let place = |x: f64| if self.log { x.log10() } else { x };
        let (low, high) = (place(self.low), place(self.high));
        let share = match high > low {
            true => (place(value) - low) / (high - low),
            false => 0.5,
        };
        self.from + share.clamp(0.0, 1.0) * (self.to - self.from)
    }
}

impl Chart {
    /// The drawing; `None` where there is nothing to draw.
    pub(crate) fn draw(&self) -> Option<String> {
        let log = self.scale == Scale::Log;
        let drawable = |&&(_, y): &&(f64, f64)| y.is_finite() && (!log || y > 0.0);
        let points = || self.series.iter().flat_map(|s| &s.points).filter(drawable);
        let steps = bounds(points().map(|p| p.0))?;
        let (low, high) = match self.scale {
            Scale::Share => (0.0, 1.0),
            Scale::Linear => {
                let (low, high) = bounds(self.shown_values())?;
                let room = 0.06 * (high - low).max(high.abs() * 1e-3 + 1e-12);
                (
                    if low >= 0.0 {
                        (low - room).max(0.0)
                    } else {
                        low - room
                    },
                    high + room,
                )
            }
            Scale::Log => bounds(points().map(|p| p.1))?,
        };
        let x = Axis {
            low: steps.0,
            high: steps.1,
            from: LEFT,
            to: WIDTH - RIGHT,
            log: false,
        };
        let y = Axis {
            low,
            high,
            from: HEIGHT - BOTTOM,
            to: TOP,
            log,
        };
        let mut svg = Svg::new(WIDTH, HEIGHT, self.title);
        self.frame(&mut svg, &x, &y);
        for (i, series) in self.series.iter().enumerate() {
            let points: Vec<_> = series.points.iter().filter(drawable).copied().collect();
            draw_series(&mut svg, i, series.style, &points, (&x, &y));
        }
        Some(svg.finish())
    }

    /// Values that the frame must hold: a noisy curve counts as smoothed, so that its first
    /// outliers do not press everything else flat.
    fn shown_values(&self) -> impl Iterator<Item = f64> + '_ {
        let shown = |series: &Series| match series.style {
            Style::Smoothed => smoothed(&thinned(&series.points)),
            _ => series.points.clone(),
        };
        let values = self.series.iter().flat_map(shown).map(|p| p.1);
        values.filter(|y| y.is_finite())
    }

    fn frame(&self, svg: &mut Svg, x: &Axis, y: &Axis) {
        let marks = match y.log {
            true => decades(y.low, y.high),
            false => ticks(y.low, y.high, 5),
        };
        for mark in marks {
            let at = y.at(mark);
            svg.line("grid", (LEFT, at), (WIDTH - RIGHT, at));
            let text = match self.scale {
                Scale::Share => format!("{:.0}%", 100.0 * mark),
                _ => figure(mark),
            };
            svg.text("tick", (LEFT - 8.0, at + 4.0), Anchor::End, &text);
        }
        for mark in ticks(x.low, x.high, 6) {
            if mark.fract() == 0.0 {
                let at = (x.at(mark), HEIGHT - BOTTOM + 18.0);
                svg.text("tick", at, Anchor::Middle, &grouped(mark));
            }
        }
    }
}

fn draw_series(svg: &mut Svg, i: usize, style: Style, points: &[(f64, f64)], on: (&Axis, &Axis)) {
    let (x, y) = on;
    let place = |points: &[(f64, f64)]| -> Vec<(f64, f64)> {
        points.iter().map(|p| (x.at(p.0), y.at(p.1))).collect()
    };
    let thin = thinned(points);
    match style {
        Style::Smoothed => {
            svg.path(&format!("faint s{i}"), &place(&thin));
            svg.path(&format!("curve s{i}"), &place(&smoothed(&thin)));
        }
        Style::Line => svg.path(&format!("curve s{i}"), &place(&thin)),
        Style::Dotted => {
            svg.path(&format!("curve s{i}"), &place(points));
            for (p, at) in points.iter().zip(place(points)) {
                let title = format!("step {}: {}", grouped(p.0), figure(p.1));
                svg.dot(&format!("dot s{i}"), at, 3.0, &title);
            }
        }
    }
}

fn bounds(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |bounds, x| match bounds {
        None => Some((x, x)),
        Some((low, high)) => Some((f64::min(low, x), f64::max(high, x))),
    })
}

/// Means of neighbours, so that at most [`POINTS`] are left.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let len = points.len().div_ceil(POINTS).max(1);
    points
        .chunks(len)
        .map(|part| {
            let n = part.len() as f64;
            let sum = part.iter().fold((0.0, 0.0), |s, p| (s.0 + p.0, s.1 + p.1));
            (sum.0 / n, sum.1 / n)
        })
        .collect()
}

/// An exponential mean that begins with the first value.
fn smoothed(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let keep = 1.0 - 1.0 / (points.len() as f64 * SMOOTHED).max(1.0);
    let (mut sum, mut weight) = (0.0, 0.0);
    let smooth = |&(x, y): &(f64, f64)| {
        sum = keep * sum + y;
        weight = keep * weight + 1.0;
        (x, sum / weight)
    };
    points.iter().map(smooth).collect()
}

/// About `count` round numbers between two.
pub(crate) fn ticks(low: f64, high: f64, count: usize) -> Vec<f64> {
    let span = high - low;
    if span.is_nan() || span <= 0.0 {
        return vec![low];
    }
    let rough = span / count as f64;
    let unit = 10f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0];
    let step = steps.iter().find(|s| **s * unit >= rough).unwrap_or(&10.0) * unit;
    let first = (low / step).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last).map(|i| i as f64 * step).collect()
}

/// Powers of ten between two numbers, or the two where there are fewer than two.
fn decades(low: f64, high: f64) -> Vec<f64> {
    let first = (low.log10() - 1e-9).ceil() as i32;
    let last = (high.log10() + 1e-9).floor() as i32;
    let every = ((last - first) / 6 + 1).max(1) as usize;
    let powers: Vec<f64> = (first..=last)
        .step_by(every)
        .map(|e| 10f64.powi(e))
        .collect();
    match powers.len() {
        0 | 1 => vec![low, high],
        _ => powers,
    }
}

/// A whole number with thin spaces between thousands.
pub(crate) fn grouped(x: f64) -> String {
    let digits = format!("{:.0}", x.abs());
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(
            ticks(0.0, 1.0, 5),
            [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]
        );
        assert_eq!(ticks(3.0, 3.0, 5), [3.0]);
        let marks = ticks(1.7, 2.4, 5);
        assert!(marks.len() >= 4 && marks.iter().all(|m| (1.7..2.401).contains(m)));
        assert_eq!(decades(0.05, 20.0), [0.1, 1.0, 10.0]);
    }

    #[test]
    fn a_chart_holds_what_is_finite_and_nothing_else() {
        let chart = |points: Vec<(f64, f64)>, scale| Chart {
            title: "t",
            scale,
            series: vec![Series {
                name: "loss".into(),
                points,
                style: Style::Smoothed,
            }],
        };
        assert!(chart(vec![], Scale::Linear).draw().is_none());
        assert!(chart(vec![(1.0, f64::NAN)], Scale::Linear).draw().is_none());
        assert!(chart(vec![(1.0, -1.0)], Scale::Log).draw().is_none());
        let points = vec![(1.0, 2.0), (2.0, f64::INFINITY), (3.0, 1.0)];
        for scale in [Scale::Linear, Scale::Share, Scale::Log] {
            let svg = chart(points.clone(), scale).draw().unwrap();
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
        let long: Vec<_> = (0..100_000).map(|i| (f64::from(i), 1.0)).collect();
        assert!(chart(long, Scale::Linear).draw().unwrap().len() < 20_000);
    }
}
