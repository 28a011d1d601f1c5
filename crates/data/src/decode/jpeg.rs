//! JPEG.

use super::{DecodeFailure, DecodeLimits, DecodeNote, Raw, rgb};
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

pub(super) fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<Raw, DecodeFailure> {
    let layout = Layout::scan(bytes);
    layout.check(limits)?;
    if layout.complete {
        return decode_complete(bytes, &layout, limits);
    }
    if layout.sequential
        && let Some(raw) = decode_without_end(bytes, &layout, limits)
    {
        return Ok(raw);
    }
    // The header may hold a better reason than the missing end.
    decode_header(bytes, limits)?;
    Err(DecodeFailure::malformed(format!(
        "truncated: the file ends at byte {} without an end-of-image marker",
        bytes.len()
    )))
}

/// Decodes a file without end marker, or `None` when pixels depend on bytes that are
/// missing: the picture is complete if it is the same whatever follows.
fn decode_without_end(bytes: &[u8], layout: &Layout, limits: &DecodeLimits) -> Option<Raw> {
    // Only the start of the end marker may be left.
    let body = bytes.strip_suffix(&[0xFF]).unwrap_or(bytes);
    let mut pictures = [0x00, 0x55, 0xFE].into_iter().map(|padding| {
        let mut padded = body.to_vec();
        padded.extend([padding; 64]);
        padded.extend([0xFF, 0xD9]);
        decode_complete(&padded, layout, limits)
    });
    let mut first = pictures.next()?.ok()?;
    if !pictures.all(|p| p.is_ok_and(|p| p.image == first.image)) {
        return None;
    }
    first.notes.push(DecodeNote::NoEndMarker);
    Some(first)
}

type Decoder<'a> = JpegDecoder<ZCursor<&'a [u8]>>;

fn decode_header<'a>(bytes: &'a [u8], limits: &DecodeLimits) -> Result<Decoder<'a>, DecodeFailure> {
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX)
        .jpeg_set_max_scans(limits.scans)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(|e| failure(&e))?;
    let (width, height) = decoder.dimensions().expect("the header was decoded");
    limits.check(width as u64, height as u64)?;
    Ok(decoder)
}

fn decode_complete(
    bytes: &[u8],
    layout: &Layout,
    limits: &DecodeLimits,
) -> Result<Raw, DecodeFailure> {
    let mut decoder = decode_header(bytes, limits)?;
    let (width, height) = decoder.dimensions().expect("the header was decoded");
    // The decoder takes every CMYK image for Adobe's inverted one; without Adobe's mark
    // the plain values are meant, so the four channels are fetched and converted here.
    let plain_cmyk = !layout.adobe && decoder.input_colorspace() == Some(ColorSpace::CMYK);
    if plain_cmyk {
        let options = decoder.options().jpeg_set_out_colorspace(ColorSpace::CMYK);
        decoder.set_options(options);
    }
    let channels = if plain_cmyk { 4 } else { 3 };
    let mut pixels = vec![0; width * height * channels];
    decoder.decode_into(&mut pixels).map_err(|e| failure(&e))?;
    if plain_cmyk {
        pixels = cmyk_to_rgb(&pixels);
    }
    Ok(Raw {
        image: rgb(width as u32, height as u32, pixels),
        exif: decoder.exif().cloned(),
        notes: Vec::new(),
    })
}

/// `R = (255 − C)·(255 − K) / 255`, rounded, and so on for G and B.
fn cmyk_to_rgb(pixels: &[u8]) -> Vec<u8> {
    let multiply = |a: u8, k: u8| ((u32::from(a) * u32::from(k) + 127) / 255) as u8;
    pixels
        .as_chunks::<4>()
        .0
        .iter()
        .flat_map(|&[c, m, y, k]| [c, m, y].map(|ink| multiply(255 - ink, 255 - k)))
        .collect()
}

