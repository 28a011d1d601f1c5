//! Memory of a long run, in a process of its own.
#![cfg(target_os = "linux")]

use inception_data::{Augment, DatasetSpec, Loader, LoaderConfig, OpenOptions, Pipeline, Split};
use inception_testkit::Miniature;
use std::sync::Arc;

/// Resident bytes of this process.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kilobytes << 10
}

#[test]
fn memory_is_flat_over_two_thousand_batches_at_full_speed() {
    let dir = tempfile::tempdir().unwrap();
    let miniature = Miniature {
        side: 32,
        ..Miniature::default()
    };
    miniature.write_archives(dir.path()).unwrap();
    let spec = DatasetSpec::Path(dir.path().to_owned());
    let opened = spec.open(Split::Train, &OpenOptions::default()).unwrap();
    let preprocess = opened.preprocess([3, 24, 24]);
    let augment = Augment::basic(&preprocess);
    let pipeline = Arc::new(Pipeline::new(preprocess, augment).unwrap());
    let config = LoaderConfig {
        batch_size: 8,
        workers: 2,
        ..LoaderConfig::default()
    };
    let mut loader = Loader::new(opened.dataset, pipeline, config).unwrap();
    let mut run = |batches| {
        for batch in loader.by_ref().take(batches) {
            assert_eq!(batch.unwrap().len(), 8);
        }
        resident()
    };
    let warm = run(200);
    let end = run(2_000);
    let grown = end.saturating_sub(warm);
    assert!(grown < 2 << 20, "{warm} bytes grew by {grown}");
}
