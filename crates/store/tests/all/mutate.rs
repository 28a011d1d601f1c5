//! Random damage: the parser never panics, accepts only what the reference crate accepts,
//! and what it accepts survives being written again.

use crate::common::{entry, file, read, sample};
use inception_store::{Archive, ArchiveBuilder, Rule, StoreError};
use inception_tensor::Stream;
use safetensors::SafeTensors;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

const RUNS: u64 = 1_000_000;

/// Fragments that headers are made of, and numbers at the edges.
const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\u0077",
    "\\ud83e\\udd80",
    " ",
    "\n",
    "\u{feff}",
    "0",
    "1",
    "-1",
    "1e3",
    "1.0",
    "00",
    "4",
    "8",
    "16",
    "24",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "4294967296",
    "null",
    "true",
    "\"F32\"",
    "\"F64\"",
    "\"U8\"",
    "\"F8_E4M3\"",
    "\"F33\"",
    "\"dtype\":",
    "\"shape\":",
    "\"data_offsets\":",
    "\"__metadata__\":{}",
    "\"__metadata__\":{},",
    "\"x\":[[]],",
    "[0]",
    "[0,0]",
    "[]",
    "é",
    "\0",
];

/// Files to start from.
fn seeds() -> Vec<Vec<u8>> {
    let (a, b) = (
        entry("a", "F32", "[1]", "[0,4]"),
        entry("b", "U8", "[2,2]", "[4,8]"),
    );
    let loose = "{ \"\\u0061\" : {\"x\":[1,{\"y\":null}], \"shape\":[ ],\"dtype\":\"U8\",\n\
                 \"data_offsets\":[0 ,1]},\"__metadata__\":{\"k\":\"\\n\"}}  ";
    vec![
        sample().build().unwrap(),
        sample().seal().unwrap(),
        file(format!("{{{a},{b}}}"), &[1, 2, 3, 4, 5, 6, 7, 8]),
        file(loose, &[9]),
        file("{}", &[]),
        file(
            format!("{{{}}}", entry("a", "F32", "[1]", "[0,4]")),
            &[0; 4],
        ),
    ]
}

struct Mutator {
    stream: Stream,
    seeds: Vec<Vec<u8>>,
}

impl Mutator {
    fn below(&mut self, n: usize) -> usize {
        (self.stream.next_u64() % n.max(1) as u64) as usize
    }

    /// A place in `bytes`, more often in the header than in the data.
    fn place(&mut self, bytes: &[u8]) -> usize {
        let header = bytes.len().min(400);
        match self.below(4) {
            0 => self.below(bytes.len()),
            _ => self.below(header),
        }
    }

    fn range(&mut self, bytes: &[u8]) -> std::ops::Range<usize> {
        let start = self.place(bytes);
        let len = self.below(24).min(bytes.len() - start);
        start..start + len
    }

    /// A number in the text of the header, replaced.
    fn number(&mut self, bytes: &mut Vec<u8>) {
        let start = self.place(bytes);
        let digit = |b: &u8| b.is_ascii_digit();
        let Some(from) = bytes[start..].iter().position(digit).map(|i| start + i) else {
            return;
        };
        let to = bytes[from..]
            .iter()
            .position(|b| !digit(b))
            .map_or(bytes.len(), |i| from + i);
        let value = match self.below(3) {
            0 => self.below(40).to_string(),
            1 => self.stream.next_u64().to_string(),
            _ => (1_u64 << self.below(64)).to_string(),
        };
        bytes.splice(from..to, value.bytes());
    }

    fn once(&mut self, bytes: &mut Vec<u8>) {
        let at = self.place(bytes);
        match self.below(12) {
            0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            1 if at < bytes.len() => bytes[at] = self.stream.next_u64() as u8,
            2 => {
                let range = self.range(bytes);
                bytes.drain(range);
            }
            3 => {
                let part = bytes[self.range(bytes)].to_vec();
                bytes.splice(at..at, part);
            }
            4 => {
                let other = self.below(self.seeds.len());
                let other = self.seeds[other].clone();
                let part = other[self.range(&other)].to_vec();
                bytes.splice(at..at, part);
            }
            5 | 6 => {
                let word = WORDS[self.below(WORDS.len())];
                let end = at + self.below(3).min(bytes.len() - at);
                bytes.splice(at..end, word.bytes());
            }
            7..=10 => self.number(bytes),
            _ if bytes.len() >= 8 => self.length(bytes),
            _ => {}
        }
    }

