use super::items::Memory;
use super::*;
use crate::{
    Dataset, DatasetSpec, ErrorKind, Image, Loader, LoaderConfig, Notice, OpenOptions, Opened,
    Order, Pipeline, Preprocess, Split,
};
use std::fs;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/parquet")
        .join(name)
}

fn open_spec(spec: &Path, split: Split) -> Result<Opened, DataError> {
    let spec = DatasetSpec::parse(spec.to_str().unwrap())?;
    spec.open(split, &OpenOptions::default())
}

/// Picture `i` of the fixtures.
fn picture(i: u8) -> Image {
    let pixels = (0..20).flat_map(|p| [i, p % 5, p / 5]).collect();
    Image {
        width: 5,
        height: 4,
        channels: 3,
        pixels,
    }
}

/// Checks that item `k` of `data` is picture `numbers[k]` with the label that `label` gives.
fn check_items(data: &dyn Dataset, numbers: &[u8], label: impl Fn(u8) -> u32) {
    assert_eq!(data.len(), numbers.len());
    // Backwards, so that no item finds its group as the one before left it.
    for (k, &number) in numbers.iter().enumerate().rev() {
        let sample = data.get(k).unwrap();
        assert_eq!(sample.image, picture(number), "item {k}");
        assert_eq!(
            (sample.label, data.label(k)),
            (label(number), label(number))
        );
    }
}

#[test]
fn a_hubs_folder_has_splits_names_of_classes_and_row_groups() {
    let train = open_spec(&fixture("hub"), Split::Train).unwrap().dataset;
    check_items(&*train, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], |i| {
        u32::from(i) % 3
    });
    assert_eq!(train.classes(), ["cat", "dog", "emu"]);
    assert_eq!(train.runs(), [0..3, 3..6, 6..7, 7..10, 10..12]);
    let origin = train.origin(8);
    assert!(
        origin.ends_with("train-00001-of-00002.parquet: row 1"),
        "{origin}"
    );
    for split in [Split::Val, Split::Test] {
        let val = open_spec(&fixture("hub"), split).unwrap().dataset;
        check_items(&*val, &[20, 21, 22, 23], |i| u32::from(i) % 3);
        assert_ne!(val.fingerprint(), train.fingerprint());
    }
    let pattern = fixture("hub/data/{split}-{00000..00001}-of-00002.parquet");
    let same = open_spec(&pattern, Split::Train).unwrap().dataset;
    assert_eq!(same.fingerprint(), train.fingerprint());
}

#[test]
fn cifars_columns_in_gzip_pages_of_the_second_version() {
    let train = open_spec(&fixture("cifar"), Split::Train).unwrap();
    check_items(&*train.dataset, &[0, 1, 2, 3, 4, 5, 6, 7, 8], |i| {
        u32::from(i) % 4
    });
    assert_eq!(train.dataset.classes(), ["0", "1", "2", "3"]);
    assert_eq!(train.report.count(Notice::SplitReplaced), 0);
    let val = open_spec(&fixture("cifar"), Split::Val).unwrap();
    check_items(&*val.dataset, &[30, 31, 32, 33], |i| u32::from(i) % 4);
    assert_eq!(val.report.count(Notice::SplitReplaced), 1);
}

#[test]
fn plain_bytes_in_zstd_pages_with_and_without_a_dictionary() {
    for split in [Split::Train, Split::Val] {
        let data = open_spec(&fixture("plain"), split).unwrap().dataset;
        check_items(&*data, &[0, 0, 1, 1, 2, 2, 3, 3], u32::from);
    }
}

/// Opens the files called `names`.
fn open_files(names: &[&str]) -> Tables {
    let files: Vec<PathBuf> = names.iter().map(|name| fixture(name)).collect();
    let (decode, limits) = (DecodeOptions::default(), ArchiveLimits::default());
    open(&files, &[], &fixture("plain"), decode, &limits).unwrap()
}

#[test]
fn row_groups_that_are_too_large_to_keep_are_read_by_the_page() {
    for (name, numbers) in [
        ("plain/train.parquet", &[0, 0, 1, 1, 2, 2, 3, 3][..]),
        ("plain/val.parquet", &[0, 0, 1, 1, 2, 2, 3, 3]),
        (
            "hub/data/validation-00000-of-00001.parquet",
            &[20, 21, 22, 23],
        ),
        ("cifar/test/0000.parquet", &[30, 31, 32, 33]),
    ] {
        let data = open_files(&[name]).with_memory(Memory { group: 0, kept: 0 });
        for (k, &number) in numbers.iter().enumerate() {
            assert_eq!(data.get(k).unwrap().image, picture(number), "{name} {k}");
        }
        assert_eq!(data.kept(), [] as [usize; 0]);
    }
}

