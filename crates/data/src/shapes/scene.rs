//! One picture: what is in it, and how it is drawn.

use super::clutter::{Bounds, Piece};
use super::figure::{Figure, MAX_STRETCH, REACH};
use super::texture::{Palette, Texture};
use super::turn::Turn;
use super::{Shapes, ShapesConfig};
use crate::Image;
use inception_tensor::Stream;

/// Pairs of palettes drawn before the one with the most contrast is taken.
const PALETTE_TRIES: usize = 24;

/// Everything that a picture shows, in coordinates of the unit square; `y` points down.
pub(super) struct Scene {
    ground: Texture,
    under: Vec<Piece>,
    figure: Placed,
    over: Vec<Piece>,
    grain: f32,
    grains: Stream,
}

/// A figure in its place.
struct Placed {
    figure: Figure,
    texture: Texture,
    centre: [f32; 2],
    /// Side of the square of the same area.
    size: f32,
    /// From the picture's coordinates to the figure's.
    inverse: [[f32; 2]; 2],
}

impl Placed {
    fn draw(label: u32, texture: Texture, config: &ShapesConfig, stream: &mut Stream) -> Self {
        // Uniform in the square root: between uniform lengths, where most figures are
        // large, and uniform octaves, where most are small.
        let root = stream.range(config.size_min.sqrt(), config.size_max.sqrt());
        let size = root * root;
        let margin = size * REACH;
        let centre = [(); 2].map(|()| stream.range(margin, 1.0 - margin) as f32);
        let turn = Turn::radians(stream.range(-1.0, 1.0) * config.rotation_degrees.to_radians());
        let axis = Turn::of_circle(stream.uniform());
        let stretch = stream.range(1.0, MAX_STRETCH);
        let mirror = if stream.below(2) == 0 { 1.0 } else { -1.0 };
        Self {
            // A stream of its own: whatever the class draws, the rest stays as it is.
            figure: Figure::draw(label, &mut Stream::new(&[stream.next_u64()])),
            texture,
            centre,
            size: size as f32,
            inverse: inverse(turn, axis, stretch, mirror).map(|row| row.map(|v| (v / size) as f32)),
        }
    }

    /// Signed distance from the outline, negative inside; exact up to the stretch.
    #[inline]
    fn distance(&self, x: f32, y: f32) -> f32 {
        let (dx, dy) = (x - self.centre[0], y - self.centre[1]);
        let [a, b] = self.inverse;
        let (u, v) = (a[0] * dx + a[1] * dy, b[0] * dx + b[1] * dy);
        self.figure.distance(u, v) * self.size
    }

    fn bounds(&self) -> Bounds {
        let reach = self.size * REACH as f32;
        Bounds {
            low: self.centre.map(|c| c - reach),
            high: self.centre.map(|c| c + reach),
        }
    }
}

/// `mirror · turn · stretch along axis`, of determinant ±1, with `y` turned upwards: takes
/// a picture's offsets to those of a figure of area 1.
fn inverse(turn: Turn, axis: Turn, stretch: f64, mirror: f64) -> [[f64; 2]; 2] {
    let (c, s) = (axis.cos, axis.sin);
    let (long, short) = (1.0 / stretch, stretch);
    let cross = (long - short) * c * s;
    let stretched = [
        [long * c * c + short * s * s, cross],
        [cross, long * s * s + short * c * c],
    ];
    let row = |x: f64, y: f64| {
        [
            x * stretched[0][0] + y * stretched[1][0],
            x * stretched[0][1] + y * stretched[1][1],
        ]
    };
    let upright = [row(turn.cos, turn.sin), row(turn.sin, -turn.cos)];
    [upright[0].map(|v| mirror * v), upright[1]]
}

impl Scene {
    /// Item `i` of `shapes`.
    pub(super) fn draw(shapes: &Shapes, i: usize, label: u32) -> Self {
        let config = &shapes.config;
        let mut stream = shapes.stream(i);
        let (ground, fill) = palettes(config.contrast, &mut stream);
        let figure = Placed::draw(label, Texture::draw(fill, &mut stream), config, &mut stream);
        let ground = Texture::draw(ground, &mut stream);
        let pieces = stream.below(config.clutter as u64 + 1);
        let (mut under, mut over) = (Vec::new(), Vec::new());
        for _ in 0..pieces {
            // One in four may hide a part of the figure.
            let layer = if stream.below(4) == 0 {
                &mut over
            } else {
                &mut under
            };
            layer.push(Piece::draw(&mut stream));
        }
        let grain = stream.range(0.0, config.grain) as f32;
        Self {
            ground,
            under,
            figure,
            over,
            grain,
            grains: Stream::new(&[stream.next_u64()]),
        }
    }

