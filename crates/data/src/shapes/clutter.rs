//! Pieces that belong to no class: strokes, corners, bent fragments and specks.

use super::texture::Rgb;
use super::turn::Turn;
use inception_tensor::Stream;

/// The most points of a piece.
const MAX_POINTS: usize = 4;

/// A chain of strokes with round ends, in coordinates of the unit square.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    points: [[f32; 2]; MAX_POINTS],
    count: usize,
    /// Half the width of the strokes.
    radius: f32,
    pub(super) colour: Rgb,
}

/// A rectangle of the plane.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) low: [f32; 2],
    pub(super) high: [f32; 2],
}

impl Piece {
    pub(super) fn draw(stream: &mut Stream) -> Self {
        let kind = stream.below(4);
        let mut at = [stream.uniform(), stream.uniform()];
        let mut heading = Turn::of_circle(stream.uniform());
        // How many strokes, their length together, half their width, the bend after each.
        let (strokes, length, radius, bend) = match kind {
            0 => (1, stream.range(0.1, 0.35), stream.range(0.008, 0.02), 0.0),
            1 => (2, stream.range(0.15, 0.3), stream.range(0.01, 0.02), 0.25),
            2 => (3, stream.range(0.15, 0.35), stream.range(0.01, 0.02), 0.12),
            _ => (1, stream.range(0.02, 0.07), stream.range(0.02, 0.04), 0.0),
        };
        let bend = Turn::of_circle(bend * stream.range(0.6, 1.0));
        let mut points = [[0.0; 2]; MAX_POINTS];
        points[0] = at.map(|v| v as f32);
        for point in &mut points[1..=strokes] {
            let step = length / strokes as f64;
            at = [at[0] + step * heading.cos, at[1] + step * heading.sin];
            *point = at.map(|v| v as f32);
            heading = Turn {
                cos: heading.cos * bend.cos - heading.sin * bend.sin,
                sin: heading.sin * bend.cos + heading.cos * bend.sin,
            };
        }
        Self {
            points,
            count: strokes + 1,
            radius: radius as f32,
            colour: std::array::from_fn(|_| stream.uniform() as f32),
        }
    }

    /// Signed distance from the outline, negative inside.
    #[inline]
    pub(super) fn distance(&self, x: f32, y: f32) -> f32 {
        let square = self.points[..self.count]
            .windows(2)
            .map(|ends| {
                let (ex, ey) = (ends[1][0] - ends[0][0], ends[1][1] - ends[0][1]);
                let (wx, wy) = (x - ends[0][0], y - ends[0][1]);
                let t = ((wx * ex + wy * ey) / (ex * ex + ey * ey)).clamp(0.0, 1.0);
                let (dx, dy) = (wx - t * ex, wy - t * ey);
                dx * dx + dy * dy
            })
            .fold(f32::INFINITY, f32::min);
        square.sqrt() - self.radius
    }

    /// What the piece does not leave.
    pub(super) fn bounds(&self) -> Bounds {
        let points = &self.points[..self.count];
        let extreme = |axis: usize, sign: f32| {
            let farthest = points
                .iter()
                .map(|p| sign * p[axis])
                .fold(f32::NEG_INFINITY, f32::max);
            sign * (farthest + self.radius)
        };
        Bounds {
            low: [extreme(0, -1.0), extreme(1, -1.0)],
            high: [extreme(0, 1.0), extreme(1, 1.0)],
        }
    }
}