#[test]
fn as_many_row_groups_are_kept_as_fit_and_those_used_last() {
    let hub = "hub/data/train-00000-of-00002.parquet";
    let both = [hub, "hub/data/train-00001-of-00002.parquet"];
    let sizes: Vec<u64> = open_files(&both).image_bytes();
    let kept = sizes[0] + sizes[1] + sizes[2];
    let data = open_files(&both).with_memory(Memory {
        group: 1 << 20,
        kept,
    });
    for (item, expected) in [
        (0, &[0][..]),
        (3, &[0, 1]),
        (6, &[0, 1, 2]),
        (1, &[1, 2, 0]),
        (6, &[1, 0, 2]),
        (7, &[0, 2, 3]),
    ] {
        data.get(item).unwrap();
        let found = data.kept();
        assert!(
            found.ends_with(&expected[expected.len().min(2) - 1..]),
            "{item}: {found:?}"
        );
        let bytes: u64 = found.iter().map(|&g| sizes[g]).sum();
        assert!(bytes <= kept, "{item}: {found:?}");
    }
}

#[test]
fn any_order_and_a_resume_give_the_same_pictures() {
    let data = open_spec(&fixture("hub"), Split::Train).unwrap().dataset;
    let mut preprocess = Preprocess::photograph(4, 5);
    preprocess.resize = None;
    let transform = Arc::new(Pipeline::evaluation(preprocess).unwrap());
    for order in [Order::Shuffled, Order::Runs { mix: 2 }, Order::Sequential] {
        let config = LoaderConfig {
            batch_size: 5,
            order,
            workers: 3,
            epochs: Some(2),
            ..LoaderConfig::default()
        };
        let loader = |start| {
            let config = LoaderConfig {
                start,
                ..config.clone()
            };
            Loader::new(data.clone(), transform.clone(), config).unwrap()
        };
        let mut first = loader(crate::Position::default());
        let mut batches = Vec::new();
        let mut at = Vec::new();
        while let Some(batch) = first.next() {
            let batch = batch.unwrap();
            batches.push((batch.items.clone(), batch.images.clone()));
            at.push(first.position());
        }
        let mut items: Vec<usize> = batches
            .iter()
            .flat_map(|(items, _)| items.clone())
            .collect();
        let resumed = loader(at[3]).map(|b| b.unwrap());
        let resumed: Vec<_> = resumed
            .map(|b| (b.items.clone(), b.images.clone()))
            .collect();
        assert_eq!(resumed, batches[4..]);
        items.sort_unstable();
        let twice: Vec<usize> = (0..24).map(|i| i / 2).collect();
        assert_eq!(items, twice, "{order:?}");
    }
}

#[test]
fn what_is_wrong_is_told_with_file_row_and_column() {
    for (name, expected) in [
        ("label_null", "row 1: column label: there is no label"),
        (
            "label_secret",
            "row 0: column label: label -1, which stands for a label that is not",
        ),
        (
            "label_negative",
            "row 2: column label: label -7, must be 0…1048575",
        ),
        (
            "label_huge",
            "row 2: column label: label 1099511627776, must be 0…1048575",
        ),
        (
            "label_text",
            "column label: expected an integer, found BYTE_ARRAY",
        ),
        ("label_list", "expected columns image or img"),
        ("no_label", "found image.bytes, image.path, text\\u{1b}"),
        ("image_number", "column image: expected bytes, found INT64"),
        (
            "too_few_names",
            "row 1: column label: label 1, but 1 classes are named",
        ),
        (
            "names_no_texts",
            "metadata huggingface: names of label: expected texts",
        ),
        ("bad_json", "metadata huggingface: EOF while parsing"),
        (
            "other_names",
            "class 1 is called \"c\", in the files before \"b\"",
        ),
        ("brotli", "row group 0, column label: compressed as BROTLI"),
        (
            "part_missing",
            "train-00000-of-00002.parquet: this file is missing, though 2 are",
        ),
        ("empty", "the files have no rows"),
    ] {
        let error = open_spec(&fixture("odd").join(name), Split::Train)
            .err()
            .unwrap();
        let text = error.to_string();
        assert!(text.contains(expected), "{name}: {text}");
        assert!(text.contains(&format!("odd/{name}")), "{name}: {text}");
        assert_eq!(error.kind(), ErrorKind::Malformed, "{name}");
    }
}