    /// The picture, `side` pixels square.
    pub(super) fn render(&self, side: usize) -> Image {
        let mut canvas = Canvas::new(side, &self.ground);
        for piece in &self.under {
            canvas.add(piece);
        }
        let figure = &self.figure;
        canvas.paint(
            figure.bounds(),
            |x, y| figure.distance(x, y),
            |x, y| figure.texture.at(x, y),
        );
        for piece in &self.over {
            canvas.add(piece);
        }
        canvas.develop(self.grain, &self.grains)
    }

    /// How much of each pixel the figure covers, 0 to 255, whether or not a piece lies
    /// over it.
    pub(super) fn mask(&self, side: usize) -> Image {
        let coverage = |p: usize| {
            let centre = |i: usize| (i as f32 + 0.5) / side as f32;
            let distance = self.figure.distance(centre(p % side), centre(p / side));
            (0.5 - distance * side as f32).clamp(0.0, 1.0)
        };
        Image {
            width: side,
            height: side,
            channels: 1,
            pixels: (0..side * side)
                .map(|p| (coverage(p) * 255.0 + 0.5) as u8)
                .collect(),
        }
    }
}

/// Colours of the ground and of the figure, from one symmetric distribution: the first
/// pair with at least `contrast`, or the best of [`PALETTE_TRIES`].
fn palettes(contrast: f64, stream: &mut Stream) -> (Palette, Palette) {
    let mut best = None;
    let mut most = f32::NEG_INFINITY;
    for _ in 0..PALETTE_TRIES {
        let pair = (Palette::draw(stream), Palette::draw(stream));
        let found = pair.0.contrast(&pair.1);
        if found > most {
            (best, most) = (Some(pair), found);
        }
        if f64::from(found) >= contrast {
            break;
        }
    }
    best.expect("a contrast is a number")
}

/// A picture in the making.
struct Canvas {
    side: usize,
    pixels: Vec<[f32; 3]>,
}

impl Canvas {
    fn new(side: usize, ground: &Texture) -> Self {
        let step = 1.0 / side as f32;
        let centre = |i: usize| (i as f32 + 0.5) * step;
        let mut pixels = Vec::with_capacity(side * side);
        for row in 0..side {
            pixels.extend((0..side).map(|column| ground.at(centre(column), centre(row))));
        }
        Self { side, pixels }
    }

    fn add(&mut self, piece: &Piece) {
        self.paint(
            piece.bounds(),
            |x, y| piece.distance(x, y),
            |_, _| piece.colour,
        );
    }

    /// Lays `colour` over the pixels by how much of them lies inside.
    #[inline]
    fn paint(
        &mut self,
        bounds: Bounds,
        distance: impl Fn(f32, f32) -> f32,
        colour: impl Fn(f32, f32) -> [f32; 3],
    ) {
        let side = self.side as f32;
        let step = 1.0 / side;
        // A cast to an unsigned number takes what is below 0 to 0.
        let first = |low: f32| (low * side - 1.0) as usize;
        let end = |high: f32| ((high * side + 2.0) as usize).min(self.side);
        let columns = first(bounds.low[0])..end(bounds.high[0]);
        for row in first(bounds.low[1])..end(bounds.high[1]) {
            let y = (row as f32 + 0.5) * step;
            for column in columns.clone() {
                let x = (column as f32 + 0.5) * step;
                let coverage = (0.5 - distance(x, y) * side).min(1.0);
                if coverage > 0.0 {
                    let new = colour(x, y);
                    let old = &mut self.pixels[row * self.side + column];
                    for (old, new) in old.iter_mut().zip(new) {
                        *old += coverage * (new - *old);
                    }
                }
            }
        }
    }

    /// Adds grain of triangular distribution, up to `grain` either way, and rounds.
    fn develop(self, grain: f32, grains: &Stream) -> Image {
        let mut pixels = Vec::with_capacity(self.pixels.len() * 3);
        let scale = 255.0 * grain / 1023.0;
        for (i, colour) in self.pixels.iter().enumerate() {
            let bits = grains.at(i as u64);
            for (c, value) in colour.iter().enumerate() {
                let part = |shift: usize| (bits >> shift & 1023) as i32;
                let noise = part(20 * c) - part(20 * c + 10);
                pixels.push((value * 255.0 + noise as f32 * scale + 0.5) as u8);
            }
        }
        Image {
            width: self.side,
            height: self.side,
            channels: 3,
            pixels,
        }
    }
}
