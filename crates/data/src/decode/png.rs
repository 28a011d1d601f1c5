//! PNG.

use super::{DecodeFailure, DecodeLimits, Raw, from_image_error};
use image::codecs::png::PngDecoder;
use image::{DynamicImage, ImageDecoder};
use std::io::Cursor;

pub(super) fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<Raw, DecodeFailure> {
    let header = read_header(bytes)?;
    limits.check(u64::from(header.width), u64::from(header.height))?;
    check_chunks(bytes)?;
    let mut decoder_limits = image::Limits::no_limits();
    decoder_limits.max_alloc = Some(limits.memory);
    let mut decoder =
        PngDecoder::with_limits(Cursor::new(bytes), decoder_limits).map_err(from_image_error)?;
    let exif = decoder.exif_metadata().map_err(from_image_error)?;
    let image = DynamicImage::from_decoder(decoder).map_err(from_image_error)?;
    Ok(Raw {
        image: image.into_rgb8(),
        exif,
        notes: Vec::new(),
    })
}

struct Header {
    width: u32,
    height: u32,
}

/// The dimensions in the first chunk, which must be IHDR.
fn read_header(bytes: &[u8]) -> Result<Header, DecodeFailure> {
    let word = |at: usize| {
        let bytes = bytes.get(at..at + 4)?.try_into().expect("four bytes");
        Some(u32::from_be_bytes(bytes))
    };
    match (bytes.get(12..16), word(16), word(20)) {
        (Some(b"IHDR"), Some(width), Some(height)) => Ok(Header { width, height }),
        (Some(b"IHDR"), ..) | (None, ..) => Err(DecodeFailure::malformed(format!(
            "truncated: the file ends inside the PNG header, at byte {}",
            bytes.len()
        ))),
        _ => Err(DecodeFailure::malformed(
            "the first PNG chunk, at byte 8, is not IHDR",
        )),
    }
}

/// Checks that every chunk up to IEND lies within the file: the decoder itself stops at
/// the last pixel and would not miss the rest.
fn check_chunks(bytes: &[u8]) -> Result<(), DecodeFailure> {
    let mut at = 8;
    loop {
        let Some(head) = bytes.get(at..at + 8) else {
            return Err(DecodeFailure::malformed(format!(
                "truncated: the file ends at byte {} without an IEND chunk",
                bytes.len()
            )));
        };
        let length = u32::from_be_bytes(head[..4].try_into().expect("four bytes")) as usize;
        let end = at + 12 + length;
        if end > bytes.len() {
            return Err(DecodeFailure::malformed(format!(
                "truncated: chunk {} at byte {at} needs {} bytes, {} are left",
                head[4..].escape_ascii(),
                length + 12,
                bytes.len() - at
            )));
        }
        if &head[4..] == b"IEND" {
            return Ok(());
        }
        at = end;
    }
}
