//! Pictures as vectors.

use super::{BaselineOptions, key};
use crate::{DataError, Dataset, Image};
use inception_tensor::{Pool, Shape, Stream, View};

/// Items that a thread reads at once.
const CHUNK: usize = 16;

/// Items as rows of a matrix.
pub(super) struct Features {
    pub(super) width: usize,
    pub(super) values: Vec<f32>,
}

impl Features {
    pub(super) fn count(&self) -> usize {
        self.values.len() / self.width
    }

    pub(super) fn rows(&self) -> std::slice::Chunks<'_, f32> {
        self.values.chunks(self.width)
    }

    pub(super) fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.width..(i + 1) * self.width]
    }

    pub(super) fn view(&self) -> View<'_, f32> {
        View::new(&self.values, Shape::matrix(self.count(), self.width))
    }
}

/// What the models see of a part of a dataset.
pub(super) struct Items {
    pub(super) labels: Vec<u32>,
    pub(super) pixels: Features,
    pub(super) histogram: Features,
}

/// Reads at most `count` items of `dataset`, drawn by the seed: the first ones of a folder
/// would all be of its first class.
pub(super) fn read(
    dataset: &dyn Dataset,
    count: usize,
    purpose: &str,
    options: &BaselineOptions,
    pool: &Pool,
) -> Result<Items, DataError> {
    let mut chosen: Vec<usize> = (0..dataset.len()).collect();
    Stream::new(&key(options, purpose)).shuffle(&mut chosen);
    chosen.truncate(count);
    let read = |&i: &usize| {
        let sample = dataset.get(i)?;
        let pixels = pixels(&sample.image, options.side);
        Ok((sample.label, pixels, histogram(&sample.image, options.bins)))
    };
    let mut results: Vec<Option<Result<_, DataError>>> = Vec::new();
    results.resize_with(chosen.len(), || None);
    pool.for_each_chunk(&mut results, CHUNK, |chunk, results| {
        for (result, i) in results.iter_mut().zip(&chosen[chunk * CHUNK..]) {
            *result = Some(read(i));
        }
    });
    let mut items = Items {
        labels: Vec::with_capacity(chosen.len()),
        pixels: Features {
            width: 3 * options.side * options.side,
            values: Vec::new(),
        },
        histogram: Features {
            width: options.bins.pow(3),
            values: Vec::new(),
        },
    };
    // In order, so that of several errors it is always the first.
    for (label, pixels, histogram) in results
        .into_iter()
        .flatten()
        .collect::<Result<Vec<_>, _>>()?
    {
        items.labels.push(label);
        items.pixels.values.extend(pixels);
        items.histogram.values.extend(histogram);
    }
    Ok(items)
}

/// The bytes of a pixel as red, green, blue.
fn rgb(image: &Image, x: usize, y: usize) -> [u8; 3] {
    let at = (y * image.width + x) * image.channels;
    match image.channels {
        3 => [image.pixels[at], image.pixels[at + 1], image.pixels[at + 2]],
        _ => [image.pixels[at]; 3],
    }
}

/// Mean colours, -½ to ½, of the cells of a grid of `side × side` over the picture.
pub(super) fn pixels(image: &Image, side: usize) -> Vec<f32> {
    let span = |i: usize, size: usize| {
        let from = i * size / side;
        from..((i + 1) * size / side).max(from + 1)
    };
    let mut values = Vec::with_capacity(side * side * 3);
    for row in 0..side {
        for column in 0..side {
            let mut sum = [0u64; 3];
            let (ys, xs) = (span(row, image.height), span(column, image.width));
            let count = (ys.len() * xs.len()) as f32;
            for y in ys {
                for x in xs.clone() {
                    for (sum, value) in sum.iter_mut().zip(rgb(image, x, y)) {
                        *sum += u64::from(value);
                    }
                }
            }
            values.extend(sum.map(|s| s as f32 / count / 255.0 - 0.5));
        }
    }
    values
}

/// Shares of the pixels by colour, with `bins` bins a channel.
pub(super) fn histogram(image: &Image, bins: usize) -> Vec<f32> {
    let mut counts = vec![0u32; bins.pow(3)];
    for y in 0..image.height {
        for x in 0..image.width {
            let bin = rgb(image, x, y)
                .iter()
                .fold(0, |bin, &v| bin * bins + usize::from(v) * bins / 256);
            counts[bin] += 1;
        }
    }
    let total = (image.height * image.width) as f32;
    counts.iter().map(|&n| n as f32 / total).collect()
}

/// Both with every column shifted and scaled to mean 0 and variance `1/width` over `fit`;
/// a column that is constant there becomes 0. Rows then have length 1 on average, and one
/// learning rate suits any width.
pub(super) fn standardised(fit: &Features, score: &Features) -> (Features, Features) {
    let mut mean = vec![0.0f64; fit.width];
    let mut square = vec![0.0f64; fit.width];
    for row in fit.rows() {
        for ((m, s), &v) in mean.iter_mut().zip(&mut square).zip(row) {
            *m += f64::from(v);
            *s += f64::from(v) * f64::from(v);
        }
    }
    let n = fit.count() as f64;
    mean.iter_mut().for_each(|m| *m /= n);
    let scale: Vec<f64> = square
        .iter()
        .zip(&mean)
        .map(|(s, m)| {
            let variance = s / n - m * m;
            if variance > 1e-10 {
                1.0 / (variance * fit.width as f64).sqrt()
            } else {
                0.0
            }
        })
        .collect();
    let apply = |features: &Features| Features {
        width: features.width,
        values: features
            .rows()
            .flat_map(|row| {
                row.iter()
                    .zip(mean.iter().zip(&scale))
                    .map(|(&v, (m, s))| ((f64::from(v) - m) * s) as f32)
            })
            .collect(),
    };
    (apply(fit), apply(score))
}
