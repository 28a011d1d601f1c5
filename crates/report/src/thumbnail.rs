//! Pictures inside the page.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder as _};
use inception_data::{Image, Interpolation, Size, resize};

/// The longest side of a picture in a page.
const SIDE: usize = 160;

/// A picture as a data URI, at most 160 pixels long; `None` of one without pixels.
pub fn thumbnail(picture: &Image) -> Option<String> {
    let longest = picture.width.max(picture.height);
    if picture.width == 0 || picture.height == 0 {
        return None;
    }
    let small;
    let picture = if longest > SIDE {
        let scaled = |side: usize| (side * SIDE / longest).max(1);
        let size = Size {
            width: scaled(picture.width),
            height: scaled(picture.height),
        };
        small = resize(picture, size, Interpolation::default());
        &small
    } else {
        picture
    };
    let color = match picture.channels {
        1 => ExtendedColorType::L8,
        3 => ExtendedColorType::Rgb8,
        _ => return None,
    };
    let (width, height) = (picture.width as u32, picture.height as u32);
    let mut png = Vec::new();
    PngEncoder::new(&mut png)
        .write_image(&picture.pixels, width, height, color)
        .ok()?;
    Some(format!("data:image/png;base64,{}", STANDARD.encode(png)))
}
