//! Each way in which a file can be malformed is refused with the rule, the place and both
//! values named.

mod cases;
use crate::common::{one, read};
use cases::{Case, all, grammar};
use inception_store::{Limits, Rule, StoreError, read_file};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

fn rule_of(error: &StoreError) -> Rule {
    assert_eq!(error.exit_code(), 4, "{error}");
    error.rule().expect("malformed input names a rule")
}

#[test]
fn each_malformed_file_is_refused_with_rule_place_and_values() {
    for Case {
        name,
        bytes,
        rule,
        says,
    } in all()
    {
        let error = read(&bytes).expect_err(name);
        let text = error.to_string();
        assert_eq!(rule_of(&error), rule, "{name}: {text}");
        assert!(text.starts_with("test.safetensors: "), "{name}: {text}");
        assert_eq!(text.lines().count(), 1, "{name}: {text}");
        assert!(text.chars().all(|c| !c.is_control()), "{name}: {text}");
        for part in says {
            assert!(
                text.contains(part),
                "{name}: {text:?} does not say {part:?}"
            );
        }
    }
}

#[test]
fn reading_from_a_file_refuses_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("test.safetensors");
    for Case {
        name, bytes, rule, ..
    } in all()
    {
        std::fs::write(&path, &bytes).unwrap();
        let error = read_file(&path, &Limits::default()).expect_err(name);
        assert_eq!(rule_of(&error), rule, "{name}: {error}");
    }
}

#[test]
fn the_message_for_a_wrong_size_reads_as_a_sentence() {
    let error = read(&one("F32", "[5]", "[0,16]")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "test.safetensors: tensor \"w\": expected 20 bytes for shape [5] of F32, \
         found offsets [0, 16], 16 bytes (byte 9)"
    );
}

#[test]
fn every_rule_of_the_format_has_a_file_here_that_breaks_it() {
    // These are about the file as a whole, its digests, or what the caller asks for, and
    // are broken in the tests of those.
    let elsewhere = [
        Rule::RegularFile,
        Rule::StableFile,
        Rule::Present,
        Rule::Convertible,
        Rule::Range,
        Rule::Finite,
        Rule::Sealed,
        Rule::HeaderDigest,
        Rule::TensorDigest,
    ];
    let here: BTreeSet<Rule> = all().iter().map(|case| case.rule).collect();
    let expected = Rule::ALL
        .iter()
        .copied()
        .filter(|r| !elsewhere.contains(r))
        .collect();
    assert_eq!(here, expected);
}

#[test]
fn deep_nesting_is_refused_in_ten_milliseconds() {
    let deep: Vec<Case> = grammar()
        .into_iter()
        .filter(|c| c.bytes.len() > 100_000)
        .collect();
    assert_eq!(deep.len(), 3);
    let start = Instant::now();
    for case in &deep {
        read(&case.bytes).unwrap_err();
    }
    assert!(
        start.elapsed() < Duration::from_millis(30),
        "{:?}",
        start.elapsed()
    );
}
