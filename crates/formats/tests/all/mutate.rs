//! Random damage: no parser panics, asks for absurd memory or takes long, and what one
//! accepts survives being written again.
//!
//! Few runs here; `INCEPTION_FUZZ_RUNS=10000000 INCEPTION_FUZZ_SEED=1` makes it many of others.

use crate::common::{STORAGE, bytes_of, graph, net, pth, read, record, seeds, tensor, zip};
use inception_formats::{Contents, FormatError, OnnxModel};
use inception_tensor::Stream;
use std::time::{Duration, Instant};

/// How often each parser is tried where nothing else is asked for.
const RUNS: u64 = 20_000;

fn setting(name: &str, or: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(or)
}

struct Mutator {
    stream: Stream,
    seeds: Vec<Vec<u8>>,
    /// What files of the format are made of.
    words: Vec<Vec<u8>>,
}

impl Mutator {
    fn below(&mut self, n: usize) -> usize {
        (self.stream.next_u64() % n.max(1) as u64) as usize
    }

    fn range(&mut self, bytes: &[u8]) -> std::ops::Range<usize> {
        let start = self.below(bytes.len() + 1);
        start..start + self.below(24).min(bytes.len() - start)
    }

    /// A number of one to eight bytes, near an edge more often than not.
    fn number(&mut self) -> Vec<u8> {
        let value = match self.below(4) {
            0 => self.stream.next_u64(),
            1 => (1_u64 << self.below(64)).wrapping_sub(self.below(2) as u64),
            2 => u64::MAX,
            _ => self.below(40) as u64,
        };
        let len = [1, 2, 4, 8][self.below(4)];
        value.to_le_bytes()[..len].to_vec()
    }

    fn once(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len().max(1));
        match self.below(8) {
            0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            1 if at < bytes.len() => bytes[at] = self.stream.next_u64() as u8,
            2 => {
                let range = self.range(bytes);
                bytes.drain(range);
            }
            3 => {
                let part = bytes[self.range(bytes)].to_vec();
                bytes.splice(at.min(bytes.len())..at.min(bytes.len()), part);
            }
            4 => {
                let other = self.below(self.seeds.len());
                let other = self.seeds[other].clone();
                let part = other[self.range(&other)].to_vec();
                bytes.splice(at.min(bytes.len())..at.min(bytes.len()), part);
            }
            5 if !self.words.is_empty() => {
                let word = self.below(self.words.len());
                let word = self.words[word].clone();
                let end = (at + self.below(word.len() + 1)).min(bytes.len());
                bytes.splice(at.min(end)..end, word);
            }
            6 => bytes.truncate(at),
            _ => {
                for (to, from) in bytes.iter_mut().skip(at).zip(self.number()) {
                    *to = from;
                }
            }
        }
    }

    fn next(&mut self) -> Vec<u8> {
        let seed = self.below(self.seeds.len());
        let mut bytes = self.seeds[seed].clone();
        for _ in 0..1 + self.below(4) {
            self.once(&mut bytes);
        }
        bytes
    }
}

/// Tries a parser on damaged seeds, and on those of a fuzz target behind the bytes that it
/// puts in front; `wrap` makes a file of them.
fn damage(
    salt: u64,
    name: &str,
    target: Option<(&str, &[u8])>,
    sound: Vec<Vec<u8>>,
    words: &[&[u8]],
    wrap: impl Fn(Vec<u8>) -> Vec<u8>,
    check: impl Fn(&Contents),
) {
    let runs = setting("INCEPTION_FUZZ_RUNS", RUNS);
    let mut mutator = Mutator {
        stream: Stream::new(&[setting("INCEPTION_FUZZ_SEED", 0), salt]),
        seeds: sound,
        words: words.iter().map(|word| word.to_vec()).collect(),
    };
    for seed in &mutator.seeds {
        read(&wrap(seed.clone()), name).expect("a seed is sound");
    }
    if let Some((target, front)) = target {
        let more = seeds(target).into_iter();
        let more = more.map(|seed| [front, &seed].concat());
        mutator.seeds.extend(more);
    }
    for seed in &mutator.seeds {
        if let Err(error) = read(&wrap(seed.clone()), name) {
            assert!(matches!(error.exit_code(), 3 | 4), "{error}");
        }
    }
    let (mut accepted, mut slowest) = (0_u64, Duration::ZERO);
    for _ in 0..runs {
        let bytes = wrap(mutator.next());
        let start = Instant::now();
        let found: Result<Contents, FormatError> = read(&bytes, name);
        slowest = slowest.max(start.elapsed());
        match found {
            Ok(contents) => {
                accepted += 1;
                check(&contents);
            }
            Err(error) => assert!(matches!(error.exit_code(), 3 | 4), "{error}"),
        }
    }
    println!("{name}: {runs} runs, {accepted} accepted, slowest {slowest:?}");
    // A hang, and no busy machine: none of these files takes a millisecond of a processor.
    assert!(slowest < Duration::from_secs(60), "{slowest:?}");
    assert!(accepted < runs, "the damage does nothing");
}

