//! JPEG, PNG and WebP files, told by content, decoded within limits.

mod jpeg;
mod png;
#[cfg(test)]
mod tests;
mod webp;

use crate::escape::escape_path;
use crate::{DataError, Image};
use image::{DynamicImage, RgbImage, metadata::Orientation};
use std::fs::File;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// What an image may ask for; a larger one is refused before its pixels are allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeLimits {
    /// The longest side, in pixels: 16 384.
    pub side: u32,
    /// Width times height: 40 million.
    pub pixels: u64,
    /// Scans of a progressive JPEG: 100.
    pub scans: usize,
    /// Bytes that a decoder may keep beside the pixels: 256 MiB.
    pub memory: u64,
    /// Bytes of a file: 256 MiB.
    pub file_bytes: u64,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self {
            side: 16_384,
            pixels: 40_000_000,
            scans: 100,
            memory: 256 << 20,
            file_bytes: 256 << 20,
        }
    }
}

impl DecodeLimits {
    /// Checks the dimensions that a header announces.
    fn check(&self, width: u64, height: u64) -> Result<(), DecodeFailure> {
        if width == 0 || height == 0 {
            return Err(DecodeFailure::malformed(format!(
                "the image is {width}×{height} pixels"
            )));
        }
        let side = u64::from(self.side);
        if width > side || height > side {
            return Err(DecodeFailure::Limit(format!(
                "the image claims {width}×{height} pixels, a side may have {side}"
            )));
        }
        if width * height > self.pixels {
            return Err(DecodeFailure::Limit(format!(
                "the image claims {width}×{height} pixels, {} in all are allowed",
                self.pixels
            )));
        }
        Ok(())
    }
}

/// What to do with the orientation that EXIF data give.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExifOrientation {
    /// Turn the picture the way that its camera was held, as viewers do.
    #[default]
    Apply,
    /// Keep the stored order of pixels.
    Ignore,
}

/// How images are decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecodeOptions {
    /// What an image may ask for.
    pub limits: DecodeLimits,
    /// What to do with EXIF orientation.
    pub orientation: ExifOrientation,
}

/// An image file's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
    /// WebP.
    WebP,
}

impl Format {
    /// The format whose magic bytes `bytes` begin with.
    pub fn sniff(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(&[0xFF, 0xD8, 0xFF]) {
            Some(Self::Jpeg)
        } else if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            Some(Self::Png)
        } else if bytes.len() >= 12 && bytes.starts_with(b"RIFF") && &bytes[8..12] == b"WEBP" {
            Some(Self::WebP)
        } else {
            None
        }
    }

    /// The format that a file's name promises.
    pub fn of_name(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "jpg" | "jpeg" => Some(Self::Jpeg),
            "png" => Some(Self::Png),
            "webp" => Some(Self::WebP),
            _ => None,
        }
    }
}

/// Something odd about an image that could be decoded all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DecodeNote {
    /// A JPEG whose pixels are complete but whose end marker is missing.
    NoEndMarker,
    /// EXIF data that say nothing valid about orientation.
    BadExif,
    /// The file's name promises another format than its content has.
    ExtensionMismatch,
}

/// A decoded file.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// The picture, RGB.
    pub image: Image,
    /// What the file was.
    pub format: Format,
    /// What was odd about it.
    pub notes: Vec<DecodeNote>,
}

/// Why bytes are no image that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodeFailure {
    /// The bytes are malformed or of a kind that is not supported.
    Malformed(String),
    /// A limit was reached.
    Limit(String),
}

impl DecodeFailure {
    fn malformed(message: impl Into<String>) -> Self {
        Self::Malformed(message.into())
    }

    /// The same sort of failure in other words.
    pub(crate) fn map(self, words: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::Malformed(message) => Self::Malformed(words(message)),
            Self::Limit(message) => Self::Limit(words(message)),
        }
    }

    /// The failure of the file at `path`.
    pub fn at(self, path: &Path) -> DataError {
        match self {
            Self::Malformed(message) => DataError::malformed(path, message),
            Self::Limit(message) => DataError::limit(path, message),
        }
    }
}

impl std::fmt::Display for DecodeFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Malformed(message) | Self::Limit(message)) = self;
        f.write_str(message)
    }
}

impl std::error::Error for DecodeFailure {}

