use super::*;
use crate::{DataError, ErrorKind};
use inception_tensor::Stream;
use std::io::Write;
use std::path::Path;
use std::process::Command;

/// Names and contents of a tar in memory, and whether its end is marked.
fn list(bytes: &[u8], limits: &ArchiveLimits) -> Result<Listing, DataError> {
    let mut walk = Walk::in_memory(bytes, Path::new("x.tar"), limits);
    let mut listing = Listing::default();
    loop {
        match walk.next()? {
            Found::File(entry) => {
                let content = walk.content(&entry)?.to_vec();
                let name = String::from_utf8_lossy(&entry.name).into_owned();
                listing.files.push((name, content));
            }
            Found::Special(name) => listing.special.push(String::from_utf8_lossy(&name).into()),
            Found::End => return Ok(listing),
            Found::EndWithoutMark => {
                listing.unmarked = true;
                return Ok(listing);
            }
        }
    }
}

#[derive(Debug, Default, PartialEq)]
struct Listing {
    files: Vec<(String, Vec<u8>)>,
    special: Vec<String>,
    unmarked: bool,
}

fn plain(bytes: &[u8]) -> Result<Listing, DataError> {
    list(bytes, &ArchiveLimits::default())
}

fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, name, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

/// Sets `field` of the header at `at` and mends the checksum.
fn patch(bytes: &mut [u8], at: usize, field: usize, value: &[u8]) {
    let header = &mut bytes[at..at + 512];
    header[field..field + value.len()].copy_from_slice(value);
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|&b| u32::from(b)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

fn pax(record: &str, of: &[(&str, &[u8])]) -> Vec<u8> {
    let mut length = record.len() + 2;
    while format!("{length} {record}\n").len() != length {
        length += 1;
    }
    let record = format!("{length} {record}\n");
    let mut bytes = archive(&[("pax", record.as_bytes())]);
    patch(&mut bytes, 0, 156, b"x");
    bytes.truncate(1024);
    bytes.extend(archive(of));
    bytes
}

#[test]
fn the_size_in_a_pax_record_wins_over_the_headers() {
    let mut bytes = pax("size=5", &[("a", b"12345"), ("b", b"xyz")]);
    patch(&mut bytes, 1024, 124, b"00000000000\0");
    let files = plain(&bytes).unwrap().files;
    let expected = [("a", &b"12345"[..]), ("b", b"xyz")].map(|(n, c)| (n.into(), c.into()));
    assert_eq!(files, expected);
    let damaged = plain(&pax("size=-1", &[("a", b"1")]))
        .unwrap_err()
        .to_string();
    assert_eq!(damaged, "x.tar: PAX record at byte 512: the size is -1");
    let mut cut = pax("size=5", &[("a", b"12345")]);
    cut[512] = b'7';
    let damaged = plain(&cut).unwrap_err().to_string();
    assert_eq!(damaged, "x.tar: damaged PAX record at byte 512");
}

#[test]
fn long_names_come_from_gnus_and_from_paxs_records() {
    let long = format!("{}/x.jpg", "d".repeat(150));
    let files = plain(&archive(&[(&long, b"1")])).unwrap().files;
    assert_eq!(files[0].0, long);
    let files = plain(&pax(&format!("path={long}"), &[("a", b"1"), ("b", b"2")]))
        .unwrap()
        .files;
    assert_eq!([&files[0].0[..], &files[1].0], [&long[..], "b"]);
}

#[test]
fn links_devices_and_pipes_are_left_out_and_files_with_holes_refused() {
    for kind in b"12346V" {
        let mut bytes = archive(&[("placeholder", b""), ("b", b"2")]);
        patch(&mut bytes, 0, 0, b"../../evil\0");
        patch(&mut bytes, 0, 156, &[*kind]);
        let listing = plain(&bytes).unwrap();
        assert_eq!(listing.special, ["../../evil"]);
        assert_eq!(listing.files.len(), 1);
    }
    let mut bytes = archive(&[("holes", b"")]);
    patch(&mut bytes, 0, 156, b"S");
    let error = plain(&bytes).unwrap_err().to_string();
    assert_eq!(
        error,
        "x.tar: holes at byte 0: files with holes are not supported"
    );
    let error = plain(&pax("GNU.sparse.major=1", &[("a", b"")])).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("files with holes are not supported"),
        "{error}"
    );
}

