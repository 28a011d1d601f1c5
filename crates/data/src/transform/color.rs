//! Photometric distortion.

use super::normalise::luma;
use crate::Image;
use inception_tensor::Stream;

/// Random brightness, contrast and saturation, in random order (Howard 2013).
///
/// Each factor is drawn evenly from `1 ± strength`; 0 leaves that property as it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ColorJitter {
    /// How far brightness varies.
    pub brightness: f64,
    /// How far contrast varies.
    pub contrast: f64,
    /// How far saturation varies.
    pub saturation: f64,
}

impl Default for ColorJitter {
    fn default() -> Self {
        Self {
            brightness: 0.4,
            contrast: 0.4,
            saturation: 0.4,
        }
    }
}

/// One change of colours: every byte moves away from or towards a base,
/// `base + factor·(byte − base)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ColorStep {
    /// The base is black.
    Brightness(f32),
    /// The base is the picture's mean luma.
    Contrast(f32),
    /// The base is the pixel's luma; grey pictures stay.
    Saturation(f32),
}

impl ColorJitter {
    /// Draws three steps in random order.
    pub fn draw(&self, stream: &mut Stream) -> [ColorStep; 3] {
        let mut factor = |strength: f64| stream.range(1.0 - strength, 1.0 + strength) as f32;
        let mut steps = [
            ColorStep::Brightness(factor(self.brightness)),
            ColorStep::Contrast(factor(self.contrast)),
            ColorStep::Saturation(factor(self.saturation)),
        ];
        stream.shuffle(&mut steps);
        steps
    }
}

impl ColorStep {
    /// Changes the colours of `image`.
    pub fn apply(self, image: &mut Image) {
        match self {
            Self::Brightness(factor) => blend_all(&mut image.pixels, 0.0, factor),
            Self::Contrast(factor) => {
                let base = mean_luma(image);
                blend_all(&mut image.pixels, base, factor);
            }
            Self::Saturation(factor) => {
                if image.channels == 3 {
                    for pixel in image.pixels.as_chunks_mut::<3>().0 {
                        let base = f32::from(luma(*pixel));
                        *pixel = pixel.map(|byte| blend(byte, base, factor));
                    }
                }
            }
        }
    }
}

/// Blends every byte with one base, by a table of all 256 bytes.
fn blend_all(bytes: &mut [u8], base: f32, factor: f32) {
    let table: [u8; 256] = std::array::from_fn(|byte| blend(byte as u8, base, factor));
    for byte in bytes {
        *byte = table[usize::from(*byte)];
    }
}

/// `base + factor·(byte − base)`, its fraction cut off as Pillow and torchvision do.
pub(super) fn blend(byte: u8, base: f32, factor: f32) -> u8 {
    (base + factor * (f32::from(byte) - base)) as u8
}

fn mean_luma(image: &Image) -> f32 {
    let total: u64 = if image.channels == 3 {
        let (pixels, _) = image.pixels.as_chunks::<3>();
        pixels.iter().map(|&p| u64::from(luma(p))).sum()
    } else {
        image.pixels.iter().map(|&p| u64::from(p)).sum()
    };
    let pixels = (image.width * image.height).max(1);
    (total as f64 / pixels as f64).round() as f32
}
