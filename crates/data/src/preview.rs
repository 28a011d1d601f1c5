//! What a network sees, as pictures for people.

use crate::{DataError, Image, Preprocess};
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};

/// Pixels between pictures.
const GAP: usize = 4;
/// The paper behind pictures.
const PAPER: u8 = 255;

/// A picture of normalised numbers, channels-last, as [`Preprocess`] made them: what was
/// beyond black and white is black and white.
///
/// # Panics
/// When `numbers` are not as many as the input has.
pub fn restore(preprocess: &Preprocess, numbers: &[f32]) -> Image {
    let [channels, height, width] = preprocess.input;
    assert_eq!(
        numbers.len(),
        channels * height * width,
        "an image of {height}×{width} pixels of {channels} channels"
    );
    let bytes = numbers.iter().enumerate().map(|(i, x)| {
        let channel = i % channels;
        let value = x * preprocess.std[channel] + preprocess.mean[channel];
        (255.0 * value).round() as u8
    });
    Image {
        width,
        height,
        channels,
        pixels: bytes.collect(),
    }
}

/// Pictures of one size side by side, so many in a row; grey becomes colour.
///
/// # Panics
/// When there is no picture or no column, or sizes differ.
pub fn sheet(pictures: &[Image], columns: usize) -> Image {
    let first = pictures.first().expect("a sheet has a picture");
    let columns = columns.min(pictures.len());
    assert!(columns > 0, "a sheet has a column");
    let (cell_w, cell_h) = (first.width + GAP, first.height + GAP);
    let (width, height) = (
        columns * cell_w + GAP,
        pictures.len().div_ceil(columns) * cell_h + GAP,
    );
    let mut pixels = vec![PAPER; width * height * 3];
    for (i, picture) in pictures.iter().enumerate() {
        assert_eq!(
            (picture.width, picture.height),
            (first.width, first.height),
            "pictures of one size"
        );
        let (left, top) = (i % columns * cell_w + GAP, i / columns * cell_h + GAP);
        let row = picture.width * picture.channels;
        for (y, line) in picture.pixels.chunks_exact(row).enumerate() {
            let at = ((top + y) * width + left) * 3;
            let targets = pixels[at..][..picture.width * 3].chunks_exact_mut(3);
            for (to, from) in targets.zip(line.chunks_exact(picture.channels)) {
                match from {
                    &[grey] => to.fill(grey),
                    rgb => to.copy_from_slice(rgb),
                }
            }
        }
    }
    Image {
        width,
        height,
        channels: 3,
        pixels,
    }
}

/// `image` as a PNG file.
///
/// # Errors
/// When it has no pixels or more than the format allows.
pub fn encode_png(image: &Image) -> Result<Vec<u8>, DataError> {
    let color = match image.channels {
        1 => ExtendedColorType::L8,
        _ => ExtendedColorType::Rgb8,
    };
    let mut bytes = Vec::new();
    let side = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    PngEncoder::new(&mut bytes)
        .write_image(&image.pixels, side(image.width), side(image.height), color)
        .map_err(|error| DataError::Usage(format!("cannot write a picture: {error}")))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Pipeline;

    fn picture(seed: u8, channels: usize) -> Image {
        Image {
            width: 5,
            height: 3,
            channels,
            pixels: (0..15 * channels)
                .map(|i| (i as u8).wrapping_mul(11) ^ seed)
                .collect(),
        }
    }

    #[test]
    fn what_was_normalised_is_restored() {
        let image = picture(3, 3);
        let preprocess = Preprocess::exact([3, 3, 5], &[0.4, 0.5, 0.6], &[0.2, 0.3, 0.25]);
        let pipeline = Pipeline::evaluation(preprocess.clone()).unwrap();
        let mut numbers = vec![0.0; 45];
        pipeline.evaluate(&image, &mut numbers).unwrap();
        assert_eq!(restore(&preprocess, &numbers), image);
    }

    #[test]
    fn a_sheet_shows_every_picture_in_its_place() {
        let pictures = [picture(0, 3), picture(9, 1), picture(7, 3)];
        let sheet = sheet(&pictures, 2);
        assert_eq!((sheet.width, sheet.height), (2 * 9 + 4, 2 * 7 + 4));
        let at = |x: usize, y: usize| &sheet.pixels[(y * sheet.width + x) * 3..][..3];
        assert_eq!(at(4, 4), &pictures[0].pixels[..3]);
        assert_eq!(at(13, 4), [pictures[1].pixels[0]; 3]);
        assert_eq!(at(4, 11), &pictures[2].pixels[..3]);
        assert_eq!([at(0, 0), at(13, 11)], [[PAPER; 3]; 2]);
        let png = encode_png(&sheet).unwrap();
        assert!(png.starts_with(b"\x89PNG"));
    }
}
