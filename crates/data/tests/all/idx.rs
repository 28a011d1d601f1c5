//! IDX files, good and malformed.

use flate2::Compression;
use flate2::write::GzEncoder;
use inception_data::{DataError, Dataset, ErrorKind, FashionMnist, Idx, Split};
use std::io::Write;
use std::path::Path;

fn idx(dims: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, dims.len() as u8];
    dims.iter().for_each(|d| bytes.extend(d.to_be_bytes()));
    bytes.extend(data);
    bytes
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A folder whose test split has these two files.
fn folder(images: &[u8], labels: &[u8]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("t10k-images-idx3-ubyte"), images).unwrap();
    std::fs::write(dir.path().join("t10k-labels-idx1-ubyte"), labels).unwrap();
    dir
}

fn open(dir: &Path) -> Result<Idx, DataError> {
    FashionMnist::open(dir, Split::Test)
}

fn failure(images: &[u8], labels: &[u8]) -> DataError {
    let dir = folder(images, labels);
    match open(dir.path()) {
        Ok(_) => panic!("malformed files were accepted"),
        Err(error) => error,
    }
}

#[test]
fn images_and_labels_come_out_in_order_compressed_or_not() {
    let images = idx(&[2, 2, 3], &(0..12).collect::<Vec<u8>>());
    let labels = idx(&[2], &[9, 0]);
    for (images, labels) in [(images.clone(), labels.clone()), (gz(&images), gz(&labels))] {
        let dir = folder(&images, &labels);
        let data = open(dir.path()).unwrap();
        assert_eq!(data.len(), 2);
        let sample = data.get(1).unwrap();
        assert_eq!((sample.image.height, sample.image.width), (2, 3));
        assert_eq!(sample.image.pixels, [6, 7, 8, 9, 10, 11]);
        assert_eq!(sample.label, 0);
        assert_eq!(data.classes()[data.label(0) as usize], "Ankle boot");
        assert!(data.origin(1).ends_with("t10k-images-idx3-ubyte record 1"));
    }
}

#[test]
fn wrong_magic_numbers_name_both_values() {
    let mut images = idx(&[1, 1, 1], &[0]);
    images[2] = 0x0D;
    let error = failure(&images, &idx(&[1], &[0]));
    let expected = "magic number at byte 0: expected 00 00 08 03, found 00 00 0d 03";
    assert!(error.to_string().ends_with(expected), "{error}");
    assert_eq!(error.kind(), ErrorKind::Malformed);
}

#[test]
fn sizes_must_be_exact() {
    let labels = idx(&[2], &[0, 1]);
    let expected = "dimensions [2, 2, 2] at byte 4 announce 8 bytes after the 16 of the header";
    for (data, found) in [(&[0; 7][..], "found 7"), (&[0; 9], "found more")] {
        for compress in [false, true] {
            let images = idx(&[2, 2, 2], data);
            let images = if compress { gz(&images) } else { images };
            let text = failure(&images, &labels).to_string();
            assert!(text.contains(expected) && text.ends_with(found), "{text}");
        }
    }
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    let labels = idx(&[2], &[0, 1]);
    for whole in [idx(&[2, 2, 2], &[5; 8]), gz(&idx(&[2, 2, 2], &[5; 8]))] {
        for end in 0..whole.len() {
            let error = failure(&whole[..end], &labels);
            assert_eq!(error.kind(), ErrorKind::Malformed, "cut at {end}: {error}");
        }
    }
}

#[test]
fn a_compressed_bomb_stops_at_the_announced_size() {
    let bomb = gz(&idx(&[1, 1, 1], &vec![0; 64 << 20]));
    let start = std::time::Instant::now();
    let error = failure(&bomb, &idx(&[1], &[0]));
    assert!(error.to_string().ends_with("found more"), "{error}");
    assert!(start.elapsed().as_millis() < 50);
}

#[test]
fn announced_terabytes_reach_a_limit_without_allocation() {
    let error = failure(&idx(&[u32::MAX; 3], &[]), &idx(&[1], &[0]));
    assert_eq!(error.kind(), ErrorKind::Limit);
    let error = failure(&idx(&[1 << 20, 64, 64], &[]), &idx(&[1], &[0]));
    assert_eq!(error.kind(), ErrorKind::Malformed, "{error}");
}

#[test]
fn labels_out_of_range_name_record_and_byte() {
    let error = failure(&idx(&[3, 1, 1], &[0; 3]), &idx(&[3], &[0, 10, 255]));
    let expected = "record 1 at byte 9: label 10, must be 0…9";
    assert!(error.to_string().ends_with(expected), "{error}");
}

#[test]
fn numbers_of_images_and_labels_must_agree() {
    let error = failure(&idx(&[3, 1, 1], &[0; 3]), &idx(&[2], &[0, 1]));
    assert!(
        error.to_string().contains("2 labels for the 3 images"),
        "{error}"
    );
}

#[test]
fn a_missing_set_says_how_to_get_it() {
    let dir = tempfile::tempdir().unwrap();
    let error = FashionMnist::find(Some(dir.path())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(
        error
            .to_string()
            .contains("apt-get install dataset-fashion-mnist")
    );
}

#[test]
fn labels_of_an_unnamed_set_are_called_by_number() {
    let dir = folder(&idx(&[1, 1, 1], &[0]), &idx(&[1], &[11]));
    let data = Idx::open(dir.path(), Split::Val, None).unwrap();
    assert_eq!(data.classes().len(), 12);
    assert_eq!(data.classes()[11], "11");
}

#[test]
fn the_packaged_fashion_mnist_is_balanced() {
    // Debian's package is optional; the folder tells whether it is installed.
    let Ok(dir) = FashionMnist::find(None) else {
        return;
    };
    let data = FashionMnist::open(&dir, Split::Test).unwrap();
    assert_eq!(data.len(), 10_000);
    let mut counts = [0; 10];
    (0..data.len()).for_each(|i| counts[data.label(i) as usize] += 1);
    assert_eq!(counts, [1000; 10]);
    assert_eq!(data.get(0).unwrap().image.pixels.len(), 28 * 28);
}
