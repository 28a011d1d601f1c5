//! CIFAR's binary files. The first byte says which set and how many records, labels follow,
//! and the rest stands behind the last record; pixels are whatever they are.
#![no_main]

use fuzz::Slot;
use inception_data::{Cifar, CifarKind, CifarSize, Dataset, Split};
use libfuzzer_sys::fuzz_target;
use std::path::PathBuf;
use std::sync::LazyLock;

static FILES: LazyLock<[(Slot, PathBuf); 2]> = LazyLock::new(|| {
    [("ten", "test_batch.bin"), ("hundred", "test.bin")].map(|(folder, file)| {
        let folder = fuzz::folder().join(folder);
        std::fs::create_dir_all(&folder).expect("a folder");
        (Slot::new(&folder, file), folder)
    })
});

fuzz_target!(|bytes: &[u8]| {
    let Some((&head, mut rest)) = bytes.split_first() else {
        return;
    };
    let (kind, place, labels) = match head & 1 {
        0 => (CifarKind::Cifar10, 0, 1),
        _ => (CifarKind::Cifar100, 1, 2),
    };
    let mut file = Vec::new();
    for _ in 0..(head >> 1) % 3 {
        let taken = rest.split_off(..labels.min(rest.len())).unwrap_or_default();
        file.extend(taken);
        file.extend([0; 3072]);
    }
    file.extend(rest);
    let (slot, folder) = &FILES[place];
    slot.fill(&file);
    match Cifar::open(kind, folder, Split::Test, CifarSize::Any) {
        Ok(opened) => {
            let set = opened.dataset;
            assert!(!set.is_empty());
            for i in 0..set.len() {
                let sample = set.get(i).expect("a picture in memory");
                assert_eq!(sample.image.pixels.len(), 3072);
                assert!((sample.label as usize) < set.classes().len());
            }
        }
        Err(error) => fuzz::refused_data(&error),
    }
});
