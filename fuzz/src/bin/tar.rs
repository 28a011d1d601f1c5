//! Tar archives, as shards: headers get the checksum that their bytes have. Names and places
//! of pictures agree with the crate `tar` where both read the archive.
#![no_main]

use fuzz::Slot;
use inception_data::{ArchiveLimits, DatasetSpec, OpenOptions, Split};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static SHARD: LazyLock<(Slot, DatasetSpec)> = LazyLock::new(|| {
    let folder = fuzz::folder();
    let pattern = folder.join("a-{0..0}.tar");
    (Slot::new(&folder, "a-0.tar"), DatasetSpec::Path(pattern))
});

fuzz_target!(|bytes: &[u8]| {
    let (slot, spec) = &*SHARD;
    let mut bytes = bytes.to_vec();
    fuzz::build::sum_headers(&mut bytes);
    slot.fill(&bytes);
    let options = OpenOptions {
        archives: ArchiveLimits {
            entries: 1000,
            ..ArchiveLimits::default()
        },
        ..OpenOptions::default()
    };
    let opened = match spec.open(Split::Train, &options) {
        Ok(opened) => opened,
        Err(error) => return fuzz::refused_data(&error),
    };
    for i in 0..opened.dataset.len() {
        assert!((opened.dataset.label(i) as usize) < opened.dataset.classes().len());
        // No input is a picture by intent; that it is none is an answer too.
        let _ = opened.dataset.get(i);
    }
});
