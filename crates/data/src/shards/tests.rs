use super::*;
use crate::{Dataset, ErrorKind, Split};
use inception_testkit::Miniature;

#[test]
fn braces_name_files() {
    let expand = |pattern| names::expand(pattern).unwrap();
    assert_eq!(
        expand("a-{008..011}.tar"),
        ["a-008.tar", "a-009.tar", "a-010.tar", "a-011.tar"]
    );
    assert_eq!(expand("{x,y}{0..1}"), ["x0", "x1", "y0", "y1"]);
    assert_eq!(expand("plain.tar"), ["plain.tar"]);
    assert_eq!(
        names::expand("imagenet-train-{000000..001281}.tar")
            .unwrap()
            .len(),
        1282
    );
    for wrong in [
        "a{3..1}",
        "a{0..x}",
        "a{b",
        "a{}",
        "{0..9999999999}",
        "{0..9999}{0..9999}",
    ] {
        let error = names::expand(wrong).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{wrong}");
    }
}

#[test]
fn a_key_ends_at_the_first_dot_of_the_name() {
    for (name, key, extension) in [
        ("a/b.c/n01_3.jpg", "a/b.c/n01_3", "jpg"),
        ("x.seg.png", "x", "seg.png"),
        ("none", "none", ""),
    ] {
        let found = split_key(name.as_bytes());
        assert_eq!(found, (key.as_bytes(), extension.as_bytes()));
    }
}

fn miniature() -> Miniature {
    Miniature {
        classes: 5,
        train: 4,
        val: 2,
        side: 20,
        ..Miniature::default()
    }
}

fn open_spec(spec: &str, split: Split) -> Result<crate::Opened, DataError> {
    let spec = crate::DatasetSpec::parse(spec)?;
    spec.open(split, &crate::OpenOptions::default())
}

#[test]
fn a_folder_of_shards_and_a_pattern_are_the_same_data() {
    let dir = tempfile::tempdir().unwrap();
    miniature().write_shards(dir.path(), 6).unwrap();
    let root = dir.path().to_str().unwrap();
    let train = open_spec(root, Split::Train).unwrap().dataset;
    assert_eq!((train.len(), train.runs().len()), (20, 4));
    assert_eq!(train.runs()[3], 18..20);
    assert_eq!(train.classes()[0], "n01440764");
    let pattern = format!("{root}/imagenet-{{split}}-{{000000..000003}}.tar");
    let same = open_spec(&pattern, Split::Train).unwrap().dataset;
    assert_eq!(same.fingerprint(), train.fingerprint());
    let val = open_spec(&pattern.replace("03}", "01}"), Split::Val)
        .unwrap()
        .dataset;
    let labels: Vec<usize> = (0..val.len()).map(|i| val.label(i) as usize).collect();
    let expected = miniature().val_pictures();
    assert_eq!(labels, expected.iter().map(|p| p.label).collect::<Vec<_>>());
    assert_eq!(val.get(3).unwrap().label, val.label(3));
    let fixed = format!("{root}/imagenet-train-{{000000..000003}}.tar");
    assert!(open_spec(&fixed, Split::Train).is_ok());
    let error = open_spec(&fixed, Split::Val).err().unwrap();
    assert!(error.to_string().contains("write {split}"), "{error}");
}

#[test]
fn without_a_list_classes_are_numbered_by_the_labels_of_both_splits() {
    let dir = tempfile::tempdir().unwrap();
    miniature().write_shards(dir.path(), 100).unwrap();
    std::fs::remove_file(dir.path().join("synset_words.txt")).unwrap();
    for split in [Split::Train, Split::Val] {
        let opened = open_spec(dir.path().to_str().unwrap(), split).unwrap();
        assert_eq!(opened.dataset.classes(), ["0", "1", "2", "3", "4"]);
    }
}

/// Opens a shard of the given files.
fn shard(files: &[(&str, &[u8])]) -> Result<OpenedShards, DataError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.tar");
    let mut tar = tar::Builder::new(std::fs::File::create(&path).unwrap());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        tar.append_data(&mut header, name, *content).unwrap();
    }
    tar.finish().unwrap();
    let limits = ArchiveLimits::default();
    open(&[path], &[], dir.path(), DecodeOptions::default(), &limits)
}

