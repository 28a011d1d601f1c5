//! WebP.

use super::{DecodeFailure, DecodeLimits, Raw, from_image_error};
use image::codecs::webp::WebPDecoder;
use image::{DynamicImage, ImageDecoder};
use std::io::Cursor;

pub(super) fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<Raw, DecodeFailure> {
    let announced = u32::from_le_bytes(bytes[4..8].try_into().expect("four bytes"));
    let needed = u64::from(announced) + 8;
    if needed > bytes.len() as u64 {
        return Err(DecodeFailure::malformed(format!(
            "truncated: the header announces {needed} bytes, the file has {}",
            bytes.len()
        )));
    }
    let mut decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(from_image_error)?;
    let (width, height) = decoder.dimensions();
    limits.check(u64::from(width), u64::from(height))?;
    let exif = decoder.exif_metadata().map_err(from_image_error)?;
    let image = DynamicImage::from_decoder(decoder).map_err(from_image_error)?;
    Ok(Raw {
        image: image.into_rgb8(),
        exif,
        notes: Vec::new(),
    })
}
