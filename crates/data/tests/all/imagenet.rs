//! ImageNet in the layouts that its users have.

use inception_data::{
    DataError, DatasetSpec, DecodeNote, ErrorKind, Notice, OpenOptions, Opened, Split, check,
};
use inception_tensor::Pool;
use inception_testkit::{Miniature, Oddity};
use std::path::Path;

fn miniature() -> Miniature {
    Miniature {
        classes: 6,
        train: 4,
        val: 3,
        side: 24,
        ..Miniature::default()
    }
}

fn open(dir: &Path, split: Split) -> Result<Opened, DataError> {
    DatasetSpec::Path(dir.to_owned()).open(split, &OpenOptions::default())
}

fn failure(dir: &Path, split: Split) -> DataError {
    match open(dir, split) {
        Ok(_) => panic!("{} was opened", dir.display()),
        Err(error) => error,
    }
}

/// Labels, and a digest of pixels, of every item in order.
fn content(opened: &Opened) -> Vec<(u32, u64)> {
    let dataset = &opened.dataset;
    (0..dataset.len())
        .map(|i| {
            let sample = dataset.get(i).unwrap();
            assert_eq!(sample.label, dataset.label(i));
            let sum = sample
                .image
                .pixels
                .iter()
                .fold(0_u64, |h, &p| h.wrapping_mul(31).wrapping_add(u64::from(p)));
            (sample.label, sum)
        })
        .collect()
}

type Write = fn(&Miniature, &Path) -> std::io::Result<()>;

/// The layouts that hold both splits.
const LAYOUTS: [(&str, Write); 6] = [
    ("archives", Miniature::write_archives),
    ("folders", Miniature::write_folders),
    ("Kaggle", Miniature::write_kaggle),
    ("class archives", |m, dir| {
        m.write_class_archives(dir)?;
        m.write_val_archive(dir)?;
        m.write_unpacked_devkit(dir)
    }),
    ("train folders, flat val", |m, dir| {
        m.write_train_folders(dir)?;
        m.write_flat_val(dir)?;
        m.write_devkit(dir)
    }),
    ("train folders, val archive", |m, dir| {
        m.write_train_folders(dir)?;
        m.write_val_archive(dir)?;
        m.write_devkit(dir)
    }),
];

#[test]
fn every_layout_holds_the_same_pictures_with_the_same_labels() {
    let miniature = miniature();
    let mut expected = None;
    for (name, write) in LAYOUTS {
        let dir = tempfile::tempdir().unwrap();
        write(&miniature, dir.path()).unwrap();
        let train = open(dir.path(), Split::Train).unwrap();
        let val = open(dir.path(), Split::Val).unwrap();
        assert!(train.report.is_empty(), "{name}: {}", train.report);
        for opened in [&train, &val] {
            assert_eq!(opened.dataset.classes()[1], "n01443537", "{name}");
            let title = "goldfish, Carassius auratus";
            assert_eq!(opened.dataset.titles()[1], title, "{name}");
        }
        // Class folders sort a flat validation set by class.
        let mut val = content(&val);
        val.sort_unstable();
        let found = (content(&train), val);
        assert_eq!(found.0.len(), 24, "{name}");
        assert_eq!(
            expected.get_or_insert_with(|| found.clone()),
            &found,
            "{name}"
        );
    }
}

#[test]
fn other_lists_of_validation_labels_say_the_same() {
    let miniature = miniature();
    let synsets = miniature.synsets();
    let pictures = miniature.val_pictures();
    let labels = |line: &dyn Fn(&str, usize) -> String| -> String {
        pictures.iter().map(|p| line(&p.name, p.label)).collect()
    };
    let by_identifier = labels(&|_, label| format!("{}\n", synsets[label].wnid));
    let caffe = labels(&|name, label| format!("{name} {label}\n"));
    for (list, text) in [
        ("imagenet_2012_validation_synset_labels.txt", by_identifier),
        ("val.txt", caffe),
    ] {
        let dir = tempfile::tempdir().unwrap();
        miniature.write_val_archive(dir.path()).unwrap();
        std::fs::write(
            dir.path().join("synset_words.txt"),
            miniature.synset_words(),
        )
        .unwrap();
        std::fs::write(dir.path().join(list), text).unwrap();
        let val = open(dir.path(), Split::Val).unwrap();
        let found: Vec<u32> = (0..18).map(|i| val.dataset.label(i)).collect();
        let expected: Vec<u32> = pictures.iter().map(|p| p.label as u32).collect();
        assert_eq!(found, expected, "{list}");
    }
}

#[test]
fn opening_and_reading_archives_writes_nothing_anywhere() {
    let dir = tempfile::tempdir().unwrap();
    miniature().write_archives(dir.path()).unwrap();
    let list = || {
        let mut files: Vec<_> = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|e| {
                let entry = e.unwrap();
                let meta = entry.metadata().unwrap();
                (entry.file_name(), meta.len(), meta.modified().unwrap())
            })
            .collect();
        files.sort();
        files
    };
    let before = list();
    content(&open(dir.path(), Split::Train).unwrap());
    assert_eq!(list(), before);
}

#[test]
fn bad_pictures_are_found_by_name_and_odd_ones_are_usable() {
    let dir = tempfile::tempdir().unwrap();
    let oddities = [&Oddity::USABLE[..], &[Oddity::Truncated, Oddity::Html]].concat();
    let miniature = Miniature {
        oddities,
        ..miniature()
    };
    miniature.write_archives(dir.path()).unwrap();
    let train = open(dir.path(), Split::Train).unwrap();
    let report = check(train.dataset.as_ref(), &Pool::new(2).unwrap(), |_| ());
    let reasons: Vec<(&str, &str)> = report
        .bad
        .iter()
        .map(|b| (b.origin.rsplit(": ").next().unwrap(), &b.reason[..]))
        .collect();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert_eq!(reasons[0].0, "n01440764_23.JPEG");
    assert!(reasons[0].1.starts_with("truncated: "));
    assert_eq!(reasons[1].0, "n01443537_23.JPEG");
    assert!(
        reasons[1]
            .1
            .starts_with("not a JPEG, PNG or WebP (first bytes 3c 21 44")
    );
    assert_eq!(report.notes[&DecodeNote::ExtensionMismatch], 1);
}

