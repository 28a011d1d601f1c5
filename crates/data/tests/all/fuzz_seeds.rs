//! The pictures that fuzz targets start from: they are decoded, and damage to any bit or
//! length is decoded or refused, by a message and never by a decoder's panic.

use inception_data::{DecodeOptions, decode};
use std::path::Path;

#[test]
fn pictures_with_any_bit_flipped_or_cut_anywhere_are_decoded_or_refused() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds");
    let options = DecodeOptions::default();
    let tried = |bytes: &[u8], what: String| match decode(bytes, &options) {
        Ok(decoded) => {
            let image = decoded.image;
            assert_eq!(image.pixels.len(), 3 * image.width * image.height, "{what}");
        }
        Err(failure) => {
            let text = failure.to_string();
            assert!(!text.contains("failed unexpectedly"), "{what}: {text}");
        }
    };
    for target in ["jpeg", "png", "webp"] {
        for entry in std::fs::read_dir(seeds.join(target)).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let image = decode(&bytes, &options).unwrap().image;
            assert_eq!([image.width, image.height], [16, 8]);
            for at in 0..bytes.len() {
                let what = |how: &str| format!("{} {how} at byte {at}", path.display());
                tried(&bytes[..at], what("cut"));
                let mut damaged = bytes.clone();
                for bit in 0..8 {
                    damaged[at] ^= 1 << bit;
                    tried(&damaged, what("flipped"));
                    damaged[at] ^= 1 << bit;
                }
            }
        }
    }
}
