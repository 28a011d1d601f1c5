//! PNG.

use super::{DecodeFailure, DecodeLimits, Raw, from_image_error};
use image::codecs::png::PngDecoder;
use image::{DynamicImage, ImageBuffer, Pixel, RgbImage};
use std::borrow::Cow;
use std::io::Cursor;
use std::ops::Range;

pub(super) fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<Raw, DecodeFailure> {
    let header = read_header(bytes)?;
    limits.check(u64::from(header.width), u64::from(header.height))?;
    let chunks = Chunks::list(bytes)?;
    let mut decoder_limits = image::Limits::no_limits();
    decoder_limits.max_alloc = Some(limits.memory);
    let picture = Cursor::new(chunks.picture.as_ref());
    let decoder = PngDecoder::with_limits(picture, decoder_limits).map_err(from_image_error)?;
    let image = DynamicImage::from_decoder(decoder).map_err(from_image_error)?;
    Ok(Raw {
        image: to_rgb(image),
        exif: chunks.exif.map(<[u8]>::to_vec),
        notes: Vec::new(),
    })
}

/// Grey becomes RGB, transparency is dropped, of 16 bits the upper 8 are kept, which is what
/// Pillow makes of such files.
fn to_rgb(image: DynamicImage) -> RgbImage {
    fn upper<P: Pixel<Subpixel = u16>>(deep: &ImageBuffer<P, Vec<u16>>) -> RgbImage {
        RgbImage::from_fn(deep.width(), deep.height(), |x, y| {
            image::Rgb(deep.get_pixel(x, y).to_rgb().0.map(|v| (v >> 8) as u8))
        })
    }
    match image {
        DynamicImage::ImageLuma16(deep) => upper(&deep),
        DynamicImage::ImageLumaA16(deep) => upper(&deep),
        DynamicImage::ImageRgb16(deep) => upper(&deep),
        DynamicImage::ImageRgba16(deep) => upper(&deep),
        other => other.into_rgb8(),
    }
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

/// What of a file is decoded.
struct Chunks<'a> {
    /// Header, palette, pixels and end: without texts, profiles, animations and whatever
    /// else may be there, compressed or not.
    picture: Cow<'a, [u8]>,
    exif: Option<&'a [u8]>,
}

impl<'a> Chunks<'a> {
    /// Checks that every chunk up to IEND lies within the file: the decoder itself stops at
    /// the last pixel and would not miss the rest.
    fn list(bytes: &'a [u8]) -> Result<Self, DecodeFailure> {
        const ESSENTIAL: [&[u8]; 4] = [b"IHDR", b"PLTE", b"IDAT", b"IEND"];
        let mut kept: Vec<Range<usize>> = std::iter::once(0..8).collect();
        let mut exif = None;
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
            let name = &head[4..];
            // A capital first letter says that the picture cannot be understood without it.
            if name[0].is_ascii_uppercase() && !ESSENTIAL.contains(&name) {
                return Err(DecodeFailure::malformed(format!(
                    "chunk {} at byte {at} is essential and unknown",
                    name.escape_ascii()
                )));
            }
            if ESSENTIAL.contains(&name) {
                kept.push(at..end);
            } else if name == b"eXIf" {
                exif.get_or_insert(&bytes[at + 8..end - 4]);
            }
            if name == b"IEND" {
                break;
            }
            at = end;
        }
        let together = kept.windows(2).all(|w| w[0].end == w[1].start);
        let picture = match (together, kept.last()) {
            (true, Some(last)) => Cow::Borrowed(&bytes[..last.end]),
            _ => Cow::Owned(
                kept.into_iter()
                    .flat_map(|r| bytes[r].iter().copied())
                    .collect(),
            ),
        };
        Ok(Self { picture, exif })
    }
}
