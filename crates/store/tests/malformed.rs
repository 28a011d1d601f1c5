//! Each way in which a file can be malformed is refused with the rule, the place and both
//! values named.

mod common;

use common::{entry, file, read, sample};
use inception_store::{Archive, FinitePolicy, Limits, Rule, StoreError, parse, read_file};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

/// One file that breaks one rule, and what the message has to say.
struct Case {
    name: &'static str,
    bytes: Vec<u8>,
    rule: Rule,
    says: &'static [&'static str],
}

fn case(name: &'static str, bytes: Vec<u8>, rule: Rule, says: &'static [&'static str]) -> Case {
    Case {
        name,
        bytes,
        rule,
        says,
    }
}

/// A file of one F32 tensor "w" of four elements, with fields of one's choice.
fn one(dtype: &str, shape: &str, offsets: &str) -> Vec<u8> {
    file(
        format!("{{{}}}", entry("w", dtype, shape, offsets)),
        &[0; 16],
    )
}

/// A file of two tensors "a" and "b" of four bytes each, at offsets of one's choice.
fn two(a: &str, b: &str, data: usize) -> Vec<u8> {
    let (a, b) = (entry("a", "F32", "[1]", a), entry("b", "F32", "[1]", b));
    file(format!("{{{a},{b}}}"), &vec![0; data])
}

fn prefixes() -> Vec<Case> {
    let good = one("F32", "[4]", "[0,16]");
    let with_length = |n: u64| {
        let mut bytes = good.clone();
        bytes[..8].copy_from_slice(&n.to_le_bytes());
        bytes
    };
    let total = good.len() as u64;
    let len = Rule::HeaderLength;
    let mut cases = vec![
        case(
            "length 2^64-1",
            with_length(u64::MAX),
            len,
            &["18446744073709551615", "79 bytes"],
        ),
        case(
            "length 2^63",
            with_length(1 << 63),
            len,
            &["9223372036854775808"],
        ),
        case(
            "length 100,000,001",
            with_length(100_000_001),
            len,
            &["100000001"],
        ),
        case("length of the file", with_length(total), len, &["79 bytes"]),
        case(
            "length of the file less 7",
            with_length(total - 7),
            len,
            &["72 bytes"],
        ),
    ];
    assert_eq!(total, 79);
    for n in 0..8 {
        let says: &[&str] = &["at least 8 bytes", "bytes in all"];
        cases.push(case("short file", good[..n].to_vec(), Rule::Prefix, says));
    }
    cases
}

fn grammar() -> Vec<Case> {
    let json = |name, text: &str, says| case(name, file(text, &[]), Rule::Json, says);
    let mut bad_utf8 = file("{\"__\": 1}", &[]);
    bad_utf8[10] = 0xFF;
    let unknown = |value: &str| {
        let entry = r#"{"dtype":"F32","shape":[0],"data_offsets":[0,0],"x":"#;
        file(format!("{{\"w\":{entry}{value}}}}}"), &[])
    };
    let lone = r#"{"\ud800x":0}"#;
    let mut cases = vec![
        case(
            "not UTF-8",
            bad_utf8,
            Rule::Utf8,
            &["byte 0xff", "(byte 10)"],
        ),
        json(
            "empty header",
            "",
            &["'{'", "the end of the header", "(byte 8)"],
        ),
        json(
            "leading space",
            " {}",
            &["as the first character", "' '", "(byte 8)"],
        ),
        json(
            "byte order mark",
            "\u{feff}{}",
            &["as the first character", "(byte 8)"],
        ),
        json("an array", "[]", &["'['"]),
        json("nested arrays", &"[".repeat(100_000), &["'['", "(byte 8)"]),
        json("text after it", "{} x", &["'x'", "(byte 11)"]),
        json("two objects", "{}{}", &["(byte 10)"]),
        json("NUL after it", "{}\0", &["nothing but space"]),
        json("not closed", "{", &["a string"]),
        json(
            "trailing comma",
            r#"{"__metadata__":{},}"#,
            &["a string", "'}'"],
        ),
        json("no colon", r#"{"w"}"#, &["':'"]),
        json("single quotes", "{'w':0}", &["a string"]),
        json(
            "control code in a name",
            "{\"a\nb\":0}",
            &["control codes", "(byte 11)"],
        ),
        json("unknown escape", r#"{"\x":0}"#, &["an escape of JSON"]),
        json("short escape", r#"{"\u12"#, &["four hexadecimal digits"]),
        json("lone surrogate", lone, &["surrogate"]),
        json(
            "two high surrogates",
            r#"{"\ud800\ud800":0}"#,
            &["surrogate"],
        ),
        json("entry is a number", r#"{"w":1}"#, &["tensor \"w\"", "'1'"]),
        json("entry is null", r#"{"w":null}"#, &["'n'"]),
        json("metadata is null", r#"{"__metadata__":null}"#, &["'n'"]),
        json(
            "metadata holds a number",
            r#"{"__metadata__":{"a":1}}"#,
            &["a string", "'1'"],
        ),
        json(
            "metadata holds an object",
            r#"{"__metadata__":{"a":{}}}"#,
            &["a string"],
        ),
        case(
            "a comment",
            one("F32", "[4]/**/", "[0,16]"),
            Rule::Json,
            &["'/'"],
        ),
        case(
            "three offsets",
            one("F32", "[4]", "[0,16,16]"),
            Rule::Json,
            &["']'", "','"],
        ),
        case("one offset", one("F32", "[4]", "[0]"), Rule::Json, &["','"]),
        case(
            "offsets as strings",
            one("F32", "[4]", r#"["0","16"]"#),
            Rule::Json,
            &["integer"],
        ),
        case(
            "shape is a number",
            one("F32", "4", "[0,16]"),
            Rule::Json,
            &["'['", "'4'"],
        ),
        case(
            "deep",
            unknown(&"[".repeat(100_000)),
            Rule::Depth,
            &["at most 32 levels"],
        ),
        case(
            "deep objects",
            unknown(&r#"{"a":"#.repeat(50_000)),
            Rule::Depth,
            &["32"],
        ),
        case(
            "33 levels",
            unknown(&nested(33)),
            Rule::Depth,
            &["tensor \"w\""],
        ),
    ];
    for value in [
        "nul", "tru", "01", "1.", ".5", "-", "1e", "+1", "1e999", "[1,]", "{\"a\":}", "]",
    ] {
        cases.push(case(
            "unknown value",
            unknown(value),
            Rule::Json,
            &["tensor \"w\""],
        ));
    }
    cases
}

fn nested(depth: usize) -> String {
    "[".repeat(depth) + &"]".repeat(depth)
}

fn fields() -> Vec<Case> {
    let twice = format!("{{{0},{0}}}", entry("w", "F32", "[4]", "[0,16]"));
    let other = entry("w", "F32", "[2]", "[0,8]");
    let differ = format!("{{{},{other}}}", entry("w", "F32", "[4]", "[0,16]"));
    let escaped = format!("{{{},{other}}}", entry("\\u0077", "F32", "[2]", "[8,16]"));
    let field = r#"{"w":{"dtype":"F32","dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#;
    let lacking = |text: &str| file(format!("{{\"w\":{{{text}}}}}"), &[]);
    let int = Rule::Integer;
    let dup = Rule::Duplicate;
    let mut cases = vec![
        case(
            "name twice",
            file(twice, &[0; 16]),
            dup,
            &["\"w\" again", "(byte 63)"],
        ),
        case(
            "name twice, other entry",
            file(differ, &[0; 16]),
            dup,
            &["tensor \"w\""],
        ),
        case(
            "name twice, escaped",
            file(escaped, &[0; 16]),
            dup,
            &["\"w\" again"],
        ),
        case("field twice", file(field, &[]), dup, &["\"dtype\" again"]),
        case(
            "metadata twice",
            file(r#"{"__metadata__":{},"__metadata__":{}}"#, &[]),
            dup,
            &["\"__metadata__\" again"],
        ),
        case(
            "metadata key twice",
            file(r#"{"__metadata__":{"k":"1","k":"1"}}"#, &[]),
            dup,
            &["\"k\" again"],
        ),
        case(
            "no fields",
            lacking(""),
            Rule::Fields,
            &["dtype and shape and data_offsets"],
        ),
        case(
            "no shape",
            lacking(r#""dtype":"F32","data_offsets":[0,0]"#),
            Rule::Fields,
            &["without shape"],
        ),
        case(
            "unknown dtype",
            one("F33", "[4]", "[0,16]"),
            Rule::Dtype,
            &["\"F33\"", "(byte 22)"],
        ),
        case(
            "dtype in lower case",
            one("f32", "[4]", "[0,16]"),
            Rule::Dtype,
            &["\"f32\""],
        ),
        case(
            "fp8",
            one("F8_E4M3", "[16]", "[0,16]"),
            Rule::Supported,
            &["F8_E4M3", "not supported"],
        ),
        case(
            "fp4",
            one("F4", "[32]", "[0,16]"),
            Rule::Supported,
            &["not supported"],
        ),
        case(
            "complex",
            one("C64", "[2]", "[0,16]"),
            Rule::Supported,
            &["not supported"],
        ),
    ];
    for number in [
        "-4",
        "4.0",
        "4e0",
        "1e3",
        "04",
        "+4",
        "18446744073709551616",
        "4-",
        "0x4",
    ] {
        if number != "0x4" {
            cases.push(case(
                "extent",
                one("F32", &format!("[{number}]"), "[0,16]"),
                int,
                &["tensor \"w\""],
            ));
        }
    }
    for offsets in [
        "[-0,16]",
        "[0,-16]",
        "[0.0,16]",
        "[0,1e3]",
        "[0,1.6e1]",
        "[00,16]",
    ] {
        cases.push(case(
            "offset",
            one("F32", "[4]", offsets),
            int,
            &["plain digits"],
        ));
    }
    cases
}

fn layout() -> Vec<Case> {
    let wrap = "[4194305,4194305,211106198978564]";
    let overflow = Rule::Shape;
    vec![
        case(
            "overflow",
            one("F32", "[1099511627776,1099511627776]", "[0,16]"),
            overflow,
            &["overflow"],
        ),
        case(
            "overflow to 4",
            one("F32", wrap, "[0,16]"),
            overflow,
            &["overflow"],
        ),
        case(
            "overflow by the dtype",
            one("F64", "[2305843009213693952]", "[0,0]"),
            overflow,
            &["F64"],
        ),
        case(
            "overflow beside a zero",
            one("U8", "[0,9223372036854775808]", "[0,0]"),
            overflow,
            &["overflow"],
        ),
        case(
            "overflow before a zero",
            one("U8", "[4294967296,4294967296,0]", "[0,0]"),
            overflow,
            &["overflow"],
        ),
        case(
            "end before begin",
            one("F32", "[4]", "[16,0]"),
            Rule::Order,
            &["[16, 0]", "tensor \"w\""],
        ),
        case(
            "too few bytes",
            one("F32", "[5]", "[0,16]"),
            Rule::Size,
            &["20 bytes", "[0, 16]", "16 bytes"],
        ),
        case(
            "too many bytes",
            one("F32", "[3]", "[0,16]"),
            Rule::Size,
            &["12 bytes", "[0, 16]"],
        ),
        case(
            "scalar of nothing",
            one("F32", "[]", "[0,0]"),
            Rule::Size,
            &["4 bytes"],
        ),
        case(
            "not at 0",
            two("[4,8]", "[8,12]", 12),
            Rule::Hole,
            &["tensor \"a\"", "[4, 8]", "begin at 0"],
        ),
        case(
            "hole",
            two("[0,4]", "[5,9]", 9),
            Rule::Hole,
            &["tensor \"b\"", "[5, 9]", "begin at 4"],
        ),
        case(
            "overlap",
            two("[0,4]", "[2,6]", 6),
            Rule::Overlap,
            &["tensor \"b\"", "[2, 6]", "begin at 4"],
        ),
        case(
            "same bytes",
            two("[0,4]", "[0,4]", 4),
            Rule::Overlap,
            &["[0, 4]"],
        ),
        case(
            "byte too much",
            two("[0,4]", "[4,8]", 9),
            Rule::Total,
            &["8 bytes", "9 bytes"],
        ),
        case(
            "byte too few",
            two("[0,4]", "[4,8]", 7),
            Rule::Total,
            &["8 bytes", "7 bytes"],
        ),
        case(
            "data of no tensor",
            file("{}", &[0]),
            Rule::Total,
            &["0 bytes", "1 bytes"],
        ),
    ]
}

fn all() -> Vec<Case> {
    [prefixes(), grammar(), fields(), layout()]
        .into_iter()
        .flatten()
        .collect()
}

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
fn every_rule_is_broken_by_some_test_here() {
    let mut seen: BTreeSet<Rule> = all().iter().map(|case| case.rule).collect();
    // The others are broken by tests of their own.
    let archive = read(&sample().build().unwrap()).unwrap();
    for error in [
        archive.tensor("absent").map(drop).unwrap_err(),
        archive.to_f32("step").map(drop).unwrap_err(),
        archive.verify().unwrap_err(),
        huge().to_f32("w").map(drop).unwrap_err(),
        not_finite()
            .check_finite(FinitePolicy::Refuse)
            .map(drop)
            .unwrap_err(),
        read_file(Path::new("/"), &Limits::default())
            .map(drop)
            .unwrap_err(),
    ] {
        seen.insert(rule_of(&error));
    }
    let elsewhere = [Rule::HeaderDigest, Rule::TensorDigest, Rule::StableFile];
    let missing: Vec<_> = Rule::ALL
        .iter()
        .filter(|rule| !seen.contains(rule) && !elsewhere.contains(rule))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

fn huge() -> Archive {
    let mut builder = inception_store::ArchiveBuilder::new();
    builder.f64("w", &[2], vec![1.0, 1e300]).unwrap();
    read(&builder.build().unwrap()).unwrap()
}

fn not_finite() -> Archive {
    let mut values = vec![1.0_f32; 40];
    for i in [17, 20, 39] {
        values[i] = f32::NAN;
    }
    values[30] = f32::NEG_INFINITY;
    let mut builder = inception_store::ArchiveBuilder::new();
    builder.f32("w", &[40], values).unwrap();
    builder.u64("step", &[], vec![u64::MAX]).unwrap();
    read(&builder.build().unwrap()).unwrap()
}

#[test]
fn numbers_that_are_not_finite_are_counted_and_placed() {
    let archive = not_finite();
    let text = archive
        .check_finite(FinitePolicy::Refuse)
        .unwrap_err()
        .to_string();
    let says = "tensor \"w\": expected finite numbers, \
                found 3 NaN and 1 infinite, first at element 17";
    assert!(text.contains(says), "{text}");
    let reports = archive.check_finite(FinitePolicy::Allow).unwrap();
    assert_eq!(reports.len(), 1);
    assert_eq!(
        (reports[0].nan, reports[0].infinite, reports[0].first),
        (3, 1, 17)
    );
    let clean = read(&sample().build().unwrap()).unwrap();
    assert_eq!(clean.check_finite(FinitePolicy::Refuse).unwrap(), []);
}

#[test]
fn a_double_out_of_the_range_of_f32_is_refused_not_made_infinite() {
    let text = huge().to_f32("w").unwrap_err().to_string();
    assert!(text.contains("1e300 at element 1"), "{text}");
    assert_eq!(huge().to_f64("w").unwrap(), [1.0, 1e300]);
}

#[test]
fn unaligned_headers_padding_and_unknown_fields_are_accepted() {
    let header = "{ \"w\" : {\"shape\":[1],\t\"extra\":{\"a\":[1,-2.5e3,true,null,\"x\"]},\
                  \"data_offsets\":[0,4],\"dtype\":\"F32\"} }  \n";
    assert_ne!(header.len() % 8, 0);
    let archive = read(&file(header, &1.5_f32.to_le_bytes())).unwrap();
    assert_eq!(archive.to_f32("w").unwrap(), [1.5]);
    assert_eq!(archive.warnings().len(), 1);
    assert!(archive.warnings()[0].contains("extra"));
    let deep = format!(
        "{{\"w\":{{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0],\"x\":{}}}}}",
        nested(32)
    );
    assert!(read(&file(deep, &[])).is_ok());
    assert!(read(&file("{}", &[])).unwrap().is_empty());
}

/// Asks for the error of a file that is over one limit.
fn excess(bytes: &[u8], limits: &Limits) -> (&'static str, u64, String) {
    let error = parse(bytes.to_vec(), Path::new("big"), limits).unwrap_err();
    assert_eq!(error.exit_code(), 3, "{error}");
    match error {
        StoreError::Limit(excess) => (excess.limit, excess.found, excess.to_string()),
        other => panic!("{other}"),
    }
}

#[test]
fn each_limit_is_kept_and_named() {
    let limits = Limits::default();
    let dims = format!("[{}]", vec!["1"; 9].join(","));
    let name = "n".repeat(1025);
    let long = file(format!("{{{}}}", entry(&name, "U8", "[0]", "[0,0]")), &[]);
    let header = file(" ".repeat((16 << 20) + 1), &[]);
    assert_eq!(excess(&one("F32", &dims, "[0,4]"), &limits).0, "max_dims");
    assert_eq!(excess(&long, &limits).0, "max_name_bytes");
    assert!(excess(&long, &limits).2.len() < 200);
    assert_eq!(excess(&header, &limits).1, (16 << 20) + 1);

    let mut small = Limits::default();
    small.max_tensors = 1;
    let (limit, found, text) = excess(&two("[0,4]", "[4,8]", 8), &small);
    assert_eq!((limit, found), ("max_tensors", 2));
    assert_eq!(text, "big: expected at most 1 (max_tensors), found 2");
    small.max_total_bytes = 15;
    assert_eq!(
        excess(&one("F32", "[4]", "[0,16]"), &small).0,
        "max_total_bytes"
    );
    small.max_metadata = 1;
    let two_keys = file(r#"{"__metadata__":{"a":"","b":""}}"#, &[]);
    assert_eq!(excess(&two_keys, &small).0, "max_metadata");
}

/// The most memory that this process has ever had resident, in bytes.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace()
        .nth(1)?
        .parse::<u64>()
        .ok()
        .map(|kib| kib << 10)
}

#[test]
fn what_is_too_large_is_refused_at_once_and_without_memory() {
    let mut header = String::from("{");
    for i in 0..1_000_000 {
        header.push_str(&entry(&format!("t{i}"), "F32", "[0]", "[0,0]"));
        header.push(',');
    }
    header.pop();
    header.push('}');
    let million = file(&header, &[]);
    drop(header);
    let dir = tempfile::tempdir().unwrap();
    let (many, sparse) = (dir.path().join("many"), dir.path().join("sparse"));
    std::fs::write(&many, &million).unwrap();
    let big = std::fs::File::create(&sparse).unwrap();
    big.set_len(1 << 40).unwrap();
    std::io::Write::write_all(&mut &big, &(1_u64 << 39).to_le_bytes()).unwrap();

    let before = peak_memory();
    let start = Instant::now();
    let error = read_file(&many, &Limits::default()).unwrap_err();
    assert_eq!(error.exit_code(), 3, "{error}");
    let error = read_file(&sparse, &Limits::default()).unwrap_err();
    assert_eq!(error.exit_code(), 3, "{error}");
    assert!(
        start.elapsed() < Duration::from_millis(50),
        "{:?}",
        start.elapsed()
    );
    if let (Some(before), Some(after)) = (before, peak_memory()) {
        assert!(after - before < 8 << 20, "{} bytes", after - before);
    }

    // With a header limit that lets it in, the count of tensors stops it.
    let mut limits = Limits::default();
    limits.max_header_bytes = 100_000_000;
    let start = Instant::now();
    let error = parse(million, Path::new("many"), &limits).unwrap_err();
    assert!(
        start.elapsed() < Duration::from_millis(150),
        "{:?}",
        start.elapsed()
    );
    assert!(matches!(error, StoreError::Limit(e) if e.limit == "max_tensors" && e.found == 65_537));
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

#[test]
fn only_regular_files_are_opened() {
    let limits = Limits::default();
    let dir = tempfile::tempdir().unwrap();
    let error = read_file(dir.path(), &limits).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("expected a regular file, found a folder"),
        "{error}"
    );
    let error = read_file(&dir.path().join("absent"), &limits).unwrap_err();
    assert_eq!(error.exit_code(), 5, "{error}");
}

#[cfg(unix)]
#[test]
fn a_fifo_is_refused_without_waiting_and_a_link_to_a_file_is_followed() {
    let dir = tempfile::tempdir().unwrap();
    let (fifo, link) = (dir.path().join("fifo"), dir.path().join("link"));
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.unwrap().success());
    let error = read_file(&fifo, &Limits::default()).unwrap_err();
    assert_eq!(rule_of(&error), Rule::RegularFile);
    let target = dir.path().join("model.safetensors");
    std::fs::write(&target, sample().build().unwrap()).unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    assert_eq!(read_file(&link, &Limits::default()).unwrap().len(), 6);
}

#[test]
fn a_file_cut_at_any_byte_is_refused() {
    let bytes = sample().build().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cut");
    for len in 0..bytes.len() {
        std::fs::write(&path, &bytes[..len]).unwrap();
        assert_eq!(rule_of(&read(&bytes[..len]).unwrap_err()), {
            rule_of(&read_file(&path, &Limits::default()).unwrap_err())
        });
    }
    read(&bytes).unwrap();
}