    fn length(&mut self, bytes: &mut [u8]) {
        let old = u64::from_le_bytes(bytes[..8].try_into().unwrap());
        let new = match self.below(4) {
            0 => old.wrapping_add(self.below(9) as u64).wrapping_sub(4),
            1 => self.stream.next_u64(),
            2 => 1 << self.below(64),
            _ => bytes.len() as u64 - 8,
        };
        bytes[..8].copy_from_slice(&new.to_le_bytes());
    }

    /// A damaged seed. Half of them get a length that fits again, or hardly one would get
    /// past the first check.
    fn next(&mut self) -> Vec<u8> {
        let seed = self.below(self.seeds.len());
        let mut bytes = self.seeds[seed].clone();
        let old = bytes.len() as u64;
        let len = u64::from_le_bytes(bytes[..8].try_into().unwrap());
        for _ in 0..1 + self.below(3) {
            self.once(&mut bytes);
        }
        if bytes.len() >= 8 && self.below(2) == 0 {
            let fits = (len + bytes.len() as u64).saturating_sub(old);
            bytes[..8].copy_from_slice(&fits.to_le_bytes());
        }
        bytes
    }
}

/// Whether two archives hold the same.
fn equal(a: &Archive, b: &Archive) -> bool {
    a.metadata() == b.metadata() && a.iter().eq(b.iter())
}

fn written_again(archive: &Archive) -> Archive {
    let mut builder = ArchiveBuilder::new();
    for (key, value) in archive.metadata() {
        builder.metadata(key, value).unwrap();
    }
    for (name, entry) in archive.iter() {
        builder
            .raw(name, entry.dtype, entry.shape, entry.bytes)
            .unwrap();
    }
    read(&builder.build().unwrap()).unwrap()
}

/// Where this parser is stricter than the reference crate, and only there.
fn known_strictness(rule: Rule, error: &StoreError) -> bool {
    match rule {
        // A name, field or key twice; a narrow dtype; an overflow that a zero hides.
        Rule::Duplicate | Rule::Supported | Rule::Shape => true,
        // Space before the header, and `"__metadata__":null`.
        Rule::Json => {
            let text = error.to_string();
            text.contains("as the first character") || text.ends_with("'n' (byte 24)")
        }
        _ => false,
    }
}

#[test]
fn damaged_files_never_panic_and_never_pass_where_the_reference_refuses() {
    let start = Instant::now();
    let mut mutator = Mutator {
        stream: Stream::new(&[2026]),
        seeds: seeds(),
    };
    let (mut accepted, mut verified) = (0, 0);
    let mut refused: BTreeMap<Option<Rule>, u64> = BTreeMap::new();
    for run in 0..RUNS {
        let bytes = mutator.next();
        let reference = SafeTensors::deserialize(&bytes);
        match read(&bytes) {
            Ok(archive) => {
                accepted += 1;
                let reference = reference.unwrap_or_else(|e| panic!("run {run}: {e}: {bytes:?}"));
                assert_eq!(reference.len(), archive.len(), "run {run}");
                for (name, entry) in archive.iter() {
                    let theirs = reference.tensor(name).unwrap();
                    assert_eq!(entry.bytes, theirs.data(), "run {run}");
                    assert_eq!(entry.shape, theirs.shape(), "run {run}");
                }
                assert!(equal(&archive, &written_again(&archive)), "run {run}");
                if archive.verify().is_ok() {
                    verified += 1;
                    assert_eq!(
                        bytes, mutator.seeds[1],
                        "run {run}: damaged, yet it verifies"
                    );
                }
            }
            Err(error) => {
                *refused.entry(error.rule()).or_default() += 1;
                if reference.is_ok() {
                    let known = error.rule().is_some_and(|r| known_strictness(r, &error));
                    assert!(known, "run {run}: only here refused: {error}");
                }
            }
        }
    }
    // The damage must be of many kinds, or the runs prove little.
    assert!(
        accepted > RUNS / 50 && verified > 0,
        "{accepted} accepted, {verified} verified"
    );
    assert!(refused.len() > 14, "{refused:?}");
    // A parser that hangs, and no busy machine.
    assert!(
        start.elapsed() < Duration::from_secs(300),
        "{:?}",
        start.elapsed()
    );
}

/// What the fuzz targets start from is read as the reference crate reads it.
#[test]
fn the_fuzzers_seeds_are_accepted() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds");
    for target in ["safetensors", "checkpoint"] {
        for entry in std::fs::read_dir(folder.join(target)).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let reference = SafeTensors::deserialize(&bytes).unwrap();
            let archive = read(&bytes).unwrap();
            assert_eq!(reference.len(), archive.len(), "{}", path.display());
            assert!(equal(&archive, &written_again(&archive)));
            assert!(!archive.is_sealed() || archive.verify().is_ok());
        }
    }
}
