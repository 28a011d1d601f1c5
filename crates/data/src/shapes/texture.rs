//! What surfaces are covered with: two colours, mixed by a pattern over smooth noise.

use super::turn::Turn;
use inception_tensor::Stream;

/// Red, green and blue, from 0 to 1.
pub(super) type Rgb = [f32; 3];

/// Lattice points a side of the noise.
const LATTICE: usize = 8;

/// The two ends of a surface's colours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Palette {
    pub(super) low: Rgb,
    pub(super) high: Rgb,
}

impl Palette {
    /// A colour of the whole cube, and another near it.
    pub(super) fn draw(stream: &mut Stream) -> Self {
        let spread = stream.range(0.03, 0.25);
        let mut low = [0.0; 3];
        let mut high = [0.0; 3];
        for (l, h) in low.iter_mut().zip(&mut high) {
            let base = stream.range(0.05, 0.95);
            let change = stream.range(-spread, spread);
            *l = (base - change).clamp(0.0, 1.0) as f32;
            *h = (base + change).clamp(0.0, 1.0) as f32;
        }
        Self { low, high }
    }

    /// The colour at `level` of the way from low to high.
    #[inline]
    pub(super) fn colour(&self, level: f32) -> Rgb {
        std::array::from_fn(|c| self.low[c] + level * (self.high[c] - self.low[c]))
    }

    /// The smallest difference between a colour of one palette and one of the other: the
    /// root of the mean square over the channels, at three levels of each.
    pub(super) fn contrast(&self, other: &Self) -> f32 {
        const LEVELS: [f32; 3] = [0.0, 0.5, 1.0];
        let mut least = f32::INFINITY;
        for a in LEVELS.map(|l| self.colour(l)) {
            for b in LEVELS.map(|l| other.colour(l)) {
                let square: f32 = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum();
                least = least.min(square);
            }
        }
        (least / 3.0).sqrt()
    }
}

/// A function of the plane with values from 0 to 1.
#[derive(Clone, Debug)]
enum Pattern {
    Flat,
    Gradient { x: f32, y: f32 },
    Stripes(Wave),
    Checks(Wave, Wave),
}

/// A periodic function of one direction, from a triangle wave to nearly a square one.
#[derive(Clone, Copy, Debug)]
struct Wave {
    x: f32,
    y: f32,
    phase: f32,
    /// How much steeper than the triangle wave.
    steepness: f32,
}

impl Wave {
    /// `frequency` periods per image side along `turn`.
    ///
    /// `phase` keeps the argument positive over the unit square.
    fn new(frequency: f64, turn: Turn, phase: f64, steepness: f64) -> Self {
        Self {
            x: (frequency * turn.cos) as f32,
            y: (frequency * turn.sin) as f32,
            phase: (phase + 32.0) as f32,
            steepness: steepness as f32,
        }
    }

    /// From -1 to 1.
    #[inline]
    fn at(&self, x: f32, y: f32) -> f32 {
        let u = self.x * x + self.y * y + self.phase;
        let fraction = u - (u as i32) as f32;
        let triangle = (4.0 * fraction - 2.0).abs() - 1.0;
        (triangle * self.steepness).clamp(-1.0, 1.0)
    }
}

impl Pattern {
    fn draw(stream: &mut Stream) -> Self {
        let kind = stream.below(4);
        let frequency = stream.range(1.5, 7.0);
        let turn = Turn::of_circle(stream.uniform());
        let steepness = stream.range(1.0, 4.0);
        let mut wave = |turn| Wave::new(frequency, turn, stream.uniform(), steepness);
        match kind {
            0 => Self::Flat,
            1 => Self::Gradient {
                x: turn.cos as f32,
                y: turn.sin as f32,
            },
            2 => Self::Stripes(wave(turn)),
            _ => Self::Checks(
                wave(turn),
                wave(Turn {
                    cos: -turn.sin,
                    sin: turn.cos,
                }),
            ),
        }
    }

    #[inline]
    fn at(&self, x: f32, y: f32) -> f32 {
        match self {
            Self::Flat => 0.5,
            Self::Gradient { x: gx, y: gy } => 0.5 + 0.7 * (gx * (x - 0.5) + gy * (y - 0.5)),
            Self::Stripes(wave) => 0.5 + 0.5 * wave.at(x, y),
            Self::Checks(a, b) => 0.5 + 0.5 * a.at(x, y) * b.at(x, y),
        }
    }
}

/// Smooth noise: random numbers on a lattice, joined by smoothstep.
#[derive(Clone, Debug)]
struct Noise {
    /// Cells per image side.
    cells: f32,
    values: [[f32; LATTICE]; LATTICE],
}

impl Noise {
    fn draw(stream: &mut Stream) -> Self {
        let cells = stream.range(1.5, (LATTICE - 1) as f64) as f32;
        let base = stream.next_u64();
        let lattice = Stream::new(&[base]);
        let value = |i: usize| lattice.uniform_at(i as u64);
        Self {
            cells,
            values: std::array::from_fn(|y| std::array::from_fn(|x| value(y * LATTICE + x))),
        }
    }

    #[inline]
    fn at(&self, x: f32, y: f32) -> f32 {
        let (u, v) = (x * self.cells, y * self.cells);
        let (i, j) = ((u as usize).min(LATTICE - 2), (v as usize).min(LATTICE - 2));
        let smooth = |t: f32| t * t * (3.0 - 2.0 * t);
        let (s, t) = (smooth(u - i as f32), smooth(v - j as f32));
        let row = |r: &[f32; LATTICE]| r[i] + s * (r[i + 1] - r[i]);
        let (top, bottom) = (row(&self.values[j]), row(&self.values[j + 1]));
        top + t * (bottom - top)
    }
}

/// A coloured surface over the unit square.
#[derive(Clone, Debug)]
pub(super) struct Texture {
    palette: Palette,
    pattern: Pattern,
    noise: Noise,
    /// Share of the pattern; the rest is noise.
    weight: f32,
}

impl Texture {
    /// A surface in the colours of `palette`.
    pub(super) fn draw(palette: Palette, stream: &mut Stream) -> Self {
        Self {
            palette,
            weight: stream.range(0.2, 0.9) as f32,
            pattern: Pattern::draw(stream),
            noise: Noise::draw(stream),
        }
    }

    /// The colour at `(x, y)` of the unit square.
    #[inline]
    pub(super) fn at(&self, x: f32, y: f32) -> Rgb {
        let noise = self.noise.at(x, y);
        let level = noise + self.weight * (self.pattern.at(x, y) - noise);
        self.palette.colour(level)
    }
}
