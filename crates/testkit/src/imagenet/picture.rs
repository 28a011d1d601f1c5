//! Pictures that tell their category, and the files that hold them.

use image::{ImageEncoder, RgbImage, codecs::png::PngEncoder};
use inception_tensor::Stream;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

/// What is peculiar about an image file that has the usual name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Oddity {
    /// A JPEG of four inks, inverted and marked by Adobe, as Photoshop writes it.
    Cmyk,
    /// The same with the inks as luma, chroma and black.
    Ycck,
    /// A JPEG of one channel.
    Grey,
    /// A JPEG that a camera held sideways took: EXIF orientation 6.
    Rotated,
    /// A PNG although its name ends in `.JPEG`.
    Png,
    /// A progressive JPEG.
    Progressive,
    /// A JPEG whose last third is missing: it cannot be used.
    Truncated,
    /// A web page: it cannot be used.
    Html,
}

impl Oddity {
    /// Those that the real set has and every program must read.
    pub const USABLE: [Self; 6] = [
        Self::Cmyk,
        Self::Ycck,
        Self::Grey,
        Self::Rotated,
        Self::Png,
        Self::Progressive,
    ];

    /// Whether such a file is a picture.
    pub fn is_usable(self) -> bool {
        !matches!(self, Self::Truncated | Self::Html)
    }
}

/// Stripes whose colour, direction and width tell the category `label`, in random
/// proportions, place and light.
pub fn draw(label: usize, side: usize, stream: &mut Stream) -> RgbImage {
    let longer = (side as f64 * stream.range(1.0, 1.6)).round() as u32;
    let side = side as u32;
    let (width, height) = match stream.below(3) {
        0 => (side, side),
        1 => (longer, side),
        _ => (side, longer),
    };
    let turn = (label % 4) as f64 * std::f64::consts::FRAC_PI_4;
    let frequency = [2.5, 5.0][label / 4 % 2] * std::f64::consts::TAU / f64::from(side);
    // Hues of the two kinds of stripes, a fifth of a turn apart for each next group of eight.
    let hue = label as f64 / 20.0;
    let (phase, light) = (stream.range(0.0, 6.0), stream.range(0.75, 1.0));
    let noise = Stream::new(&[stream.next_u64()]);
    RgbImage::from_fn(width, height, |x, y| {
        let along = f64::from(x) * turn.cos() + f64::from(y) * turn.sin();
        let stripe = 0.5 + 0.5 * (along * frequency + phase).sin();
        let grain = f64::from(noise.uniform_at(u64::from(y * width + x))) - 0.5;
        let colour = |shift: f64| {
            let tint = 0.5 + 0.5 * ((hue + shift) * std::f64::consts::TAU).cos();
            let value = light * (0.25 + 0.65 * tint * stripe + 0.1 * (1.0 - stripe)) + 0.08 * grain;
            (255.0 * value.clamp(0.0, 1.0)).round() as u8
        };
        image::Rgb([colour(0.0), colour(1.0 / 3.0), colour(2.0 / 3.0)])
    })
}

/// The file of `image`: a JPEG of quality 90 with half the colour resolution, or what
/// `oddity` says.
///
/// # Panics
/// When a side is above 65 535.
pub fn encode(image: &RgbImage, oddity: Option<Oddity>) -> Vec<u8> {
    let pixels = image.as_raw();
    match oddity {
        None => jpeg(image, ColorType::Rgb, pixels, |_| ()),
        Some(Oddity::Cmyk) => jpeg(image, ColorType::Cmyk, &inks(image), |_| ()),
        Some(Oddity::Ycck) => jpeg(image, ColorType::CmykAsYcck, &inks(image), |_| ()),
        Some(Oddity::Grey) => jpeg(image, ColorType::Luma, &grey(image), |_| ()),
        Some(Oddity::Progressive) => {
            jpeg(image, ColorType::Rgb, pixels, |e| e.set_progressive(true))
        }
        Some(Oddity::Rotated) => {
            // Stored turned to the left; turned to the right it is the picture again.
            let stored = image::imageops::rotate270(image);
            jpeg(&stored, ColorType::Rgb, stored.as_raw(), |encoder| {
                encoder
                    .add_app_segment(1, ROTATED.to_vec())
                    .expect("a short segment");
            })
        }
        Some(Oddity::Png) => png(image),
        Some(Oddity::Truncated) => {
            let mut bytes = encode(image, None);
            bytes.truncate(bytes.len() * 2 / 3);
            bytes
        }
        Some(Oddity::Html) => b"<!DOCTYPE html><title>404 Not Found</title>\n".to_vec(),
    }
}

/// EXIF data of one entry, orientation 6: the picture is shown turned to the right.
const ROTATED: &[u8] = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";

fn jpeg(
    size: &RgbImage,
    color: ColorType,
    pixels: &[u8],
    set: impl FnOnce(&mut Encoder<&mut Vec<u8>>),
) -> Vec<u8> {
    let side = |n: u32| u16::try_from(n).expect("a JPEG's side is below 65 536");
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 90);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    set(&mut encoder);
    encoder
        .encode(pixels, side(size.width()), side(size.height()), color)
        .expect("a picture with pixels is encoded");
    bytes
}

fn png(image: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes)
        .write_image(
            image,
            image.width(),
            image.height(),
            image::ExtendedColorType::Rgb8,
        )
        .expect("a picture is encoded");
    bytes
}

/// Inks that show the picture: what all colours lack is black.
fn inks(image: &RgbImage) -> Vec<u8> {
    let ink = |p: &image::Rgb<u8>| {
        let light = p.0.into_iter().max().unwrap_or(0);
        let part = |c: u8| {
            let share = u32::from(c) * 255 / u32::from(light.max(1));
            255 - share.min(255) as u8
        };
        [part(p.0[0]), part(p.0[1]), part(p.0[2]), 255 - light]
    };
    image.pixels().flat_map(ink).collect()
}

fn grey(image: &RgbImage) -> Vec<u8> {
    let luma = |p: &image::Rgb<u8>| {
        let [r, g, b] = p.0.map(u32::from);
        ((299 * r + 587 * g + 114 * b + 500) / 1000) as u8
    };
    image.pixels().map(luma).collect()
}