#[test]
fn zip_archives_of_pytorch() {
    let seeds = [
        pth(&tensor(b"K\x00", b"K\x04\x85", b"K\x01\x85")),
        bytes_of("complex.pth").into_iter().collect(),
    ];
    let words: [&[u8]; 4] = [b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06"];
    let sound = seeds[..1].to_vec();
    damage(
        1,
        "x.pth",
        Some(("zip", b"PK")),
        sound,
        &words,
        |bytes| bytes,
        |_| {},
    );
}

#[test]
fn pickles() {
    let words: [&[u8]; 24] = [
        STORAGE,
        b"(",
        b".",
        b"}",
        b"]",
        b")",
        b"\x85",
        b"\x86",
        b"\x87",
        b"t",
        b"R",
        b"b",
        b"Q",
        b"s",
        b"u",
        b"e",
        b"q\x00",
        b"h\x00",
        b"K\x04",
        b"N",
        b"ccollections\nOrderedDict\n",
        b"ctorch\nSize\n",
        b"ctorch._utils\n_rebuild_parameter\n",
        b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f",
    ];
    let seeds = vec![
        tensor(b"K\x00", b"K\x04\x85", b"K\x01\x85"),
        tensor(b"K\x01", b"K\x01K\x02\x86", b"K\x01K\x02\x86"),
    ];
    damage(
        2,
        "x.pth",
        Some(("pickle", b"")),
        seeds,
        &words,
        |bytes| pth(&bytes),
        |_| {},
    );
}

#[test]
fn files_of_old_pytorch() {
    let seeds = vec![bytes_of("state_legacy.pth")];
    let words: [&[u8]; 4] = [b"\x80\x02", b".", b"ctorch\nFloatStorage\n", b"K\x01"];
    damage(
        3,
        "x.pth",
        Some(("legacy", b"\x80")),
        seeds,
        &words,
        |bytes| bytes,
        |_| {},
    );
}

#[test]
fn graphs() {
    let words: [&[u8]; 6] = [
        b"\x0a\x00",
        b"\x12\x02",
        b"\x3a",
        b"\xff\xff\xff\xff\x0f",
        b"x",
        b"w",
    ];
    let check = |contents: &Contents| {
        let model = contents.graph.as_ref().expect("a graph");
        let again = read(&model.to_bytes(), "x.onnx").expect("what was accepted");
        let mut again = again.graph.expect("a graph");
        // A setting of a kind that is not read is not written either.
        again.warnings.clone_from(&model.warnings);
        let debug = |m: &OnnxModel| format!("{:?}{:?}", m.initializers, m.inputs);
        assert_eq!(debug(&again), debug(model));
    };
    damage(
        4,
        "x.onnx",
        Some(("onnx", b"")),
        vec![graph().to_bytes()],
        &words,
        |bytes| bytes,
        check,
    );
}

#[test]
fn blobs() {
    let words: [&[u8]; 3] = [b"\x3a", b"\x0a\x01", b"\xff\xff\xff\x7f"];
    damage(
        5,
        "x.caffemodel",
        Some(("caffe", b"")),
        vec![net()],
        &words,
        |bytes| bytes,
        |_| {},
    );
}

#[test]
fn archives_with_one_damaged_record() {
    // The checksum fits, so that what lies behind it is tried.
    let seeds = vec![b"little".to_vec(), b"big".to_vec()];
    let pickle = [
        b"\x80\x02".as_slice(),
        &tensor(b"K\x00", b"K\x04\x85", b"K\x01\x85"),
    ]
    .concat();
    let wrap = |order: Vec<u8>| {
        zip(&[
            record("a/data.pkl", pickle.clone()),
            record("a/byteorder", order),
            record("a/data/0", [0; 16]),
        ])
    };
    damage(6, "x.pth", None, seeds, &[], wrap, |_| {});
}
