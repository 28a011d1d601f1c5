//! `inception data` on ImageNet's layouts, and fetching.

mod common;

use common::Place;
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
