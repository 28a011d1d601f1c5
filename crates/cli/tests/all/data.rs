//! `inception data` on ImageNet's layouts, and fetching.

use crate::common;
use crate::common::Place;
use inception_testkit::{Miniature, Oddity};
use serde_json::json;
use std::net::TcpListener;

fn miniature() -> Miniature {
    Miniature {
        classes: 3,
        train: 4,
        val: 2,
        side: 24,
        ..Miniature::default()
    }
}

#[test]
fn archives_as_downloaded_are_described_and_checked() {
    let place = Place::new();
    let dir = place.path("imagenet");
    std::fs::create_dir(&dir).unwrap();
    miniature().write_archives(&dir).unwrap();
    let info = place.json("data info imagenet");
    let first = json!({"class": "n01440764", "title": "tench, Tinca tinca", "images": 4});
    assert_eq!((&info["images"], &info["classes"][0]), (&json!(12), &first));
    let check = place.json("data check imagenet");
    assert_eq!(check["ok"], true);
    let items: Vec<_> = check["splits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| &s["items"])
        .collect();
    assert_eq!(items, [12, 6]);
}

#[test]
fn checking_names_each_bad_file_with_its_reason_and_fails_with_4() {
    let place = Place::new();
    let miniature = Miniature {
        oddities: vec![Oddity::Truncated, Oddity::Html, Oddity::Png],
        ..miniature()
    };
    miniature.write_shards(&place.path("shards"), 5).unwrap();
    let output = place
        .command("data check shards --split train")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4));
    let text = String::from_utf8(output.stdout).unwrap();
    let bad: Vec<&str> = text.lines().filter(|l| l.contains(".jpg: ")).collect();
    assert_eq!(bad.len(), 2, "{text}");
    assert!(
        bad.iter().any(|l| l.contains(".jpg: truncated: ")),
        "{text}"
    );
    assert!(
        bad.iter()
            .any(|l| l.contains(".jpg: not a JPEG, PNG or WebP (first")),
        "{text}"
    );
    assert!(text.ends_with("train: 12 items read, 2 bad\n"), "{text}");
}

#[test]
fn fetching_without_a_server_says_what_to_do_and_fails_with_5() {
    let place = Place::new();
    // A port that nobody listens on.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let words = format!("data fetch cifar10 --from http://127.0.0.1:{port}");
    let error = place.fail(5, &words);
    assert!(error.contains("cifar-10-binary.tar.gz"), "{error}");
    assert!(
        error.contains("put it into data/cifar10, or name another source"),
        "{error}"
    );
    let error = place.fail(2, "data fetch imagenet");
    assert!(
        error.contains("fashion-mnist, cifar10, cifar100 can be fetched"),
        "{error}"
    );
}

#[test]
fn sets_that_are_not_there_empty_or_torn_end_with_their_status_and_path() {
    for (files, code, expected) in [
        (&[][..], 4, "found 0 classes"),
        (&["x.jpg"], 4, "found 0 classes"),
        (
            &["train/a/x.jpg", "train/b/"],
            4,
            "1 of 2 class folders have no image: b",
        ),
        (
            &["train/a/x.jpg", "val/b/x.jpg"],
            4,
            "only in train: a; only in val: b",
        ),
        (&["train/a/x.jpg"], 2, "val"),
    ] {
        let place = Place::new();
        std::fs::create_dir(place.path("set")).unwrap();
        for file in files {
            if file.ends_with('/') {
                std::fs::create_dir_all(place.path(&format!("set/{file}"))).unwrap();
            } else {
                place.write(&format!("set/{file}"), common::jpeg(20, 20, 9));
            }
        }
        let error = place.fail(code, &format!("{} --data set --out run", common::SMALL));
        assert!(error.contains(expected), "{files:?}: {error}");
        assert!(error.contains("set"), "{files:?}: {error}");
        assert!(!place.path("run/last.ckpt").exists());
    }
    let place = Place::new();
    place.write("file", b"x");
    let error = place.fail(2, "data info file");
    assert!(
        error.contains("file: ") && error.contains("this is a file"),
        "{error}"
    );
    let error = place.fail(2, "data info nowhere");
    assert!(error.contains("nowhere: there is no such path"), "{error}");
}

#[test]
fn a_picture_that_cannot_be_read_is_named_once_and_too_many_end_with_4() {
    let place = Place::new();
    place.photos(20);
    for name in ["blue/03", "red/17"] {
        place.write(&format!("photos/train/{name}.jpg"), b"<html>");
    }
    let words = format!("{} --data photos", common::SMALL);
    let error = place.fail(4, &format!("{words} --steps 9 --out fail"));
    let told = error.matches(".jpg").count();
    assert!(
        told == 1 && error.contains("(first bytes 3c 68 74"),
        "{error}"
    );
    let error = place.fail(
        4,
        &format!("{words} --steps 10 --on-bad-image skip:1 --out one"),
    );
    assert!(
        error.starts_with("2 items could not be read, at most 1 may"),
        "{error}"
    );
    // In both epochs it cannot be read.
    let output = place
        .command(&format!(
            "{words} --epochs 2 --on-bad-image skip:2 --out two"
        ))
        .output()
        .unwrap();
    let said = common::text(&output);
    assert!(output.status.success(), "{said}");
    let line = "warning: photos/train/blue/03.jpg was left out: not a JPEG, PNG or WebP";
    assert_eq!(said.matches(line).count(), 1, "{said}");
    assert!(
        said.contains("warning: 2 of 40 images were left out"),
        "{said}"
    );
}

/// The fixtures of the data crate.
fn parquet(name: &str) -> String {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let dir = dir.join("../data/tests/parquet").join(name);
    dir.to_str().unwrap().to_owned()
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_files_of_a_hub_are_described_checked_trained_on_and_refused() {
    let place = Place::new();
    let hub = parquet("hub");
    let info = place.json(&format!("data info {hub}"));
    assert_eq!(
        (&info["images"], &info["classes"][2]["class"]),
        (&json!(12), &json!("emu"))
    );
    let check = place.json(&format!("data check {hub}"));
    assert_eq!(check["ok"], true);
    let words = format!("{} --data {hub} --epochs 2", common::SMALL);
    for order in ["shuffled", "shards:2"] {
        place.run(&format!("{words} --order {order} --out {}", &order[..6]));
    }
    let run = place.json(&format!(
        "eval --weights shards/best.safetensors --split val --data {hub}"
    ));
    assert_eq!(run["images"], 4);
    let output = place
        .command(&format!(
            "data check {} --split train",
            parquet("odd/image_text")
        ))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("train.parquet: row 1: column image: not a JPEG"),
        "{said}"
    );
    let error = place.fail(4, &format!("data info {}", parquet("odd/label_null")));
    assert!(
        error.contains("row 1: column label: there is no label"),
        "{error}"
    );
}

#[cfg(not(feature = "parquet"))]
#[test]
fn a_build_without_parquet_says_how_to_read_such_files() {
    let error = Place::new().fail(2, &format!("data info {}", parquet("hub")));
    assert!(error.contains("--features parquet"), "{error}");
}