#[test]
fn names_are_keys_whatever_they_say() {
    for name in ["../../x", "/etc/passwd", "a/./b", "x\u{1b}[2J"] {
        let mut bytes = archive(&[("placeholder", b"1")]);
        let mut field = [0; 100];
        field[..name.len()].copy_from_slice(name.as_bytes());
        patch(&mut bytes, 0, 0, &field);
        assert_eq!(plain(&bytes).unwrap().files[0].0, name);
    }
}

#[test]
fn an_archive_cut_anywhere_is_an_error_unless_only_its_end_mark_is_missing() {
    let whole = archive(&[("a.jpg", &[1; 700]), ("b.jpg", b"2"), ("c.jpg", b"")]);
    let all = plain(&whole).unwrap();
    assert!(!all.unmarked);
    // Headers and contents, each in whole blocks.
    let content = 512 + 1024 + 512 + 512 + 512;
    assert_eq!(whole.len(), content + 1024);
    let entry_ends = [0, 512 + 1024, 512 + 1024 + 1024, content];
    for end in 0..whole.len() {
        match plain(&whole[..end]) {
            Ok(found) => {
                // The padding behind a last entry may be missing as well.
                let files = &found.files[..];
                assert!(found.unmarked && all.files.starts_with(files), "{end}");
                let at_entry = entry_ends
                    .iter()
                    .any(|&e| (e.saturating_sub(511)..=e).contains(&end));
                assert!(at_entry || end >= content, "{end}");
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Malformed, "{end}");
                let text = error.to_string();
                assert!(
                    text.contains("truncated: ") && text.contains("at byte "),
                    "{text}"
                );
            }
        }
    }
    let error = plain(&whole[..600]).unwrap_err().to_string();
    assert_eq!(
        error,
        "x.tar: truncated: a.jpg at byte 0 needs 700 bytes, 88 are left"
    );
    let error = plain(&whole[..1600]).unwrap_err().to_string();
    let expected =
        "x.tar: truncated: a header needs 512 bytes at byte 1536, 64 are left, after a.jpg";
    assert_eq!(error, expected);
}

#[test]
fn every_damaged_bit_of_a_header_is_seen() {
    let whole = archive(&[("a.jpg", b"1234"), ("b.jpg", b"2")]);
    for at in 1024..1536 {
        for bit in 0..8 {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << bit;
            match plain(&damaged) {
                Err(error) => {
                    let text = error.to_string();
                    assert!(text.contains("header at byte 1024: "), "{text}");
                    assert!(text.ends_with("after a.jpg"), "{text}");
                }
                // The checksum's own field has bytes without meaning.
                Ok(found) => assert!((148..156).contains(&(at - 1024)) && found.files.len() == 2),
            }
        }
    }
}

#[test]
fn claims_above_a_limit_reach_it_before_anything_is_read() {
    let mut claim = archive(&[("a.jpg", b"1")]);
    patch(&mut claim, 0, 124, b"\x80\0\0\0\0\0\x01\0\0\0\0\0");
    let error = plain(&claim).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit);
    let expected =
        "x.tar: a.jpg at byte 0: the entry has 1099511627776 bytes, 67108864 are allowed";
    assert_eq!(error.to_string(), expected);
    patch(
        &mut claim,
        0,
        124,
        b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
    );
    let error = plain(&claim).unwrap_err().to_string();
    assert_eq!(error, "x.tar: header at byte 0: the size is negative");
    patch(&mut claim, 0, 124, b"000009zz000\0");
    let error = plain(&claim).unwrap_err().to_string();
    assert_eq!(
        error,
        "x.tar: header at byte 0: the size is no octal number: 000009zz000"
    );

    let limits = ArchiveLimits {
        entries: 1_000,
        ..ArchiveLimits::default()
    };
    let names: Vec<String> = (0..1_001).map(|i| format!("{i}")).collect();
    let bomb: Vec<(&str, &[u8])> = names.iter().map(|n| (&n[..], &b""[..])).collect();
    let error = list(&archive(&bomb), &limits).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit);
    assert_eq!(
        error.to_string(),
        "x.tar: more than 1000 entries, at byte 512000"
    );
    assert!(list(&archive(&bomb[1..]), &limits).is_ok());
}

