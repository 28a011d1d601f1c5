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

/// Where the segment of `marker` begins in a JPEG.
fn segment(bytes: &[u8], marker: u8) -> usize {
    let at = bytes.windows(2).position(|w| w == [0xFF, marker]);
    at.expect("every JPEG has it")
}

#[test]
fn jpegs_that_repeat_what_they_need_not_end_soon() {
    let whole = jpeg(24, false);
    let picture = plain(&whole).unwrap().image;
    let scan = segment(&whole, 0xDA);
    let start = std::time::Instant::now();
    // A Huffman table, ten thousand times.
    let table = segment(&whole, 0xC4);
    let length = 2 + usize::from(u16::from_be_bytes([whole[table + 2], whole[table + 3]]));
    let tables = whole[table..table + length].repeat(10_000);
    let many = [&whole[..table], &tables, &whole[table..]].concat();
    assert_eq!(plain(&many).unwrap().image, picture);
    // Restart markers where none is announced.
    let header = 2 + usize::from(u16::from_be_bytes([whole[scan + 2], whole[scan + 3]]));
    let markers: Vec<u8> = (0..65_535)
        .flat_map(|i| [0xFF, 0xD0 + i as u8 % 8])
        .collect();
    let (before, data) = whole.split_at(scan + header);
    let interrupted = [before, &markers, data].concat();
    if let Ok(decoded) = plain(&interrupted) {
        assert_eq!(decoded.image.pixels.len(), picture.pixels.len());
    }
    // Five thousand scans of a progressive file.
    let progressive = jpeg(24, true);
    let scan = segment(&progressive, 0xDA);
    let end = progressive.len() - 2;
    let scans = progressive[scan..end].repeat(5_000);
    let deep = [&progressive[..scan], &scans, &progressive[end..]].concat();
    let failure = plain(&deep).unwrap_err();
    assert!(matches!(failure, DecodeFailure::Limit(_)), "{failure}");
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
}

#[test]
fn jpegs_whose_tables_make_no_sense_are_errors_or_pictures_and_no_panics() {
    let whole = jpeg(24, false);
    let zeroed = |marker: u8| {
        let at = segment(&whole, marker);
        let length = usize::from(u16::from_be_bytes([whole[at + 2], whole[at + 3]]));
        let mut bytes = whole.clone();
        bytes[at + 5..at + 2 + length].fill(0);
        bytes
    };
    // Steps of zero make a picture of one colour, codes of no length none at all.
    for (bytes, is_picture) in [(zeroed(0xDB), true), (zeroed(0xC4), false)] {
        match plain(&bytes) {
            Ok(decoded) => assert!(is_picture && decoded.image.width == 24),
            Err(failure) => assert!(matches!(failure, DecodeFailure::Malformed(_)), "{failure}"),
        }
    }
    // Two components and Adobe's mark of four.
    let at = segment(&whole, 0xC0);
    let mut two = whole.clone();
    two[at + 9] = 2;
    let failure = plain(&two).unwrap_err();
    assert!(matches!(failure, DecodeFailure::Malformed(_)), "{failure}");
}

/// A PNG of 4 by 4 pixels with a palette where one is given.
fn indexed(palette: Option<&[u8]>, data: &[&[u8]], after: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    bytes.extend(chunk(b"IHDR", &[0, 0, 0, 4, 0, 0, 0, 4, 8, 3, 0, 0, 0]));
    palette.iter().for_each(|p| bytes.extend(chunk(b"PLTE", p)));
    data.iter().for_each(|d| bytes.extend(chunk(b"IDAT", d)));
    bytes.extend(chunk(b"IEND", b""));
    bytes.extend(after);
    bytes
}

#[test]
fn pngs_with_a_chunk_too_few_are_errors_and_with_one_too_many_pictures() {
    let palette: &[u8] = &[9, 8, 7];
    let rows = zeros(20);
    let (front, back) = rows.split_at(rows.len() / 2);
    let expected = [9, 8, 7].repeat(16);
    let more = chunk(b"IDAT", &rows);
    for bytes in [
        indexed(Some(palette), &[&rows], b""),
        // In pieces, one of them empty, and one behind the end.
        indexed(Some(palette), &[front, b"", back], &more),
        indexed(Some(palette), &[&rows, b"\0"], b""),
    ] {
        assert_eq!(plain(&bytes).unwrap().image.pixels, expected);
    }
    let short = zeros(12);
    for bytes in [
        indexed(None, &[&rows], b""),
        indexed(Some(palette), &[&short], b""),
        indexed(Some(palette), &[front], b""),
        indexed(Some(palette), &[], b""),
    ] {
        let failure = plain(&bytes).unwrap_err();
        assert!(matches!(failure, DecodeFailure::Malformed(_)), "{failure}");
    }
}

#[test]
fn of_an_animated_png_the_first_picture_is_taken() {
    let control = |number: u8, blend: u8| {
        let sides = [0, 0, 0, 4, 0, 0, 0, 4];
        let frame = [
            &[0, 0, 0, number][..],
            &sides,
            &[0; 8],
            &[0, 1, 0, 10, 0, blend],
        ];
        chunk(b"fcTL", &frame.concat())
    };
    let first = zeros(20);
    let second = [&[0, 0, 0, 2][..], &zeros(20)].concat();
    let bytes = [
        &b"\x89PNG\r\n\x1a\n"[..],
        &chunk(b"IHDR", &[0, 0, 0, 4, 0, 0, 0, 4, 8, 3, 0, 0, 0]),
        &chunk(b"acTL", &[0, 0, 0, 2, 0, 0, 0, 0]),
        &chunk(b"PLTE", &[9, 8, 7]),
        &control(0, 0),
        &chunk(b"IDAT", &first),
        &control(1, 0),
        &chunk(b"fdAT", &second),
        &chunk(b"IEND", b""),
    ]
    .concat();
    assert_eq!(plain(&bytes).unwrap().image.pixels, [9, 8, 7].repeat(16));
}

#[test]
fn exif_that_turns_in_circles_or_is_huge_is_ignored() {
    // The next directory is this one, and the entry of a type and count that no file holds.
    let mut circle = b"II*\0\x08\0\0\0\x01\0\x0F\x01\x02\0".to_vec();
    circle.extend(2_555_904_u32.to_le_bytes());
    circle.extend([0x1A, 0, 0, 0]);
    circle.extend([8, 0, 0, 0]);
    let mut outside = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0".to_vec();
    outside.extend(u32::MAX.to_le_bytes());
    outside.extend(u32::MAX.to_le_bytes());
    outside.extend([0; 4]);
    let start = std::time::Instant::now();
    for tiff in [circle, outside] {
        let decoded = plain(&with_exif(&jpeg(16, false), &tiff)).unwrap();
        assert_eq!(decoded.image, plain(&jpeg(16, false)).unwrap().image);
    }
    assert!(start.elapsed().as_secs() < 2);
}
