//! Names and paths to datasets.

use inception_data::{
    CifarKind, CifarSize, DataError, DatasetSpec, ErrorKind, FashionMnist, Holdout, Notice,
    OpenOptions, Opened, ResizeSpec, Split,
};
use std::path::Path;

fn open(text: &str, split: Split, options: &OpenOptions) -> Result<Opened, DataError> {
    DatasetSpec::parse(text)?.open(split, options)
}

fn failure(text: &str, options: &OpenOptions) -> DataError {
    match open(text, Split::Train, options) {
        Ok(_) => panic!("{text} was opened"),
        Err(error) => error,
    }
}

fn write(path: impl AsRef<Path>, bytes: &[u8]) {
    std::fs::create_dir_all(path.as_ref().parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn idx(dims: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, dims.len() as u8];
    dims.iter().for_each(|d| bytes.extend(d.to_be_bytes()));
    bytes.extend(data);
    bytes
}

fn write_idx(dir: &Path) {
    for (prefix, n) in [("train", 6), ("t10k", 2)] {
        let images = idx(&[n, 2, 2], &vec![7; n as usize * 4]);
        write(dir.join(format!("{prefix}-images-idx3-ubyte")), &images);
        let labels = idx(&[n], &vec![3; n as usize]);
        write(dir.join(format!("{prefix}-labels-idx1-ubyte")), &labels);
    }
}

#[test]
fn names_are_parsed_and_everything_else_is_a_path() {
    for name in DatasetSpec::NAMES {
        let spec = DatasetSpec::parse(name).unwrap();
        assert!(!matches!(spec, DatasetSpec::Path(_)));
        assert_eq!(spec.to_string(), name);
    }
    let spec = DatasetSpec::parse("data/shapes").unwrap();
    assert_eq!(spec, DatasetSpec::Path("data/shapes".into()));
    assert_eq!(DatasetSpec::parse("").unwrap_err().kind(), ErrorKind::Usage);
}

#[test]
fn unknown_names_list_the_known_ones() {
    let error = failure("fashoin-mnist", &OpenOptions::default());
    assert!(
        error
            .to_string()
            .contains("shapes, fashion-mnist, cifar10, cifar100")
    );
    assert_eq!(error.kind(), ErrorKind::Usage);
}

#[test]
fn paths_are_told_by_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let options = OpenOptions {
        cifar: CifarSize::Any,
        ..OpenOptions::default()
    };
    let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();

    let record = [vec![1], vec![9; 3072]].concat();
    for i in 1..=5 {
        write(format!("{}/data_batch_{i}.bin", path("c10")), &record);
    }
    let opened = open(&path("c10"), Split::Train, &options).unwrap();
    assert_eq!(opened.native, Some([3, 32, 32]));
    assert_eq!(opened.report.count(Notice::DuplicateContent), 4);

    write_idx(&dir.path().join("digits"));
    let opened = open(&path("digits"), Split::Train, &options).unwrap();
    assert_eq!(opened.dataset.classes()[3], "3");
    write_idx(&dir.path().join("My-Fashion"));
    let opened = open(&path("My-Fashion"), Split::Train, &options).unwrap();
    assert_eq!(opened.dataset.classes()[3], "Dress");

    write(format!("{}/train/cat/1.png", path("folder")), b"");
    let opened = open(&path("folder"), Split::Train, &options).unwrap();
    assert_eq!(opened.dataset.classes(), ["cat"]);
    assert_eq!(opened.native, None);

    write(
        format!("{}/cifar-10-batches-py/data_batch_1", path("py")),
        b"",
    );
    let error = failure(&path("py"), &options).to_string();
    assert!(error.contains("Python version"), "{error}");
    write(path("file.tar"), b"");
    assert_eq!(
        failure(&path("file.tar"), &options).kind(),
        ErrorKind::Usage
    );
    std::fs::create_dir(path("empty")).unwrap();
    let error = failure(&path("empty"), &options);
    assert!(error.to_string().contains("found 0 classes"), "{error}");
}

#[test]
fn named_sets_are_looked_for_in_the_data_folder() {
    let dir = tempfile::tempdir().unwrap();
    let options = OpenOptions {
        data_dir: Some(dir.path().to_owned()),
        cifar: CifarSize::Any,
        ..OpenOptions::default()
    };
    let error = failure("fashion-mnist", &options).to_string();
    assert!(
        error.contains("apt-get install dataset-fashion-mnist"),
        "{error}"
    );
    let error = failure("cifar100", &options).to_string();
    assert!(error.contains("cifar-100-binary.tar.gz"), "{error}");
    write_idx(&dir.path().join("fashion-mnist"));
    let opened = open("fashion-mnist", Split::Val, &options).unwrap();
    assert_eq!(opened.dataset.len(), 2);
    let record = [vec![1, 99], vec![9; 3072]].concat();
    let folder = CifarKind::Cifar100.folder();
    write(
        dir.path().join("cifar100").join(folder).join("train.bin"),
        &record,
    );
    let opened = open("cifar100", Split::Train, &options).unwrap();
    assert_eq!(
        opened.dataset.classes()[opened.dataset.label(0) as usize],
        "worm"
    );
}

#[test]
fn a_holdout_takes_validation_from_training_and_leaves_the_test_set() {
    let dir = tempfile::tempdir().unwrap();
    write_idx(&dir.path().join("set"));
    let path = dir.path().join("set").to_string_lossy().into_owned();
    let holdout = Holdout {
        fraction: 1.0 / 3.0,
        seed: 1,
    };
    let held = OpenOptions {
        holdout: Some(holdout),
        ..OpenOptions::default()
    };
    let len = |split, options: &OpenOptions| open(&path, split, options).unwrap().dataset.len();
    let plain = OpenOptions::default();
    let lens = |options| [Split::Train, Split::Val, Split::Test].map(|s| len(s, options));
    assert_eq!(lens(&plain), [6, 2, 2]);
    assert_eq!(lens(&held), [4, 2, 2]);
    let origin = |o: &Opened| o.dataset.origin(0);
    let val = open(&path, Split::Val, &held).unwrap();
    assert!(origin(&val).contains("train-images"), "{}", origin(&val));
}

#[test]
fn preprocessing_follows_the_pictures_and_the_network() {
    let shapes = open("shapes", Split::Val, &OpenOptions::default()).unwrap();
    assert_eq!(shapes.preprocess([3, 32, 32]).resize, None);
    let stretched = shapes.preprocess([1, 48, 32]);
    assert_eq!(stretched.resize, Some(ResizeSpec::Stretch));
    assert_eq!(stretched.mean.len(), 1);
    stretched.validate().unwrap();
    let dir = tempfile::tempdir().unwrap();
    write(dir.path().join("train/a/1.png"), b"");
    let path = dir.path().to_string_lossy().into_owned();
    let folder = open(&path, Split::Train, &OpenOptions::default()).unwrap();
    let preprocess = folder.preprocess([3, 224, 224]);
    assert_eq!(preprocess.resize, Some(ResizeSpec::Shorter(256)));
}

#[test]
fn fashion_mnist_is_found_where_the_package_puts_it() {
    // Debian's package is optional; the folder tells whether it is installed.
    if FashionMnist::find(None).is_err() {
        return;
    }
    let opened = open("fashion-mnist", Split::Train, &OpenOptions::default()).unwrap();
    assert_eq!(opened.dataset.len(), 60_000);
    assert_eq!(opened.native, Some([1, 28, 28]));
}
