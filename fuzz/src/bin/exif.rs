//! EXIF blocks of a sound JPEG: whatever they say, there is a picture, upright or turned.
#![no_main]

use libfuzzer_sys::fuzz_target;

const JPEG: &[u8] = include_bytes!("../../seeds/jpeg/plain");

fuzz_target!(
    init: fuzz::catch_decoders(),
    |bytes: &[u8]| {
        let file = fuzz::build::jpeg_with_exif(JPEG, bytes);
        let image = fuzz::decode(&file).expect("a sound picture").image;
        assert!(matches!([image.width, image.height], [16, 8] | [8, 16]));
    }
);
