//! Bombs, extras, kinds that are not supported, and the smallest pictures.

use super::*;

/// A PNG chunk with its checksum.
fn chunk(name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut bytes = (data.len() as u32).to_be_bytes().to_vec();
    let body = [&name[..], data].concat();
    let mut crc = flate2::Crc::new();
    crc.update(&body);
    bytes.extend(body);
    bytes.extend(crc.sum().to_be_bytes());
    bytes
}

/// `count` zero bytes, compressed.
fn zeros(count: u64) -> Vec<u8> {
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(6));
    std::io::copy(
        &mut std::io::Read::take(std::io::repeat(0), count),
        &mut zlib,
    )
    .unwrap();
    zlib.finish().unwrap()
}

#[test]
fn a_bomb_of_one_bit_pixels_is_refused_before_it_is_unpacked() {
    for side in [13_000_u32, 30_000] {
        let sides = [side.to_be_bytes(), side.to_be_bytes()].concat();
        let header = [&sides[..], &[1, 0, 0, 0, 0]].concat();
        let data = zeros(u64::from(side) * u64::from(side / 8 + 1) / 100);
        let bytes = [
            &b"\x89PNG\r\n\x1a\n"[..],
            &chunk(b"IHDR", &header),
            &chunk(b"IDAT", &data),
            &chunk(b"IEND", b""),
        ]
        .concat();
        let failure = plain(&bytes).unwrap_err();
        assert!(matches!(failure, DecodeFailure::Limit(_)), "{failure}");
    }
}

#[test]
fn extra_chunks_are_passed_over_unread() {
    let whole = png(24, 24);
    let header_end = 33;
    let with = |extra: &[u8]| [&whole[..header_end], extra, &whole[header_end..]].concat();
    let bomb = zeros(64 << 20);
    let mut damaged = chunk(b"tEXt", b"its checksum is wrong");
    *damaged.last_mut().unwrap() ^= 1;
    for extra in [
        chunk(b"zTXt", &[&b"k\0\0"[..], &bomb].concat()),
        chunk(b"iCCP", &[&b"p\0\0"[..], &bomb].concat()),
        damaged,
        chunk(b"acTL", &[0; 8]),
    ] {
        assert_eq!(
            plain(&with(&extra)).unwrap().image,
            plain(&whole).unwrap().image
        );
    }
    let unknown = plain(&with(&chunk(b"XYZz", b""))).unwrap_err().to_string();
    assert_eq!(unknown, "chunk XYZz at byte 33 is essential and unknown");
    let turned = chunk(b"eXIf", &exif(6));
    let sideways = plain(&with(&turned)).unwrap().image;
    assert_eq!(
        sideways.pixels[..3],
        plain(&whole).unwrap().image.pixels[23 * 24 * 3..][..3]
    );
}

#[test]
fn jpegs_of_unsupported_kinds_are_named() {
    let bytes = jpeg(24, false);
    let frame = bytes.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
    for (marker, bits, expected) in [
        (
            0xC3,
            8,
            "JPEGs lossless are not supported (frame marker ff c3)",
        ),
        (
            0xC6,
            8,
            "JPEGs hierarchical are not supported (frame marker ff c6)",
        ),
        (
            0xC9,
            8,
            "JPEGs with arithmetic coding are not supported (frame marker ff c9)",
        ),
        (
            0xC1,
            12,
            "JPEGs of 12 bits a sample are not supported (frame marker ff c1)",
        ),
    ] {
        let mut bytes = bytes.clone();
        bytes[frame + 1] = marker;
        bytes[frame + 4] = bits;
        assert_eq!(
            plain(&bytes).unwrap_err(),
            DecodeFailure::malformed(expected)
        );
    }
}

#[test]
fn the_smallest_pictures_are_decoded() {
    for (width, height) in [(1, 1), (1, 300), (300, 1), (2, 2), (3, 3)] {
        for bytes in [png(width, height), webp(width, height)] {
            let image = plain(&bytes).unwrap().image;
            assert_eq!(image.pixels, picture(width, height).into_raw());
        }
        let mut bytes = Vec::new();
        let raw = picture(width, height);
        Encoder::new(&mut bytes, 95)
            .encode(&raw, width as u16, height as u16, ColorType::Rgb)
            .unwrap();
        let image = plain(&bytes).unwrap().image;
        assert_eq!(
            (image.width, image.height),
            (width as usize, height as usize)
        );
    }
}
