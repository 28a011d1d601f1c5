//! Bytes to normalised numbers.

use super::Window;
use crate::Image;

/// Whether a picture is mirrored left to right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mirror {
    /// As it is.
    #[default]
    No,
    /// Left and right exchanged.
    Horizontal,
}

/// `(byte / 255 − mean) / std` for every channel, from a table of all 256 bytes.
#[derive(Clone, Debug)]
pub struct Normalise {
    tables: Vec<[f32; 256]>,
}

impl Normalise {
    /// One table per channel.
    ///
    /// # Panics
    /// When there are not as many means as deviations, or neither 1 nor 3.
    pub fn new(mean: &[f32], std: &[f32]) -> Self {
        assert!(
            mean.len() == std.len() && matches!(mean.len(), 1 | 3),
            "1 or 3 means and as many deviations, found {} and {}",
            mean.len(),
            std.len()
        );
        let table =
            |mean: f32, std: f32| std::array::from_fn(|byte| (byte as f32 / 255.0 - mean) / std);
        let tables = mean.iter().zip(std).map(|(&m, &s)| table(m, s)).collect();
        Self { tables }
    }

    /// How many channels it writes.
    pub fn channels(&self) -> usize {
        self.tables.len()
    }

    /// Writes `window` of `image`, mirrored or not, channels-last. Grey is repeated for
    /// three channels; RGB becomes grey by ITU-R 601 luma, `0.299 R + 0.587 G + 0.114 B`.
    /// Outside of the image pixels are black.
    ///
    /// # Panics
    /// When `out` has not `height·width·channels` numbers.
    pub fn write(&self, image: &Image, window: Window, mirror: Mirror, out: &mut [f32]) {
        let (n, channels) = (self.channels(), image.channels);
        assert_eq!(
            out.len(),
            window.width * window.height * n,
            "a window of {}×{} pixels of {n} channels",
            window.width,
            window.height
        );
        for (y, row) in out.chunks_exact_mut(window.width * n).enumerate() {
            let y = window.top + y as isize;
            let source = usize::try_from(y).ok().filter(|&y| y < image.height);
            let source = source.map(|y| &image.pixels[y * image.width * channels..]);
            for (x, target) in row.chunks_exact_mut(n).enumerate() {
                let x = match mirror {
                    Mirror::No => x,
                    Mirror::Horizontal => window.width - 1 - x,
                };
                let x = usize::try_from(window.left + x as isize);
                let pixel = match (source, x) {
                    (Some(row), Ok(x)) if x < image.width => &row[x * channels..][..channels],
                    _ => &[0; 3][..channels],
                };
                self.write_pixel(pixel, target);
            }
        }
    }

    fn write_pixel(&self, pixel: &[u8], target: &mut [f32]) {
        match (pixel, target) {
            (&[r, g, b], [x, y, z]) => {
                *x = self.tables[0][usize::from(r)];
                *y = self.tables[1][usize::from(g)];
                *z = self.tables[2][usize::from(b)];
            }
            (&[grey], target) => {
                for (table, t) in self.tables.iter().zip(target) {
                    *t = table[usize::from(grey)];
                }
            }
            (&[r, g, b], [grey]) => *grey = self.tables[0][usize::from(luma([r, g, b]))],
            (pixel, _) => panic!("an image has 1 or 3 channels, found {}", pixel.len()),
        }
    }
}

/// `window` of `image`, mirrored or not, as a picture of its own; black outside of the image.
pub(super) fn cut_out(image: &Image, window: Window, mirror: Mirror) -> Image {
    let c = image.channels;
    let mut pixels = vec![0; window.width * window.height * c];
    for (y, row) in pixels
        .chunks_exact_mut((window.width * c).max(1))
        .enumerate()
    {
        let y = usize::try_from(window.top + y as isize).ok();
        let Some(y) = y.filter(|&y| y < image.height) else {
            continue;
        };
        for (x, pixel) in row.chunks_exact_mut(c).enumerate() {
            let x = match mirror {
                Mirror::No => x,
                Mirror::Horizontal => window.width - 1 - x,
            };
            let x = usize::try_from(window.left + x as isize).ok();
            if let Some(x) = x.filter(|&x| x < image.width) {
                pixel.copy_from_slice(&image.pixels[(y * image.width + x) * c..][..c]);
            }
        }
    }
    Image {
        width: window.width,
        height: window.height,
        channels: c,
        pixels,
    }
}

/// ITU-R 601 luma in 16-bit fixed point, as Pillow computes it.
pub(super) fn luma([r, g, b]: [u8; 3]) -> u8 {
    let sum = u32::from(r) * 19_595 + u32::from(g) * 38_470 + u32::from(b) * 7_471;
    ((sum + 0x8000) >> 16) as u8
}
