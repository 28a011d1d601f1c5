//! Transforms by the book, slow, for comparison.

use super::{Interpolation, Size, Window};
use crate::Image;

/// A filter's weight at distance `x`, by its textbook formula.
fn kernel(interpolation: Interpolation, x: f64) -> f64 {
    let x = x.abs();
    let sinc = |x: f64| {
        let x = x * std::f64::consts::PI;
        if x == 0.0 { 1.0 } else { x.sin() / x }
    };
    match interpolation {
        Interpolation::Bilinear => (1.0 - x).max(0.0),
        Interpolation::Bicubic if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
        Interpolation::Bicubic if x < 2.0 => ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0,
        Interpolation::Lanczos if x < 3.0 => sinc(x) * sinc(x / 3.0),
        Interpolation::Area if x < 0.5 => 1.0,
        _ => 0.0,
    }
}

/// Resamples one row of numbers in double precision, then rounds to bytes.
fn resample(row: &[f64], to: usize, interpolation: Interpolation) -> Vec<f64> {
    let scale = row.len() as f64 / to as f64;
    let widen = scale.max(1.0);
    (0..to)
        .map(|i| {
            let centre = (i as f64 + 0.5) * scale;
            if interpolation == Interpolation::Nearest {
                return row[centre as usize];
            }
            let weight = |j: usize| kernel(interpolation, (j as f64 + 0.5 - centre) / widen);
            let total: f64 = (0..row.len()).map(weight).sum();
            let sum: f64 = row.iter().enumerate().map(|(j, v)| v * weight(j)).sum();
            (sum / total).round().clamp(0.0, 255.0)
        })
        .collect()
}

pub(super) fn naive_resize(image: &Image, size: Size, interpolation: Interpolation) -> Image {
    let c = image.channels;
    let mut out = vec![0; size.width * size.height * c];
    for channel in 0..c {
        let at = |x: usize, y: usize| f64::from(image.pixels[(y * image.width + x) * c + channel]);
        // Columns first, and bytes in between, as the library does.
        let columns: Vec<Vec<f64>> = (0..image.width)
            .map(|x| (0..image.height).map(|y| at(x, y)).collect())
            .map(|column: Vec<f64>| resample(&column, size.height, interpolation))
            .collect();
        for y in 0..size.height {
            let row: Vec<f64> = columns.iter().map(|column| column[y]).collect();
            for (x, v) in resample(&row, size.width, interpolation).iter().enumerate() {
                out[(y * size.width + x) * c + channel] = *v as u8;
            }
        }
    }
    Image {
        width: size.width,
        height: size.height,
        channels: c,
        pixels: out,
    }
}

/// The pixels of `window`, black outside, one by one.
pub(super) fn naive_crop(image: &Image, window: Window) -> Image {
    let mut pixels = Vec::new();
    for y in 0..window.height as isize {
        for x in 0..window.width as isize {
            for channel in 0..image.channels as isize {
                let (x, y) = (x + window.left, y + window.top);
                let (w, h) = (image.width as isize, image.height as isize);
                let inside = (0..w).contains(&x) && (0..h).contains(&y);
                let at = (y * w + x) * image.channels as isize + channel;
                pixels.push(if inside { image.pixels[at as usize] } else { 0 });
            }
        }
    }
    Image {
        width: window.width,
        height: window.height,
        channels: image.channels,
        pixels,
    }
}

pub(super) fn naive_mirror(image: &Image) -> Image {
    let rows = image.pixels.chunks_exact(image.width * image.channels);
    let pixels = rows.flat_map(|row| row.chunks_exact(image.channels).rev().flatten().copied());
    Image {
        pixels: pixels.collect(),
        ..image.clone()
    }
}

pub(super) fn naive_normalise(image: &Image, mean: &[f32], std: &[f32]) -> Vec<f32> {
    let n = mean.len();
    let mut out = Vec::new();
    for pixel in image.pixels.chunks_exact(image.channels) {
        for channel in 0..n {
            let byte = match (image.channels, n) {
                (3, 1) => {
                    let weights = [0.299, 0.587, 0.114];
                    let sum: f64 = pixel
                        .iter()
                        .zip(weights)
                        .map(|(&p, w)| f64::from(p) * w)
                        .sum();
                    sum.round() as f32
                }
                (1, _) => f32::from(pixel[0]),
                _ => f32::from(pixel[channel]),
            };
            out.push((byte / 255.0 - mean[channel]) / std[channel]);
        }
    }
    out
}
