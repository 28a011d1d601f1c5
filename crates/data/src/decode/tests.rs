mod unusual;

use super::*;
use image::{ImageEncoder, codecs};
use jpeg_encoder::{ColorType, Encoder};

/// A smooth picture that every codec keeps well.
fn picture(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let (fx, fy) = (f64::from(x) / 9.0, f64::from(y) / 7.0);
        let value = |phase: f64| (127.0 + 90.0 * (fx + phase).sin() * fy.cos()) as u8;
        image::Rgb([value(0.0), value(1.5), value(3.0)])
    })
}

fn encode(color: ColorType, channels: usize, progressive: bool, pixels: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 95);
    encoder.set_progressive(progressive);
    encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::F_1_1);
    let side = ((pixels.len() / channels) as f64).sqrt() as u16;
    encoder.encode(pixels, side, side, color).unwrap();
    bytes
}

fn jpeg(side: u32, progressive: bool) -> Vec<u8> {
    encode(ColorType::Rgb, 3, progressive, picture(side, side).as_raw())
}

fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    codecs::png::PngEncoder::new(&mut bytes)
        .write_image(
            &picture(width, height),
            width,
            height,
            image::ExtendedColorType::Rgb8,
        )
        .unwrap();
    bytes
}

fn webp(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    codecs::webp::WebPEncoder::new_lossless(&mut bytes)
        .write_image(
            &picture(width, height),
            width,
            height,
            image::ExtendedColorType::Rgb8,
        )
        .unwrap();
    bytes
}

fn plain(bytes: &[u8]) -> Result<Decoded, DecodeFailure> {
    decode(bytes, &DecodeOptions::default())
}

fn mean_distance(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    let total: u64 = a
        .iter()
        .zip(b)
        .map(|(&a, &b)| u64::from(a.abs_diff(b)))
        .sum();
    total as f64 / a.len() as f64
}

#[test]
fn every_format_gives_back_the_picture() {
    let expected = picture(40, 40);
    for (bytes, format, tolerance) in [
        (jpeg(40, false), Format::Jpeg, 2.0),
        (jpeg(40, true), Format::Jpeg, 2.0),
        (png(40, 40), Format::Png, 0.0),
        (webp(40, 40), Format::WebP, 0.0),
    ] {
        let decoded = plain(&bytes).unwrap();
        assert_eq!(decoded.format, format);
        assert_eq!((decoded.image.width, decoded.image.height), (40, 40));
        assert!(decoded.notes.is_empty());
        let distance = mean_distance(&decoded.image.pixels, expected.as_raw());
        assert!(distance <= tolerance, "{format:?}: {distance}");
    }
}