#[test]
fn too_few_validation_labels_are_refused_with_both_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let miniature = miniature();
    miniature.write_archives(dir.path()).unwrap();
    miniature.write_unpacked_devkit(dir.path()).unwrap();
    let truth = "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt";
    let text = miniature.ground_truth();
    let shorter = &text[..text.trim_end().rfind('\n').unwrap() + 1];
    std::fs::write(dir.path().join(truth), shorter).unwrap();
    let error = failure(dir.path(), Split::Val);
    assert_eq!(error.kind(), ErrorKind::Malformed);
    assert!(
        error.to_string().contains("17 labels for 18 pictures"),
        "{error}"
    );
    let strange = text.replacen('\n', "\nseven\n", 1);
    std::fs::write(dir.path().join(truth), strange).unwrap();
    let error = failure(dir.path(), Split::Val).to_string();
    assert!(
        error.contains("line 2: expected a number of 1 to 6, found seven"),
        "{error}"
    );
}

#[test]
fn a_validation_set_without_labels_says_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    miniature().write_val_archive(dir.path()).unwrap();
    let error = failure(dir.path(), Split::Val);
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(
        error.to_string().contains("ILSVRC2012_devkit_t12.tar.gz"),
        "{error}"
    );
}

/// Writes a training archive whose entries are `(name, content)`.
fn train_tar(dir: &Path, entries: &[(&str, Vec<u8>)]) {
    let file = std::fs::File::create(dir.join("ILSVRC2012_img_train.tar")).unwrap();
    std::io::Write::write_all(&mut &file, &tar(entries)).unwrap();
}

fn tar(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        builder
            .append_data(&mut header, name, &content[..])
            .unwrap();
    }
    builder.into_inner().unwrap()
}

#[test]
fn archives_of_another_shape_are_refused() {
    let picture = || miniature().train_pictures(0)[0].bytes.clone();
    let twice = [
        ("n01440764_1.JPEG", picture()),
        ("n01440764_1.JPEG", picture()),
    ];
    let inner = tar(&[("n01440764_1.JPEG", picture())]);
    let deep = tar(&[("n01440764_1.tar", inner.clone())]);
    let foreign = tar(&[("n01443537_1.JPEG", picture())]);
    let cases: [(&str, Vec<u8>, ErrorKind, &str); 5] = [
        (
            "n01440764.tar",
            tar(&twice),
            ErrorKind::Malformed,
            "is there twice, at bytes",
        ),
        (
            "n01440764.tar",
            deep,
            ErrorKind::Limit,
            "nested more than 2 deep",
        ),
        (
            "n01440764.tar",
            foreign,
            ErrorKind::Malformed,
            "begin with n01440764_",
        ),
        (
            "cats.tar",
            inner,
            ErrorKind::Malformed,
            "names like n01440764.tar",
        ),
        (
            "n01440764.tar",
            tar(&[]),
            ErrorKind::Malformed,
            "has no pictures",
        ),
    ];
    for (name, content, kind, expected) in cases {
        let dir = tempfile::tempdir().unwrap();
        train_tar(dir.path(), &[(name, content)]);
        let error = failure(dir.path(), Split::Train);
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
    let dir = tempfile::tempdir().unwrap();
    let class = tar(&[("n01440764_1.JPEG", picture())]);
    train_tar(
        dir.path(),
        &[("n01440764.tar", class.clone()), ("n01440764.tar", class)],
    );
    let error = failure(dir.path(), Split::Train).to_string();
    assert!(error.contains("n01440764.tar is there twice"), "{error}");
}

#[test]
fn an_archive_that_shrinks_after_it_was_indexed_has_bad_items() {
    let dir = tempfile::tempdir().unwrap();
    miniature().write_archives(dir.path()).unwrap();
    let train = open(dir.path(), Split::Train).unwrap();
    let path = dir.path().join("ILSVRC2012_img_train.tar");
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    let report = check(train.dataset.as_ref(), &Pool::serial(), |_| ());
    assert!((1..24).contains(&report.bad_count), "{}", report.bad_count);
    let reason = &report.bad[0].reason;
    assert!(reason.contains("cannot be read"), "{reason}");
    let error = failure(dir.path(), Split::Train);
    assert_eq!(error.kind(), ErrorKind::Malformed);
    assert!(error.to_string().contains("truncated: n0"), "{error}");
}

#[cfg(unix)]
#[test]
fn links_in_a_flat_validation_folder_follow_the_rules_of_folders() {
    let dir = tempfile::tempdir().unwrap();
    let miniature = miniature();
    miniature.write_kaggle(dir.path()).unwrap();
    let val = dir.path().join("ILSVRC/Data/CLS-LOC/val");
    let picture = val.join("ILSVRC2012_val_00000001.JPEG");
    let outside = tempfile::tempdir().unwrap();
    std::fs::rename(&picture, outside.path().join("a.JPEG")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("a.JPEG"), &picture).unwrap();
    let opened = open(dir.path(), Split::Val).unwrap();
    assert_eq!(opened.dataset.len(), 17);
    assert_eq!(opened.report.count(Notice::LinkOutside), 1);
}
