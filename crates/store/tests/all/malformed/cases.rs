//! Files that break one rule each.

use crate::common::{entry, file, one, two};
use inception_store::Rule;

/// One file that breaks one rule, and what the message has to say.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) rule: Rule,
    pub(crate) says: &'static [&'static str],
}

fn case(name: &'static str, bytes: Vec<u8>, rule: Rule, says: &'static [&'static str]) -> Case {
    Case {
        name,
        bytes,
        rule,
        says,
    }
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

pub(crate) fn grammar() -> Vec<Case> {
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
    ] {
        let shape = format!("[{number}]");
        let says = &["tensor \"w\"", "plain digits"];
        cases.push(case("extent", one("F32", &shape, "[0,16]"), int, says));
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

/// Every case.
pub(crate) fn all() -> Vec<Case> {
    [prefixes(), grammar(), fields(), layout()]
        .into_iter()
        .flatten()
        .collect()
}
