//! IDX files, packed or not: two bytes say how long the pictures are, the labels follow.
#![no_main]

use fuzz::Slot;
use inception_data::{Dataset, Idx, Split};
use libfuzzer_sys::fuzz_target;
use std::path::PathBuf;
use std::sync::LazyLock;

static FILES: LazyLock<(Slot, Slot, PathBuf)> = LazyLock::new(|| {
    let folder = fuzz::folder();
    (
        Slot::new(&folder, "train-images-idx3-ubyte"),
        Slot::new(&folder, "train-labels-idx1-ubyte"),
        folder,
    )
});

fuzz_target!(|bytes: &[u8]| {
    let Some((&[low, high], rest)) = bytes.split_first_chunk::<2>() else {
        return;
    };
    let (images, labels, folder) = &*FILES;
    let at = usize::from(u16::from_le_bytes([low, high])).min(rest.len());
    images.fill(&rest[..at]);
    labels.fill(&rest[at..]);
    match Idx::open(folder, Split::Train, None) {
        Ok(set) => {
            let [_, height, width] = set.native();
            for i in 0..set.len() {
                let sample = set.get(i).expect("a picture in memory");
                assert_eq!(sample.image.pixels.len(), height * width);
                assert!((sample.label as usize) < set.classes().len());
            }
        }
        Err(error) => fuzz::refused_data(&error),
    }
});
