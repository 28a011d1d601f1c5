//! Miniatures of ImageNet.

use inception_testkit::{Miniature, Oddity, imagenet};
use std::collections::BTreeSet;
use std::io::Read;

fn small() -> Miniature {
    Miniature {
        classes: 4,
        train: 3,
        val: 2,
        ..Miniature::default()
    }
}

/// Names and contents of a tar's entries.
fn entries(reader: impl Read) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(reader);
    let read = |entry: std::io::Result<tar::Entry<'_, _>>| {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (name, bytes)
    };
    archive.entries().unwrap().map(read).collect()
}

#[test]
fn archives_are_a_tar_of_tars_a_flat_tar_and_a_kit() {
    let dir = tempfile::tempdir().unwrap();
    let miniature = small();
    miniature.write_archives(dir.path()).unwrap();
    let open = |name: &str| std::fs::File::open(dir.path().join(name)).unwrap();
    let classes = entries(open("ILSVRC2012_img_train.tar"));
    assert_eq!(classes.len(), 4);
    assert_eq!(classes[0].0, "n01440764.tar");
    let pictures = entries(&classes[1].1[..]);
    let expected: Vec<(String, Vec<u8>)> = miniature
        .train_pictures(1)
        .into_iter()
        .map(|p| (p.name, p.bytes))
        .collect();
    assert_eq!(pictures, expected);
    assert_eq!(entries(open("ILSVRC2012_img_val.tar")).len(), 8);
    let kit = flate2::read::GzDecoder::new(open("ILSVRC2012_devkit_t12.tar.gz"));
    let names: Vec<String> = entries(kit).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names[1], "ILSVRC2012_devkit_t12/data/meta.mat");
    assert_eq!(
        names[2],
        "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt"
    );
}

#[test]
fn odd_files_stand_once_each_and_the_first_pictures_are_plain() {
    let oddities = [&Oddity::USABLE[..], &[Oddity::Truncated, Oddity::Html]].concat();
    let miniature = Miniature {
        oddities: oddities.clone(),
        ..small()
    };
    let all: Vec<_> = (0..4).flat_map(|c| miniature.train_pictures(c)).collect();
    let found: Vec<Oddity> = all.iter().filter_map(|p| p.oddity).collect();
    assert_eq!(found.len(), oddities.len());
    assert!(oddities.iter().all(|o| found.contains(o)));
    let kinds: BTreeSet<u8> = all.iter().map(|p| p.bytes[0]).collect();
    assert_eq!(kinds, BTreeSet::from([0xFF, 0x89, b'<']));
    let first = miniature.train_pictures(0).into_iter();
    let first: Vec<_> = first.filter(|p| p.name == "n01440764_3.JPEG").collect();
    assert_eq!(first[0].oddity, None);
}

#[test]
fn a_miniature_is_a_function_of_its_fields() {
    assert_eq!(small().val_pictures(), small().val_pictures());
    let other = Miniature { seed: 1, ..small() };
    assert_ne!(small().val_pictures(), other.val_pictures());
    let ids: Vec<usize> = Miniature::default()
        .synsets()
        .iter()
        .map(|s| s.ilsvrc_id)
        .collect();
    assert!(!ids.is_sorted(), "numbers are not in the order of names");
}

#[test]
fn categories_differ_more_than_pictures_of_one() {
    let colour = |label: usize, key: u64| {
        let image = imagenet::draw(label, 40, &mut inception_tensor::Stream::new(&[key]));
        let n = f64::from(image.width() * image.height());
        [0, 1, 2].map(|c| image.pixels().map(|p| f64::from(p.0[c])).sum::<f64>() / n)
    };
    let distance = |a: [f64; 3], b: [f64; 3]| (0..3).map(|c| (a[c] - b[c]).abs()).sum::<f64>();
    assert!(distance(colour(0, 1), colour(10, 2)) > 2.0 * distance(colour(0, 1), colour(0, 2)));
}