#[test]
fn what_is_no_image_is_named_by_its_first_bytes() {
    for (bytes, expected) in [
        (&b""[..], "not a JPEG, PNG or WebP (the file is empty)"),
        (b"<!", "not a JPEG, PNG or WebP (first bytes 3c 21)"),
        (
            b"<!DOCTYPE html>",
            "not a JPEG, PNG or WebP (first bytes 3c 21 44 4f 43 54 59 50 …)",
        ),
    ] {
        assert_eq!(plain(bytes).unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_jpeg_cut_anywhere_is_an_error_until_its_last_pixel_is_there() {
    for progressive in [false, true] {
        let whole = jpeg(24, progressive);
        let picture = plain(&whole).unwrap().image;
        for end in 3..whole.len() {
            match plain(&whole[..end]) {
                Err(DecodeFailure::Malformed(_)) => {}
                Err(other) => panic!("cut at {end}: {other}"),
                Ok(decoded) => {
                    assert!(!progressive && end >= whole.len() - 2, "cut at {end}");
                    assert_eq!(decoded.notes, [DecodeNote::NoEndMarker]);
                    assert_eq!(decoded.image, picture);
                }
            }
        }
        if !progressive {
            assert!(plain(&whole[..whole.len() - 2]).is_ok());
        }
    }
}

#[test]
fn png_and_webp_cut_anywhere_are_errors() {
    for whole in [png(24, 24), webp(24, 24)] {
        for end in 0..whole.len() {
            let failure = plain(&whole[..end]).unwrap_err();
            assert!(
                matches!(failure, DecodeFailure::Malformed(_)),
                "cut at {end}"
            );
        }
    }
}

#[test]
fn bytes_after_the_end_are_ignored() {
    for whole in [jpeg(24, false), png(24, 24), webp(24, 24)] {
        let mut longer = whole.clone();
        longer.extend_from_slice(&whole);
        assert_eq!(plain(&longer).unwrap().image, plain(&whole).unwrap().image);
    }
}

#[test]
fn a_damaged_png_fails_its_checksum() {
    let mut bytes = png(24, 24);
    let at = bytes.len() / 2;
    bytes[at] ^= 0x10;
    assert!(matches!(plain(&bytes), Err(DecodeFailure::Malformed(_))));
}

#[test]
fn dimensions_are_refused_before_pixels_are_allocated() {
    let mut huge_png = png(8, 8);
    huge_png[16..24].copy_from_slice(&[0x7F, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF]);
    let mut huge_jpeg = jpeg(8, false);
    let sof = huge_jpeg
        .windows(2)
        .position(|w| w == [0xFF, 0xC0])
        .unwrap();
    huge_jpeg[sof + 5..sof + 9].copy_from_slice(&[0xFF; 4]);
    for bytes in [&huge_png, &huge_jpeg] {
        let start = std::time::Instant::now();
        let failure = plain(bytes).unwrap_err();
        assert!(matches!(&failure, DecodeFailure::Limit(m) if m.contains("a side may have 16384")));
        assert!(start.elapsed().as_millis() < 100, "{failure}");
    }
    let mut wide_png = png(8, 8);
    wide_png[16..24].copy_from_slice(&[0, 0, 0x20, 0, 0, 0, 0x20, 0]);
    assert_eq!(
        plain(&wide_png).unwrap_err(),
        DecodeFailure::Limit(
            "the image claims 8192×8192 pixels, 40000000 in all are allowed".into()
        )
    );
    let mut empty = png(8, 8);
    empty[16..20].fill(0);
    assert!(plain(&empty).unwrap_err().to_string().contains("0×8"));
}

#[test]
fn a_jpeg_of_too_many_scans_reaches_a_limit() {
    let bytes = jpeg(24, true);
    let mut options = DecodeOptions::default();
    options.limits.scans = 1;
    let failure = decode(&bytes, &options).unwrap_err();
    assert!(matches!(failure, DecodeFailure::Limit(_)), "{failure}");
}

#[test]
fn grey_alpha_palette_and_deep_pngs_become_rgb() {
    let cases: [(image::ExtendedColorType, Vec<u8>, [u8; 3]); 4] = [
        (image::ExtendedColorType::L8, vec![77], [77; 3]),
        (image::ExtendedColorType::La8, vec![77, 3], [77; 3]),
        (image::ExtendedColorType::Rgba8, vec![1, 2, 3, 0], [1, 2, 3]),
        (
            image::ExtendedColorType::L16,
            0x8080_u16.to_ne_bytes().to_vec(),
            [0x80; 3],
        ),
    ];
    for (color, pixel, expected) in cases {
        let mut bytes = Vec::new();
        codecs::png::PngEncoder::new(&mut bytes)
            .write_image(&pixel.repeat(4), 2, 2, color)
            .unwrap();
        assert_eq!(plain(&bytes).unwrap().image.pixels, expected.repeat(4));
    }
}

#[test]
fn a_grey_jpeg_becomes_rgb() {
    let grey: Vec<u8> = (0..16 * 16).map(|i| (i / 2) as u8).collect();
    let image = plain(&encode(ColorType::Luma, 1, false, &grey))
        .unwrap()
        .image;
    let expected: Vec<u8> = grey.iter().flat_map(|&g| [g; 3]).collect();
    assert!(mean_distance(&image.pixels, &expected) < 2.0);
}

/// Ink values for an RGB picture, with some black.
fn inks(rgb: &RgbImage) -> (Vec<u8>, Vec<u8>) {
    let mut cmyk = Vec::new();
    let mut expected = Vec::new();
    for (i, p) in rgb.pixels().enumerate() {
        let k = (i % 64) as u8;
        for channel in p.0 {
            cmyk.push(255 - channel);
            let light = u32::from(channel) * u32::from(255 - k);
            expected.push(((light + 127) / 255) as u8);
        }
        cmyk.push(k);
    }
    (cmyk, expected)
}

#[test]
fn cmyk_and_ycck_are_never_inverted() {
    let (cmyk, expected) = inks(&picture(32, 32));
    for color in [ColorType::Cmyk, ColorType::CmykAsYcck] {
        let image = plain(&encode(color, 4, false, &cmyk)).unwrap().image;
        let distance = mean_distance(&image.pixels, &expected);
        assert!(distance < 2.0, "{distance}");
    }
}

#[test]
fn cmyk_without_adobes_mark_holds_plain_inks() {
    let (cmyk, expected) = inks(&picture(32, 32));
    // The encoder inverts for Adobe; inverting before it and taking the mark away leaves
    // plain inks.
    let inverted: Vec<u8> = cmyk.iter().map(|&v| 255 - v).collect();
    let mut bytes = encode(ColorType::Cmyk, 4, false, &inverted);
    let at = bytes.windows(5).position(|w| w == b"Adobe").unwrap();
    bytes[at] = b'X';
    let image = plain(&bytes).unwrap().image;
    let distance = mean_distance(&image.pixels, &expected);
    assert!(distance < 2.0, "{distance}");
}

/// An EXIF block with one entry: orientation `value`.
fn exif(value: u16) -> Vec<u8> {
    let mut tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    tiff.extend(value.to_le_bytes());
    tiff.extend([0; 6]);
    tiff
}

fn with_exif(jpeg: &[u8], tiff: &[u8]) -> Vec<u8> {
    let mut bytes = jpeg[..2].to_vec();
    bytes.extend([0xFF, 0xE1]);
    bytes.extend((tiff.len() as u16 + 8).to_be_bytes());
    bytes.extend(b"Exif\0\0");
    bytes.extend(tiff);
    bytes.extend(&jpeg[2..]);
    bytes
}

#[test]
fn exif_orientation_is_applied_unless_asked_otherwise() {
    let stored = plain(&jpeg(16, false)).unwrap().image;
    let at = |x: usize, y: usize| &stored.pixels[(y * 16 + x) * 3..][..3];
    // Where the pixel shown at (1, 3) is stored, for orientations 1 to 8.
    let sources = [
        at(1, 3),
        at(14, 3),
        at(14, 12),
        at(1, 12),
        at(3, 1),
        at(3, 14),
        at(12, 14),
        at(12, 1),
    ];
    for (i, source) in sources.iter().enumerate() {
        let bytes = with_exif(&jpeg(16, false), &exif(i as u16 + 1));
        let turned = plain(&bytes).unwrap();
        assert_eq!(
            &&turned.image.pixels[(3 * 16 + 1) * 3..][..3],
            source,
            "{i}"
        );
        assert!(turned.notes.is_empty());
        let options = DecodeOptions {
            orientation: ExifOrientation::Ignore,
            ..DecodeOptions::default()
        };
        assert_eq!(decode(&bytes, &options).unwrap().image, stored);
    }
}

#[test]
fn hostile_exif_is_noted_and_ignored() {
    let mut endless = b"II*\0\x08\0\0\0\xFF\xFF".to_vec();
    endless.extend([0; 40]);
    for tiff in [exif(9), endless, b"II*\0\xFF\xFF\xFF\xFF".to_vec(), vec![1]] {
        let decoded = plain(&with_exif(&jpeg(16, false), &tiff)).unwrap();
        assert_eq!(decoded.notes, [DecodeNote::BadExif]);
        assert_eq!(decoded.image, plain(&jpeg(16, false)).unwrap().image);
    }
}

#[test]
fn a_panic_of_a_decoder_is_an_error() {
    let failure = guarded::<()>(|| panic!("index {} out of range", 7)).unwrap_err();
    assert_eq!(
        failure.to_string(),
        "the decoder failed unexpectedly: index 7 out of range"
    );
}

#[test]
fn a_name_that_promises_another_format_is_noted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("n02105855_2933.JPEG");
    std::fs::write(&path, png(8, 8)).unwrap();
    let decoded = read_image(&path, &DecodeOptions::default()).unwrap();
    assert_eq!(decoded.format, Format::Png);
    assert_eq!(decoded.notes, [DecodeNote::ExtensionMismatch]);
}

#[test]
fn files_above_the_size_limit_and_folders_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.png");
    std::fs::write(&path, png(8, 8)).unwrap();
    let mut options = DecodeOptions::default();
    options.limits.file_bytes = 10;
    let error = read_image(&path, &options).unwrap_err();
    assert!(matches!(error, DataError::Limit { .. }), "{error}");
    let error = read_image(dir.path(), &options).unwrap_err();
    assert!(error.to_string().ends_with("not a regular file"));
}

mod hostile {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn damaged_bytes_give_a_picture_or_an_error(
            kind in 0..4usize,
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        ) {
            let mut bytes = match kind {
                0 => jpeg(24, false),
                1 => jpeg(24, true),
                2 => png(24, 24),
                _ => webp(24, 24),
            };
            for (at, value) in damage {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            let mut options = DecodeOptions::default();
            options.limits.pixels = 1 << 20;
            if let Ok(decoded) = decode(&bytes, &options) {
                let image = decoded.image;
                prop_assert_eq!(image.pixels.len(), image.width * image.height * 3);
            }
        }
    }
}