/// Decodes a JPEG, PNG or WebP image to RGB.
///
/// The format is told by the first bytes, never by a name. Grey becomes RGB, a palette is
/// looked up, of 16 bits the upper 8 are kept, transparency is dropped, CMYK and YCCK become RGB
/// with Adobe's inversion where the file is marked so. Of an animation the first picture
/// is taken. Colour profiles are ignored.
///
/// # Errors
/// When the bytes are no such image, damaged, cut short (also where a viewer would fill
/// the rest with grey), or above a limit. The limits are checked against the header,
/// before pixels are allocated. A panic of a decoder is an error too.
///
/// # Examples
/// ```
/// use inception_data::{DecodeOptions, decode};
///
/// let failure = decode(b"<!DOCTYPE html>", &DecodeOptions::default()).unwrap_err();
/// assert!(failure.to_string().starts_with("not a JPEG, PNG or WebP (first bytes 3c 21 44"));
/// ```
pub fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<Decoded, DecodeFailure> {
    let Some(format) = Format::sniff(bytes) else {
        return Err(not_an_image(bytes));
    };
    guarded(|| {
        let raw = match format {
            Format::Jpeg => jpeg::decode(bytes, &options.limits)?,
            Format::Png => png::decode(bytes, &options.limits)?,
            Format::WebP => webp::decode(bytes, &options.limits)?,
        };
        Ok(raw.finish(format, options.orientation))
    })
}

/// Reads and decodes the file at `path`, which must be a regular file.
///
/// # Errors
/// As [`decode`], and when the file cannot be read or is larger than allowed.
pub fn read_image(path: &Path, options: &DecodeOptions) -> Result<Decoded, DataError> {
    let bytes = read_regular_file(path, options.limits.file_bytes)?;
    let mut decoded = decode(&bytes, options).map_err(|failure| failure.at(path))?;
    if Format::of_name(path).is_some_and(|named| named != decoded.format) {
        decoded.notes.push(DecodeNote::ExtensionMismatch);
    }
    Ok(decoded)
}

/// The content of `path`, which is not opened unless it is a regular file: opening a FIFO
/// would wait for a writer for ever.
pub(crate) fn read_regular_file(path: &Path, limit: u64) -> Result<Vec<u8>, DataError> {
    let io = |e| DataError::io(path, e);
    if !std::fs::metadata(path).map_err(io)?.is_file() {
        return Err(DataError::malformed(path, "not a regular file"));
    }
    let file = File::open(path).map_err(io)?;
    let announced = file.metadata().map_err(io)?.len();
    if announced > limit {
        let message = format!("the file has {announced} bytes, {limit} are allowed");
        return Err(DataError::limit(path, message));
    }
    let mut bytes = Vec::with_capacity(announced as usize + 1);
    file.take(limit + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > limit {
        let message = format!("the file has more than the {limit} bytes allowed");
        return Err(DataError::limit(path, message));
    }
    Ok(bytes)
}

/// Runs `f`; a panic inside becomes a failure.
fn guarded<T>(f: impl FnOnce() -> Result<T, DecodeFailure>) -> Result<T, DecodeFailure> {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|panic| {
        let message = panic_message(panic.as_ref());
        Err(DecodeFailure::malformed(format!(
            "the decoder failed unexpectedly: {message}"
        )))
    })
}

/// What a panic said.
pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    escape_path(Path::new(text))
}

fn not_an_image(bytes: &[u8]) -> DecodeFailure {
    if bytes.is_empty() {
        return DecodeFailure::malformed("not a JPEG, PNG or WebP (the file is empty)");
    }
    let shown: Vec<String> = bytes.iter().take(8).map(|b| format!("{b:02x}")).collect();
    let more = if bytes.len() > 8 { " …" } else { "" };
    DecodeFailure::malformed(format!(
        "not a JPEG, PNG or WebP (first bytes {}{more})",
        shown.join(" ")
    ))
}

/// RGB pixels as they are stored, and what the file says about them.
struct Raw {
    image: RgbImage,
    exif: Option<Vec<u8>>,
    notes: Vec<DecodeNote>,
}

impl Raw {
    fn finish(mut self, format: Format, orientation: ExifOrientation) -> Decoded {
        let mut image = DynamicImage::ImageRgb8(self.image);
        if let (Some(exif), ExifOrientation::Apply) = (&self.exif, orientation) {
            match Orientation::from_exif_chunk(exif) {
                Some(orientation) => image.apply_orientation(orientation),
                None => self.notes.push(DecodeNote::BadExif),
            }
        }
        let (width, height) = (image.width() as usize, image.height() as usize);
        Decoded {
            image: Image {
                width,
                height,
                channels: 3,
                pixels: image.into_rgb8().into_raw(),
            },
            format,
            notes: self.notes,
        }
    }
}

/// A failure of the `image` crate.
fn from_image_error(error: image::ImageError) -> DecodeFailure {
    match error {
        image::ImageError::Limits(e) => DecodeFailure::Limit(e.to_string()),
        other => DecodeFailure::malformed(other.to_string()),
    }
}

/// An RGB image of `pixels`.
fn rgb(width: u32, height: u32, pixels: Vec<u8>) -> RgbImage {
    RgbImage::from_raw(width, height, pixels).expect("a decoder fills width·height·3 bytes")
}
