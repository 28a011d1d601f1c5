//! The classes: outlines of area 1 around the origin, as signed distances.

use super::turn::Turn;
use inception_tensor::Stream;

/// Names of the classes, by label.
pub(super) const NAMES: [&str; 10] = [
    "disc",
    "ring",
    "square",
    "triangle",
    "star",
    "cross",
    "crescent",
    "heart",
    "arrow",
    "hourglass",
];

/// No outline, stretched by at most [`MAX_STRETCH`], reaches farther from the origin.
///
/// Positions are drawn with this radius for every class, so that where a figure may stand
/// says nothing about what it is.
pub(super) const REACH: f64 = 1.05;

/// The largest factor by which an outline is drawn longer, and across it narrower.
pub(super) const MAX_STRETCH: f64 = 1.1;

/// Corners of the outline with the most of them, the cross.
const MAX_CORNERS: usize = 12;

/// One side of a polygon.
#[derive(Clone, Copy, Debug, Default)]
struct Side {
    /// Where it starts.
    from: [f32; 2],
    /// Height of its end: the very number that the next side starts with.
    to_y: f32,
    /// From its start to its end.
    along: [f32; 2],
    /// `1 / |along|²`.
    inverse: f32,
}

/// A closed polygon.
#[derive(Clone, Debug)]
pub(super) struct Polygon {
    sides: [Side; MAX_CORNERS],
    count: usize,
}

/// An outline of area 1; `y` points up.
#[derive(Clone, Debug)]
pub(super) enum Figure {
    Disc { radius: f32 },
    Ring { outer: f32, inner: f32 },
    Crescent,
    Heart,
    Polygon(Box<Polygon>),
}

/// Radius of the crescent's outer circle, where the crescent has area 1.
const CRESCENT_OUTER: f32 = 0.817_083_35;
/// What is cut out of it: a circle with this share of that radius…
const CRESCENT_CUT: f32 = 0.8;
/// … whose centre is this share of that radius away.
const CRESCENT_SHIFT: f32 = 0.48;
/// `1 / √(½ + π/8)`: size of a square of diagonal 1 with two half discs, at area 1.
const HEART_SIZE: f32 = 1.058_394_2;
/// Height of the heart's middle over its tip, at the size before that.
const HEART_MIDDLE: f32 = 0.58;

impl Figure {
    /// An outline of class `label`; proportions vary with `stream`.
    pub(super) fn draw(label: u32, stream: &mut Stream) -> Self {
        match label {
            0 => Self::Disc {
                radius: 0.564_189_6,
            },
            1 => {
                let hole = stream.range(0.45, 0.65);
                let outer = 1.0 / (std::f64::consts::PI * (1.0 - hole * hole)).sqrt();
                Self::Ring {
                    outer: outer as f32,
                    inner: (outer * hole) as f32,
                }
            }
            2 => Self::corners(&[[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]]),
            3 => Self::star(3, 0.5),
            4 => Self::star(5, stream.range(0.38, 0.46)),
            5 => Self::cross(stream.range(0.24, 0.34)),
            6 => Self::Crescent,
            7 => Self::Heart,
            8 => Self::arrow(stream.range(0.14, 0.2), stream.range(0.42, 0.52)),
            9 => Self::hourglass(stream.range(0.05, 0.12)),
            _ => unreachable!("label {label} of {}", NAMES.len()),
        }
    }

    /// Signed distance from the outline at `(x, y)`, negative inside.
    #[inline]
    pub(super) fn distance(&self, x: f32, y: f32) -> f32 {
        match self {
            Self::Disc { radius } => length(x, y) - radius,
            Self::Ring { outer, inner } => {
                let r = length(x, y);
                (r - outer).max(inner - r)
            }
            Self::Crescent => {
                let cut = length(x - CRESCENT_SHIFT * CRESCENT_OUTER, y);
                (length(x, y) - CRESCENT_OUTER).max(CRESCENT_CUT * CRESCENT_OUTER - cut)
            }
            Self::Heart => heart(x.abs() / HEART_SIZE, y / HEART_SIZE + HEART_MIDDLE) * HEART_SIZE,
            Self::Polygon(polygon) => polygon.distance(x, y),
        }
    }

    /// A polygon through `corners`, scaled to area 1.
    fn corners(corners: &[[f64; 2]]) -> Self {
        let next = |i: usize| corners[(i + 1) % corners.len()];
        let area = corners
            .iter()
            .enumerate()
            .map(|(i, a)| (a[0] * next(i)[1] - a[1] * next(i)[0]) / 2.0)
            .sum::<f64>();
        let scale = 1.0 / area.abs().sqrt();
        let mut sides = [Side::default(); MAX_CORNERS];
        for (i, a) in corners.iter().enumerate() {
            let from = a.map(|v| v * scale);
            let to = next(i).map(|v| v * scale);
            let along = [to[0] - from[0], to[1] - from[1]];
            sides[i] = Side {
                from: from.map(|v| v as f32),
                to_y: to[1] as f32,
                along: along.map(|v| v as f32),
                inverse: (1.0 / (along[0] * along[0] + along[1] * along[1])) as f32,
            };
        }
        Self::Polygon(Box::new(Polygon {
            sides,
            count: corners.len(),
        }))
    }

