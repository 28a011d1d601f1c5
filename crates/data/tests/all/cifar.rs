//! CIFAR binaries, good and malformed.

use inception_data::{
    Cifar, CifarKind, CifarSize, DataError, Dataset, ErrorKind, Notice, OpenedCifar, Split,
};
use std::path::Path;

/// `n` records whose labels count up and whose planes hold constants.
fn records(kind: CifarKind, n: u8, salt: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    for i in 0..n {
        match kind {
            CifarKind::Cifar10 => bytes.push(i % 10),
            CifarKind::Cifar100 => bytes.extend([i % 20, i % 100]),
        }
        for plane in 0..3 {
            bytes.extend([salt + i + plane * 50; 1024]);
        }
    }
    bytes
}

fn cifar10(dir: &Path) {
    for (i, name) in CifarKind::Cifar10.files(Split::Train).iter().enumerate() {
        let bytes = records(CifarKind::Cifar10, 4, i as u8 * 10);
        std::fs::write(dir.join(name), bytes).unwrap();
    }
    let bytes = records(CifarKind::Cifar10, 3, 77);
    std::fs::write(dir.join("test_batch.bin"), bytes).unwrap();
}

fn open(dir: &Path, split: Split) -> Result<OpenedCifar, DataError> {
    Cifar::open(CifarKind::Cifar10, dir, split, CifarSize::Any)
}

fn failure(result: Result<OpenedCifar, DataError>) -> DataError {
    match result {
        Ok(_) => panic!("malformed files were accepted"),
        Err(error) => error,
    }
}

#[test]
fn planes_become_pixels_and_files_follow_each_other() {
    let dir = tempfile::tempdir().unwrap();
    cifar10(dir.path());
    let opened = open(dir.path(), Split::Train).unwrap();
    assert!(opened.report.is_empty());
    let data = opened.dataset;
    assert_eq!(data.len(), 20);
    let sample = data.get(6).unwrap();
    assert_eq!(sample.label, 2);
    assert_eq!(sample.image.pixels[..6], [12, 62, 112, 12, 62, 112]);
    assert!(data.origin(6).ends_with("data_batch_2.bin record 2"));
    assert_eq!(data.classes()[2], "bird");
    assert_eq!(open(dir.path(), Split::Val).unwrap().dataset.len(), 3);
}

#[test]
fn the_fine_label_is_the_class_of_cifar100() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("cifar-100-binary");
    std::fs::create_dir(&folder).unwrap();
    let bytes = records(CifarKind::Cifar100, 30, 0);
    std::fs::write(folder.join("test.bin"), bytes).unwrap();
    assert_eq!(Cifar::kind_in(dir.path()), Some(CifarKind::Cifar100));
    let data = Cifar::open(CifarKind::Cifar100, dir.path(), Split::Test, CifarSize::Any)
        .unwrap()
        .dataset;
    assert_eq!(data.classes().len(), 100);
    assert_eq!(data.label(25), 25);
    assert_eq!(data.get(25).unwrap().image.pixels[..3], [25, 75, 125]);
}

#[test]
fn labels_out_of_range_name_record_and_byte() {
    let dir = tempfile::tempdir().unwrap();
    for bad in [10, 255] {
        cifar10(dir.path());
        let mut bytes = records(CifarKind::Cifar10, 4, 0);
        bytes[2 * 3073] = bad;
        std::fs::write(dir.path().join("data_batch_4.bin"), bytes).unwrap();
        let error = failure(open(dir.path(), Split::Train));
        let expected = format!("data_batch_4.bin: record 2 at byte 6146: label {bad}, must be 0…9");
        assert!(error.to_string().ends_with(&expected), "{error}");
        assert_eq!(error.kind(), ErrorKind::Malformed);
    }
    for (at, expected) in [
        (3074, "record 1 at byte 3074: coarse label 20, must be 0…19"),
        (3075, "record 1 at byte 3075: fine label 100, must be 0…99"),
    ] {
        let mut bytes = records(CifarKind::Cifar100, 2, 0);
        bytes[at] = if at == 3074 { 20 } else { 100 };
        std::fs::write(dir.path().join("train.bin"), bytes).unwrap();
        let result = Cifar::open(
            CifarKind::Cifar100,
            dir.path(),
            Split::Train,
            CifarSize::Any,
        );
        let error = failure(result);
        assert!(error.to_string().ends_with(expected), "{error}");
    }
}

#[test]
fn published_files_have_exactly_their_size() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("test_batch.bin");
    let open = || {
        Cifar::open(
            CifarKind::Cifar10,
            dir.path(),
            Split::Test,
            CifarSize::Published,
        )
    };
    for size in [0, 30_729_999, 30_730_001] {
        std::fs::File::create(&path).unwrap().set_len(size).unwrap();
        let error = failure(open());
        let expected = format!("expected 30730000 bytes, found {size}");
        assert!(error.to_string().ends_with(&expected), "{error}");
    }
    std::fs::File::create(&path)
        .unwrap()
        .set_len(30_730_000)
        .unwrap();
    assert_eq!(open().unwrap().dataset.len(), 10_000);
}

#[test]
fn compressed_and_pickled_files_are_recognised() {
    let dir = tempfile::tempdir().unwrap();
    for (start, hint) in [
        (&[0x1F, 0x8B, 8, 0][..], "still gzip-compressed"),
        (&[0x80, 3, 0x7D, 0x71], "a Python pickle"),
    ] {
        cifar10(dir.path());
        std::fs::write(dir.path().join("data_batch_2.bin"), start).unwrap();
        let error = failure(open(dir.path(), Split::Train));
        assert!(error.to_string().contains(hint), "{error}");
    }
}

#[test]
fn archives_and_the_python_version_are_named() {
    for (entry, hint) in [
        (
            "cifar-10-binary.tar.gz",
            "unpack it with `tar -xzf cifar-10-binary.tar.gz`",
        ),
        (
            "cifar-10-batches-py/data_batch_1",
            "this is the Python version",
        ),
        ("data_batch_1", "this is the Python version"),
        ("data_batch_1.bin.gz", "still compressed"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(entry);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, b"x").unwrap();
        let error = failure(open(dir.path(), Split::Train));
        assert!(error.to_string().contains(hint), "{error}");
        assert_eq!(error.kind(), ErrorKind::Malformed);
    }
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(
        failure(open(dir.path(), Split::Train)).kind(),
        ErrorKind::Io
    );
}

#[test]
fn a_missing_file_is_named_beside_those_that_are_there() {
    let dir = tempfile::tempdir().unwrap();
    cifar10(dir.path());
    std::fs::remove_file(dir.path().join("data_batch_3.bin")).unwrap();
    let error = failure(open(dir.path(), Split::Train));
    let text = error.to_string();
    assert!(
        text.contains("data_batch_3.bin: the file is missing"),
        "{text}"
    );
    assert!(text.contains("data_batch_1.bin, data_batch_2.bin, data_batch_4.bin"));
    assert_eq!(error.kind(), ErrorKind::Malformed);
}

#[test]
fn the_same_content_twice_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    cifar10(dir.path());
    let path = |name: &str| dir.path().join(name);
    std::fs::copy(path("data_batch_1.bin"), path("data_batch_5.bin")).unwrap();
    std::fs::copy(path("data_batch_2.bin"), path("test_batch.bin")).unwrap();
    for split in [Split::Train, Split::Test] {
        let report = open(dir.path(), split).unwrap().report;
        assert_eq!(report.count(Notice::DuplicateContent), 2);
    }
}
