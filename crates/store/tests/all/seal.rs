//! No bit of a sealed file can change unseen.

use crate::common;
use crate::common::{read, sample};
use inception_store::{Archive, ArchiveBuilder, Limits, Rule, StoreError, parse};
use std::ops::Range;
use std::path::Path;

fn verified(bytes: &[u8]) -> Result<Archive, StoreError> {
    let archive = read(bytes)?;
    archive.verify()?;
    Ok(archive)
}

/// The rule and the item of the error that `bytes` are refused with.
fn refusal(bytes: &[u8], what: &str) -> (Rule, Option<String>) {
    match verified(bytes).expect_err(what) {
        StoreError::Malformed(fault) => (fault.rule, fault.item),
        other => panic!("{what}: {other}"),
    }
}

/// Where each tensor's bytes lie in the file.
fn ranges(archive: &Archive) -> Vec<(String, Range<usize>)> {
    let base = archive.bytes().as_ptr() as usize;
    archive
        .iter()
        .map(|(name, entry)| {
            let start = entry.bytes.as_ptr() as usize - base;
            (name.to_owned(), start..start + entry.bytes.len())
        })
        .collect()
}

#[test]
fn a_whole_file_verifies() {
    let bytes = sample().seal().unwrap();
    let archive = verified(&bytes).unwrap();
    assert!(archive.is_sealed());
    assert_eq!(archive.metadata().len(), 2, "digests are no metadata");
    assert_eq!(archive.to_u64("step").unwrap(), [41]);
    verified(&ArchiveBuilder::new().seal().unwrap()).unwrap();
}

#[test]
fn every_flipped_bit_is_found_and_the_tensor_named() {
    let good = sample().seal().unwrap();
    let ranges = ranges(&verified(&good).unwrap());
    for at in 0..good.len() {
        let hit = ranges.iter().find(|(_, range)| range.contains(&at));
        for bit in 0..8 {
            let mut bytes = good.clone();
            bytes[at] ^= 1 << bit;
            let what = format!("bit {bit} of byte {at}");
            let limit = read(&bytes).is_err_and(|e| matches!(e, StoreError::Limit(_)));
            if limit {
                continue; // A dimension or a length that is over a limit.
            }
            let (rule, item) = refusal(&bytes, &what);
            match hit {
                Some((name, _)) => {
                    assert_eq!(rule, Rule::TensorDigest, "{what}");
                    assert_eq!(item.as_ref(), Some(name), "{what}");
                }
                None => assert_ne!(rule, Rule::TensorDigest, "{what}"),
            }
        }
    }
}

#[test]
fn every_byte_set_to_an_extreme_is_found() {
    let good = sample().seal().unwrap();
    for at in 0..good.len() {
        for value in [0x00, 0x7F, 0x80, 0xFF, b' ', b'"'] {
            let mut bytes = good.clone();
            bytes[at] = value;
            if bytes != good {
                assert!(verified(&bytes).is_err(), "byte {at} set to {value:#04x}");
            }
        }
    }
}

#[test]
fn every_cut_and_every_added_byte_is_found() {
    let good = sample().seal().unwrap();
    for len in 0..good.len() {
        assert!(verified(&good[..len]).is_err(), "cut to {len} bytes");
    }
    for value in 0..=255 {
        let mut bytes = good.clone();
        bytes.push(value);
        assert!(verified(&bytes).is_err(), "{value} added");
    }
    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes.remove(at);
        assert!(verified(&bytes).is_err(), "byte {at} removed");
        bytes = good.clone();
        bytes.insert(at, b' ');
        assert!(verified(&bytes).is_err(), "space before byte {at}");
    }
}

#[test]
fn every_pair_of_blocks_exchanged_is_found() {
    let good = sample().seal().unwrap();
    let blocks = good.len() / 32;
    for i in 0..blocks {
        for j in 0..i {
            let mut bytes = good.clone();
            let (a, b) = bytes.split_at_mut(i * 32);
            a[j * 32..(j + 1) * 32].swap_with_slice(&mut b[..32]);
            if bytes != good {
                assert!(verified(&bytes).is_err(), "blocks {j} and {i}");
            }
        }
    }
}

/// Edits of the header that keep its meaning, or most of it.
#[test]
fn a_rewritten_header_of_the_same_meaning_is_found() {
    let good = sample().seal().unwrap();
    let len = u64::from_le_bytes(good[..8].try_into().unwrap()) as usize;
    let text = std::str::from_utf8(&good[8..8 + len]).unwrap();
    for (from, to) in [
        ("\"step\"", "\"\\u0073tep\""),
        ("\"shape\":[2]", "\"shape\":[ 2]"),
        (",\"shape\":[2]", ",\"x\":1,\"shape\":[2]"),
        ("\"format\":\"pt\",", ""),
        ("\"format\":\"pt\"", "\"format\":\"tf\""),
        ("\"format\":\"pt\"", "\"format\":\"pt\",\"more\":\"\""),
        ("blake3-1:", "blake3-2:"),
        ("\"step\"", "\"stop\""),
    ] {
        let edited = text.replace(from, to);
        assert_ne!(edited, text, "{from}");
        let bytes = common::file(edited, &good[8 + len..]);
        let (rule, _) = refusal(&bytes, from);
        assert!(
            matches!(rule, Rule::HeaderDigest | Rule::Sealed),
            "{from}: {rule:?}"
        );
    }
}

#[test]
fn a_file_without_digests_is_read_but_does_not_verify() {
    let archive = read(&sample().build().unwrap()).unwrap();
    assert!(!archive.is_sealed());
    let error = archive.verify().unwrap_err();
    assert_eq!(error.rule(), Some(Rule::Sealed));
}

#[test]
fn one_flipped_bit_never_makes_a_sealed_file_look_like_a_foreign_one() {
    let good = sample().seal().unwrap();
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bytes = good.clone();
            bytes[at] ^= 1 << bit;
            if let Ok(archive) = read(&bytes) {
                assert!(archive.is_sealed(), "bit {bit} of byte {at}");
            }
        }
    }
}

#[test]
fn read_sealed_goes_through_any_file_system_and_keeps_the_limits() {
    let good = sample().seal().unwrap();
    let path = Path::new("run/step-1.safetensors");
    let fs = inception_store::sim::SimFs::with_files(&[("run/step-1.safetensors", &good)]);
    let limits = Limits::default();
    let archive = inception_store::read_sealed(&fs, path, &limits).unwrap();
    assert_eq!(archive.bytes(), parse(good, path, &limits).unwrap().bytes());
    let mut small = limits;
    (small.max_total_bytes, small.max_header_bytes) = (8, 8);
    let error = inception_store::read_sealed(&fs, path, &small).unwrap_err();
    assert_eq!(error.exit_code(), 3, "{error}");
    let absent = inception_store::read_sealed(&fs, Path::new("run/x"), &limits).unwrap_err();
    assert_eq!(absent.exit_code(), 5, "{absent}");
}