    /// A star of `points` points, the first one up, whose inner corners lie at `inner` of
    /// the outer radius. Three points and ½ are the triangle.
    fn star(points: usize, inner: f64) -> Self {
        let corners: Vec<_> = (0..2 * points)
            .map(|k| {
                let turn = Turn::of_circle(k as f64 / (2 * points) as f64);
                let radius = if k % 2 == 0 { 1.0 } else { inner };
                [radius * turn.sin, radius * turn.cos]
            })
            .collect();
        Self::corners(&corners)
    }

    /// A plus of arms `arm` times as wide as the whole.
    fn cross(arm: f64) -> Self {
        let quarter = [[arm, 1.0], [arm, arm], [1.0, arm]];
        let corners: Vec<_> = (0..4)
            .flat_map(|k| {
                quarter.map(|[x, y]| match k {
                    0 => [x, y],
                    1 => [y, -x],
                    2 => [-x, -y],
                    _ => [-y, x],
                })
            })
            .collect();
        Self::corners(&corners)
    }

    /// An arrow that points up; `shaft` is half the width of its shaft, `head` the length
    /// of its head, where the arrow is as long and as wide as 1.
    fn arrow(shaft: f64, head: f64) -> Self {
        let neck = 0.5 - head;
        Self::corners(&[
            [0.0, 0.5],
            [0.5, neck],
            [shaft, neck],
            [shaft, -0.5],
            [-shaft, -0.5],
            [-shaft, neck],
            [-0.5, neck],
        ])
    }

    /// Two triangles that meet at a waist of half width `waist`.
    fn hourglass(waist: f64) -> Self {
        Self::corners(&[
            [-0.5, 0.58],
            [0.5, 0.58],
            [waist, 0.0],
            [0.5, -0.58],
            [-0.5, -0.58],
            [-waist, 0.0],
        ])
    }
}

impl Polygon {
    /// Signed distance: to the nearest side, negative where a ray to the right crosses the
    /// outline an odd number of times.
    #[inline]
    fn distance(&self, x: f32, y: f32) -> f32 {
        let mut nearest = f32::INFINITY;
        let mut inside = false;
        for side in &self.sides[..self.count] {
            let [ex, ey] = side.along;
            let (wx, wy) = (x - side.from[0], y - side.from[1]);
            let t = ((wx * ex + wy * ey) * side.inverse).clamp(0.0, 1.0);
            let (dx, dy) = (wx - ex * t, wy - ey * t);
            nearest = nearest.min(dx * dx + dy * dy);
            let starts_above = y < side.from[1];
            let ends_above = y < side.to_y;
            let right = (ex * wy - ey * wx) * ey > 0.0;
            inside ^= (starts_above != ends_above) & right;
        }
        let distance = nearest.sqrt();
        if inside { -distance } else { distance }
    }
}

/// Signed distance from a heart whose tip is the origin and whose middle is at `y` = ½;
/// `x ≥ 0`.
fn heart(x: f32, y: f32) -> f32 {
    if x + y > 1.0 {
        // The half disc over the square's upper right side.
        return length(x - 0.25, y - 0.75) - std::f32::consts::SQRT_2 / 4.0;
    }
    // The notch at (0, 1), and the lower right side, on the line x = y.
    let along = 0.5 * (x + y).max(0.0);
    let distance = length(x, y - 1.0).min(length(x - along, y - along));
    if x < y { -distance } else { distance }
}

#[inline]
fn length(x: f32, y: f32) -> f32 {
    (x * x + y * y).sqrt()
}

#[cfg(test)]
mod tests {
    use super::{Figure, MAX_STRETCH, NAMES, REACH};
    use inception_tensor::Stream;

    /// Every class, five times.
    fn figures() -> impl Iterator<Item = (&'static str, Figure)> {
        let mut stream = Stream::new(&[3]);
        (0..50).map(move |i| {
            let label = i % NAMES.len();
            (NAMES[label], Figure::draw(label as u32, &mut stream))
        })
    }

    #[test]
    fn every_outline_has_area_one() {
        const STEPS: i32 = 400;
        const STEP: f32 = 2.4 / STEPS as f32;
        for (name, figure) in figures() {
            let centre = |i: i32| (i as f32 + 0.5) * STEP - 1.2;
            let area: f64 = (0..STEPS * STEPS)
                .map(|i| figure.distance(centre(i % STEPS), centre(i / STEPS)))
                .map(|d| f64::from((0.5 - d / STEP).clamp(0.0, 1.0) * STEP * STEP))
                .sum();
            assert!((area - 1.0).abs() < 1e-3, "{name}: {area}");
        }
    }

    #[test]
    fn no_stretched_outline_passes_the_reach() {
        let reach = (REACH / MAX_STRETCH) as f32;
        for (name, figure) in figures() {
            for step in 0..720 {
                let (sin, cos) = (step as f32).to_radians().sin_cos();
                let distance = figure.distance(reach * cos, reach * sin);
                assert!(distance > 0.0, "{name} at {step}°: {distance}");
            }
        }
    }

    #[test]
    fn distances_change_no_faster_than_the_way_walked() {
        let mut stream = Stream::new(&[4]);
        for (name, figure) in figures() {
            for _ in 0..500 {
                let mut at = || stream.range(-1.3, 1.3) as f32;
                let (ax, ay, bx, by) = (at(), at(), at(), at());
                let change = (figure.distance(ax, ay) - figure.distance(bx, by)).abs();
                let way = super::length(ax - bx, ay - by);
                assert!(change <= way * 1.001 + 1e-5, "{name}: {change} over {way}");
            }
        }
    }
}