#[test]
fn labels_come_from_cls_or_json_and_a_picture_without_one_is_an_error() {
    let label = |files: &[(&str, &[u8])]| shard(files).unwrap().dataset.label(0);
    assert_eq!(label(&[("a.jpg", b"x"), ("a.cls", b" 7\n")]), 7);
    assert_eq!(
        label(&[("a.json", br#"{"label": 3, "x": []}"#), ("a.JPEG", b"x")]),
        3
    );
    assert_eq!(
        label(&[("a.cls", b"1"), ("a.json", b"{}"), ("a.png", b"x")]),
        1
    );
    let failure = |files: &[(&str, &[u8])]| shard(files).err().unwrap().to_string();
    for (files, expected) in [
        (
            &[("a.jpg", &b"x"[..])][..],
            "a.jpg: there is no .cls or .json label",
        ),
        (
            &[("a.jpg", b"x"), ("a.cls", b"cat")],
            "a.cls: expected a class number",
        ),
        (
            &[("a.jpg", b"x"), ("a.png", b"x")],
            "a.png: a second picture of the same key",
        ),
        (
            &[("a.jpg", b"x"), ("a.cls", b"4000000000")],
            "a.cls: the class number is too large",
        ),
        (&[("a.jpg", b"x"), ("a.json", b"[[")], "a.json: "),
        (&[("a.txt", b"x")], "the shards have no pictures"),
    ] {
        let error = failure(files);
        assert!(error.contains(expected), "{error}");
    }
}

/// A folder with one shard of a picture labelled `label`, and with that list of classes.
fn listed(label: u32, classes: &[u8]) -> (tempfile::TempDir, Result<OpenedShards, DataError>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.tar");
    let mut tar = tar::Builder::new(std::fs::File::create(&path).unwrap());
    for (name, content) in [("a.jpg", "x"), ("a.cls", &label.to_string())] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        tar.append_data(&mut header, name, content.as_bytes())
            .unwrap();
    }
    tar.finish().unwrap();
    std::fs::write(dir.path().join("classes.txt"), classes).unwrap();
    let limits = ArchiveLimits::default();
    let opened = open(&[path], &[], dir.path(), DecodeOptions::default(), &limits);
    (dir, opened)
}

#[test]
fn lists_of_classes_are_text_of_a_limited_length_with_a_line_for_each_label() {
    // As editors of several systems write them; a name cannot steer a terminal.
    let (_dir, opened) = listed(1, "\u{FEFF}cat\r\n\x1b]0;dog\x07\r\n\r\n".as_bytes());
    let opened = opened.unwrap().dataset;
    assert_eq!(opened.classes(), ["cat", r"\u{1b}]0;dog\u{7}"]);

    let one_short: String = (0..999).map(|i| format!("class {i}\n")).collect();
    let (_dir, opened) = listed(999, one_short.as_bytes());
    let error = opened.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Malformed);
    let text = error.to_string();
    assert!(
        text.ends_with("label 999 in the shards, but 999 classes are listed"),
        "{text}"
    );

    let (_dir, opened) = listed(0, b"cat\n\xFFdog\n");
    let error = opened.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Malformed);
    let text = error.to_string();
    assert!(text.ends_with("no UTF-8 text, at byte 4"), "{text}");

    // One line of 2 GiB, of which nothing is read.
    let (dir, _) = listed(0, b"cat\n");
    let file = std::fs::File::create(dir.path().join("classes.txt")).unwrap();
    file.set_len(2 << 30).unwrap();
    let limits = ArchiveLimits::default();
    let shard = dir.path().join("s.tar");
    let error = open(&[shard], &[], dir.path(), DecodeOptions::default(), &limits);
    let error = error.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Limit);
    let text = error.to_string();
    assert!(text.contains("the file has 2147483648 bytes"), "{text}");
}