#[test]
fn a_lone_empty_block_between_entries_is_an_error() {
    let first = archive(&[("a", b"1")]);
    let bytes = [&first[..1024], &[0; 512], &archive(&[("b", b"2")])[..]].concat();
    let error = plain(&bytes).unwrap_err().to_string();
    assert_eq!(
        error,
        "x.tar: an empty block at byte 1024 is followed by data"
    );
}

/// GNU tar is the judge of what an archive holds.
#[test]
fn archives_of_every_format_list_as_gnu_tar_lists_them() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = Stream::new(&[7]);
    for round in 0..40 {
        let folder = dir.path().join(format!("set{round}"));
        for i in 0..1 + random.below(6) {
            let depth = random.below(4) as usize;
            let length = 1 + random.below(60) as usize;
            let path = folder.join("d".repeat(length) + "/x".repeat(depth).as_str());
            std::fs::create_dir_all(&path).unwrap();
            let content = vec![i as u8; random.below(3_000) as usize];
            let name = format!("{}{i}.jpg", "é".repeat(random.below(40) as usize));
            std::fs::write(path.join(name), content).unwrap();
        }
        for format in ["v7", "ustar", "gnu", "oldgnu", "pax"] {
            let tar = dir.path().join("x.tar");
            let made = Command::new("tar")
                .args(["--force-local", &format!("--format={format}"), "-cf"])
                .arg(&tar)
                .arg("-C")
                .arg(&folder)
                .arg(".")
                .output()
                .unwrap();
            // The old formats refuse names that do not fit, and leave them out.
            assert!(made.status.success() || matches!(format, "v7" | "ustar"));
            let bytes = std::fs::read(&tar).unwrap();
            let mut expected = gnu_listing(&tar);
            let mut found: Vec<(String, usize)> = plain(&bytes)
                .unwrap()
                .files
                .into_iter()
                .map(|(name, content)| (name, content.len()))
                .collect();
            expected.sort();
            found.sort();
            assert_eq!(found, expected, "round {round}, {format}");
        }
    }
}

/// Names and sizes of the regular files in `tar`, by GNU tar.
fn gnu_listing(tar: &Path) -> Vec<(String, usize)> {
    let output = Command::new("tar")
        .args(["--quoting-style=literal", "-tvf"])
        .arg(tar)
        .output()
        .unwrap();
    std::io::stderr().write_all(&output.stderr).unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let files = text.lines().filter(|line| line.starts_with('-'));
    files
        .map(|line| {
            let name = line.split_once("./").unwrap().1.to_owned();
            let size = line.split_whitespace().nth(2).unwrap().parse().unwrap();
            (name, size)
        })
        .collect()
}

mod hostile {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn damaged_archives_give_entries_within_the_file_or_an_error(
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
            mend in any::<bool>(),
        ) {
            let long = "l".repeat(200);
            let mut bytes = pax("size=4", &[("a", b"1234"), (&long, b"2"), ("c", b"3")]);
            for (at, value) in damage {
                let at = at.index(bytes.len());
                bytes[at] = value;
                if mend {
                    patch(&mut bytes, at / 512 * 512, 0, &[]);
                }
            }
            let limits = ArchiveLimits { entry_bytes: 1 << 16, ..ArchiveLimits::default() };
            if let Ok(listing) = list(&bytes, &limits) {
                let total: usize = listing.files.iter().map(|f| f.1.len()).sum();
                prop_assert!(total <= bytes.len());
            }
        }
    }
}