#[test]
fn a_picture_that_is_none_is_an_error_of_its_item_alone() {
    for (name, bad) in [
        (
            "image_null",
            &[(3, "row 3: column image: there is no picture")][..],
        ),
        (
            "image_text",
            &[
                (
                    1,
                    "row 1: column image: not a JPEG, PNG or WebP (first bytes 3c 68",
                ),
                (
                    3,
                    "row 3: column image: not a JPEG, PNG or WebP (the file is empty)",
                ),
            ],
        ),
    ] {
        let data = open_spec(&fixture("odd").join(name), Split::Train)
            .unwrap()
            .dataset;
        for i in 0..4 {
            let expected = bad.iter().find(|(item, _)| *item == i);
            match (data.get(i), expected) {
                (Ok(sample), None) => assert_eq!(sample.image, picture(i as u8)),
                (Err(error), Some((_, text))) => {
                    assert!(error.to_string().contains(text), "{error}");
                    assert_eq!(error.kind(), ErrorKind::Malformed);
                }
                (found, _) => panic!("{name} {i}: {found:?}"),
            }
        }
    }
}

/// Writes `bytes` as a training set and opens it; then reads all items. The first error.
fn read_all(dir: &Path, bytes: &[u8]) -> Result<usize, DataError> {
    fs::write(dir.join("train.parquet"), bytes).unwrap();
    let data = open_spec(dir, Split::Train)?.dataset;
    (0..data.len()).try_for_each(|i| data.get(i).map(drop))?;
    Ok(data.len())
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let whole = fs::read(fixture("hub/data/validation-00000-of-00001.parquet")).unwrap();
    assert_eq!(read_all(dir.path(), &whole).unwrap(), 4);
    for length in 0..whole.len() {
        let error = read_all(dir.path(), &whole[..length]).unwrap_err();
        assert!(
            error.to_string().contains("train.parquet"),
            "{length}: {error}"
        );
        assert!(
            matches!(error.kind(), ErrorKind::Malformed | ErrorKind::Limit),
            "{length}: {error}"
        );
    }
}

#[test]
fn a_damaged_bit_anywhere_is_an_error_or_harmless_and_never_a_panic() {
    let dir = tempfile::tempdir().unwrap();
    for name in [
        "hub/data/validation-00000-of-00001.parquet",
        "plain/val.parquet",
    ] {
        let whole = fs::read(fixture(name)).unwrap();
        let (mut refused, mut total) = (0, 0);
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << (at % 8);
            total += 1;
            if let Err(error) = read_all(dir.path(), &damaged) {
                refused += 1;
                let kind = error.kind();
                assert!(
                    matches!(kind, ErrorKind::Malformed | ErrorKind::Limit),
                    "{name} {at}: {error}"
                );
                assert!(error.to_string().contains("train.parquet"), "{at}: {error}");
            }
        }
        // Names, statistics and the like are not read.
        assert!(
            refused * 4 > total,
            "{name}: {refused} of {total} were refused"
        );
    }
}

#[test]
fn a_page_that_claims_more_than_allowed_is_refused_before_it_is_allocated() {
    let dir = tempfile::tempdir().unwrap();
    let mut bytes = fs::read(fixture("plain/val.parquet")).unwrap();
    // The pictures' first page: its kind, then its size, which takes two bytes.
    assert_eq!(bytes[4..7], [0x15, 0, 0x15]);
    assert!(bytes[7] & 0x80 != 0 && bytes[8] & 0x80 == 0);
    // Five bytes: 2 GiB less one; what follows no longer fits, which nobody gets to see.
    bytes[7..12].copy_from_slice(&[0xFE, 0xFF, 0xFF, 0xFF, 0x0F]);
    let error = read_all(dir.path(), &bytes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
    let expected = "row 0: column image: a page claims 2147483647 bytes, 268435456 are allowed";
    assert!(error.to_string().contains(expected), "{error}");
}

#[test]
fn more_rows_than_allowed_and_a_description_of_gigabytes_reach_a_limit() {
    let files = [fixture("plain/val.parquet")];
    let limits = ArchiveLimits {
        entries: 7,
        ..ArchiveLimits::default()
    };
    let error = open(
        &files,
        &[],
        Path::new("."),
        DecodeOptions::default(),
        &limits,
    );
    let error = error.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Limit);
    assert!(
        error.to_string().contains("to 8 rows, 7 are allowed"),
        "{error}"
    );

    let dir = tempfile::tempdir().unwrap();
    let mut bytes = fs::read(&files[0]).unwrap();
    let at = bytes.len() - 8;
    bytes[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    let error = read_all(dir.path(), &bytes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit);
    assert!(
        error.to_string().contains("claims 4294967295 bytes"),
        "{error}"
    );
}

#[test]
fn a_file_that_shrinks_after_it_was_indexed_has_bad_items() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("train.parquet");
    fs::copy(fixture("plain/val.parquet"), &path).unwrap();
    let data = open_spec(dir.path(), Split::Train).unwrap().dataset;
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(400).unwrap();
    let error = data.get(7).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("train.parquet: row 7: column image:"),
        "{error}"
    );
    fs::remove_file(&path).unwrap();
    assert_eq!(data.get(7).unwrap_err().kind(), ErrorKind::Io);
}
