//! Tone curves and sharpening, as Pillow's `ImageOps` and `ImageEnhance` have them.

use super::color::blend;
use crate::Image;

/// Changes every byte alike.
pub(super) fn map(image: &mut Image, change: impl Fn(u8) -> u8) {
    let table: [u8; 256] = std::array::from_fn(|byte| change(byte as u8));
    for byte in &mut image.pixels {
        *byte = table[usize::from(*byte)];
    }
}

/// How often each byte occurs in channel `channel`.
fn histogram(image: &Image, channel: usize) -> [u64; 256] {
    let mut counts = [0; 256];
    for &byte in image.pixels.iter().skip(channel).step_by(image.channels) {
        counts[usize::from(byte)] += 1;
    }
    counts
}

fn map_channel(image: &mut Image, channel: usize, table: &[u8; 256]) {
    let step = image.channels;
    for byte in image.pixels.iter_mut().skip(channel).step_by(step) {
        *byte = table[usize::from(*byte)];
    }
}

/// Stretches each channel from its darkest and brightest byte to 0 and 255.
pub(super) fn auto_contrast(image: &mut Image) {
    for channel in 0..image.channels {
        let counts = histogram(image, channel);
        let low = counts.iter().position(|&n| n > 0);
        let high = counts.iter().rposition(|&n| n > 0);
        let (Some(low), Some(high)) = (low, high) else {
            return;
        };
        if high > low {
            let scale = 255.0 / (high - low) as f64;
            let offset = -(low as f64) * scale;
            let table = std::array::from_fn(|byte| {
                (byte as f64 * scale + offset).trunc().clamp(0.0, 255.0) as u8
            });
            map_channel(image, channel, &table);
        }
    }
}

/// Spreads each channel's bytes evenly from 0 to 255.
pub(super) fn equalize(image: &mut Image) {
    for channel in 0..image.channels {
        let counts = histogram(image, channel);
        let total: u64 = counts.iter().sum();
        let last = counts.iter().rev().find(|&&n| n > 0).copied();
        let step = (total - last.unwrap_or(0)) / 255;
        if step == 0 {
            continue;
        }
        let mut below = step / 2;
        let table = counts.map(|n| {
            let byte = (below / step).min(255) as u8;
            below += n;
            byte
        });
        map_channel(image, channel, &table);
    }
}

/// Blends with a smoothed copy; `factor` 0 gives that copy, 1 the picture, 2 a sharper one.
pub(super) fn sharpen(image: &mut Image, factor: f32) {
    let smooth = smooth(image);
    for (byte, &base) in image.pixels.iter_mut().zip(&smooth) {
        *byte = blend(*byte, f32::from(base), factor);
    }
}

/// The mean of a pixel and its neighbours, five parts to one; the border stays.
fn smooth(image: &Image) -> Vec<u8> {
    let (row, c) = (image.width * image.channels, image.channels);
    let mut out = image.pixels.clone();
    if image.width < 3 || image.height < 3 {
        return out;
    }
    for y in 1..image.height - 1 {
        for x in c..row - c {
            let at = y * row + x;
            let mut sum = 4 * u32::from(image.pixels[at]);
            for above in [at - row, at, at + row] {
                sum += [above - c, above, above + c]
                    .map(|i| u32::from(image.pixels[i]))
                    .iter()
                    .sum::<u32>();
            }
            out[at] = ((2 * sum + 13) / 26) as u8;
        }
    }
    out
}
