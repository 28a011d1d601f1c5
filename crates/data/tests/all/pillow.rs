//! Decoding as Pillow decodes, on the files of `tests/pillow/`.

use inception_data::{DecodeOptions, Image, decode};
use std::path::{Path, PathBuf};

/// The images in the fixtures' folder with the given extension.
fn images(extension: &str) -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pillow");
    let entries = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path());
    let mut paths: Vec<PathBuf> = entries
        .filter(|p| p.extension().is_some_and(|e| e == extension))
        .collect();
    paths.sort();
    paths
}

fn ours(path: &Path) -> Image {
    let bytes = std::fs::read(path).unwrap();
    let decoded = decode(&bytes, &DecodeOptions::default());
    decoded
        .unwrap_or_else(|e| panic!("{}: {e}", path.display()))
        .image
}

/// What Pillow made of `path`: a binary PPM beside it.
fn pillows(path: &Path) -> Image {
    let bytes = std::fs::read(format!("{}.ppm", path.display())).unwrap();
    let head: Vec<&[u8]> = bytes.splitn(5, |b| b.is_ascii_whitespace()).collect();
    let [b"P6", width, height, b"255", pixels] = head[..] else {
        panic!("{}.ppm is no PPM", path.display());
    };
    let number = |digits| std::str::from_utf8(digits).unwrap().parse().unwrap();
    Image {
        width: number(width),
        height: number(height),
        channels: 3,
        pixels: pixels.to_vec(),
    }
}

#[test]
fn every_kind_of_png_is_decoded_to_the_bits_of_pillow() {
    let paths = images("png");
    assert_eq!(paths.len(), 10);
    for path in paths {
        assert_eq!(ours(&path), pillows(&path), "{}", path.display());
    }
}

#[test]
fn every_kind_of_jpeg_is_decoded_like_pillow_and_turned_alike() {
    let paths = images("jpg");
    assert_eq!(paths.len(), 15);
    for path in paths {
        let (ours, theirs) = (ours(&path), pillows(&path));
        let name = path.display();
        assert_eq!(
            (ours.width, ours.height),
            (theirs.width, theirs.height),
            "{name}"
        );
        for channel in 0..3 {
            let pairs = ours
                .pixels
                .iter()
                .zip(&theirs.pixels)
                .skip(channel)
                .step_by(3);
            let distances: Vec<u8> = pairs.map(|(a, b)| a.abs_diff(*b)).collect();
            let total: f64 = distances.iter().map(|&d| f64::from(d)).sum();
            let mean = total / distances.len() as f64;
            let largest = distances.iter().max().unwrap();
            assert!(
                mean < 0.5,
                "{name}: channel {channel} differs by {mean} on average"
            );
            assert!(
                *largest <= 4,
                "{name}: channel {channel} differs by up to {largest}"
            );
        }
    }
}