fn failure(error: &DecodeErrors) -> DecodeFailure {
    let text = match error {
        DecodeErrors::Unsupported(kind) => format!("this kind of JPEG is not supported: {kind:?}"),
        DecodeErrors::ExhaustedData | DecodeErrors::IoErrors(_) => {
            "truncated: the JPEG data end too early".to_owned()
        }
        other => format!("JPEG: {}", format!("{other:?}").trim().trim_matches('"')),
    };
    if text.contains("Too many scans") {
        DecodeFailure::Limit(text)
    } else {
        DecodeFailure::Malformed(text)
    }
}

/// What the sequence of markers tells.
struct Layout {
    /// The end-of-image marker was found.
    complete: bool,
    /// Baseline or extended sequential: one scan of each block.
    sequential: bool,
    /// Adobe's APP14 segment is there.
    adobe: bool,
    /// The kind of picture that the first frame header announces, and its bits a sample.
    frame: Option<Frame>,
    /// Scans, up to and including an incomplete one.
    scans: usize,
}

#[derive(Clone, Copy)]
struct Frame {
    marker: u8,
    bits: u8,
}

impl Layout {
    /// Walks from marker to marker without decoding anything.
    fn scan(bytes: &[u8]) -> Self {
        let mut layout = Self {
            complete: false,
            sequential: false,
            adobe: false,
            frame: None,
            scans: 0,
        };
        let mut at = 2;
        while let Some(marker) = next_marker(bytes, &mut at) {
            match marker {
                0xD9 => {
                    layout.complete = true;
                    return layout;
                }
                0x01 | 0xD0..=0xD8 => continue,
                0xDA => layout.scans += 1,
                _ => {}
            }
            // 0xC4, 0xC8 and 0xCC among the frames' markers mean other things.
            if matches!(marker, 0xC0..=0xCF) && !matches!(marker, 0xC4 | 0xC8 | 0xCC) {
                let bits = bytes.get(at + 2).copied().unwrap_or(8);
                layout.frame.get_or_insert(Frame { marker, bits });
                layout.sequential |= matches!(marker, 0xC0 | 0xC1);
            }
            let Some(length) = bytes.get(at..at + 2) else {
                return layout;
            };
            let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
            if marker == 0xEE && bytes.get(at + 2..at + 7) == Some(b"Adobe") {
                layout.adobe = true;
            }
            at += length.max(2);
        }
        layout
    }
}

impl Layout {
    /// Refuses kinds of JPEG that are not supported, by name, and too many scans.
    fn check(&self, limits: &DecodeLimits) -> Result<(), DecodeFailure> {
        if self.scans > limits.scans {
            return Err(DecodeFailure::Limit(format!(
                "the JPEG has {} scans, {} are allowed",
                self.scans, limits.scans
            )));
        }
        let Some(Frame { marker, bits }) = self.frame else {
            return Ok(());
        };
        let kind = match marker {
            0xC3 => "lossless".to_owned(),
            0xC5..=0xC7 | 0xCD..=0xCF => "hierarchical".to_owned(),
            0xC9 | 0xCA => "with arithmetic coding".to_owned(),
            0xCB => "lossless with arithmetic coding".to_owned(),
            _ if bits != 8 => format!("of {bits} bits a sample"),
            _ => return Ok(()),
        };
        Err(DecodeFailure::malformed(format!(
            "JPEGs {kind} are not supported (frame marker ff {marker:02x})"
        )))
    }
}

/// The next marker at or after `at`, which moves behind it; entropy-coded bytes, stuffed
/// zeros and fill bytes are passed over.
fn next_marker(bytes: &[u8], at: &mut usize) -> Option<u8> {
    loop {
        let rest = bytes.get(*at..)?;
        *at += rest.iter().position(|&b| b == 0xFF)? + 1;
        while bytes.get(*at) == Some(&0xFF) {
            *at += 1;
        }
        match *bytes.get(*at)? {
            0 => {}
            marker => {
                *at += 1;
                return Some(marker);
            }
        }
    }
}
