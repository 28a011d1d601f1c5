//! Shears, shifts and turns, each output pixel taken from the nearest input pixel.

use crate::Image;

/// Where an output pixel comes from, in coordinates of pixel corners:
/// `x' = a·x + b·y + c`, `y' = d·x + e·y + f`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Affine {
    pub(super) x: [f64; 3],
    pub(super) y: [f64; 3],
}

impl Affine {
    pub(super) fn shear_x(by: f64) -> Self {
        Self {
            x: [1.0, by, 0.0],
            y: [0.0, 1.0, 0.0],
        }
    }

    pub(super) fn shear_y(by: f64) -> Self {
        Self {
            x: [1.0, 0.0, 0.0],
            y: [by, 1.0, 0.0],
        }
    }

    /// To the right and down by whole pixels.
    pub(super) fn translate(right: f64, down: f64) -> Self {
        Self {
            x: [1.0, 0.0, -right],
            y: [0.0, 1.0, -down],
        }
    }

    /// Against the clock around the middle of a picture of `width`×`height`.
    pub(super) fn rotate(degrees: f64, width: usize, height: usize) -> Self {
        // Pillow rounds so that right angles are exact.
        let round = |x: f64| (x * 1e15).round() / 1e15;
        let (sin, cos) = (-degrees.to_radians()).sin_cos();
        let (sin, cos) = (round(sin), round(cos));
        let (cx, cy) = (width as f64 / 2.0, height as f64 / 2.0);
        Self {
            x: [cos, sin, cx - cos * cx - sin * cy],
            y: [-sin, cos, cy + sin * cx - cos * cy],
        }
    }

    /// The picture, moved; what comes from outside is black.
    ///
    /// # Sources
    /// Pillow's `Image.transform` with `NEAREST`, which steps in 1/65 536 of a pixel; this
    /// does the same, so results agree to the pixel.
    pub(super) fn apply(&self, image: &Image) -> Image {
        let fixed = |v: f64| (v * 65_536.0 + 0.5).floor() as i64;
        let [a, b, c] = self.x;
        let [d, e, f] = self.y;
        let start_x = fixed(c + a * 0.5 + b * 0.5);
        let start_y = fixed(f + d * 0.5 + e * 0.5);
        let channels = image.channels;
        let mut pixels = vec![0; image.pixels.len()];
        let rows = pixels.chunks_exact_mut((image.width * channels).max(1));
        for (row, y) in rows.zip(0i64..) {
            let (mut from_x, mut from_y) = (start_x + y * fixed(b), start_y + y * fixed(e));
            for pixel in row.chunks_exact_mut(channels) {
                let x = usize::try_from(from_x >> 16).ok();
                let y = usize::try_from(from_y >> 16).ok();
                if let (Some(x), Some(y)) = (x, y)
                    && x < image.width
                    && y < image.height
                {
                    let at = (y * image.width + x) * channels;
                    pixel.copy_from_slice(&image.pixels[at..][..channels]);
                }
                from_x += fixed(a);
                from_y += fixed(d);
            }
        }
        Image {
            width: image.width,
            height: image.height,
            channels,
            pixels,
        }
    }
}
