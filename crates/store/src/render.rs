//! The one canonical rendering of a header: equal contents give equal bytes.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic
)]

use crate::Dtype;
use crate::header::{METADATA, PREFIX};

/// One tensor as [`render`] lays it down.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    pub(crate) name: &'a str,
    pub(crate) dtype: Dtype,
    pub(crate) shape: &'a [usize],
    pub(crate) bytes: usize,
}

/// Sorts tensors into the order of the file: wide elements first, then by name, so that
/// each tensor begins at a multiple of its element size.
pub(crate) fn arrange(lines: &mut [Line<'_>]) {
    lines.sort_by(|a, b| b.dtype.cmp(&a.dtype).then(a.name.cmp(b.name)));
}

/// The one way in which this crate writes a header: length, JSON without spaces, and
/// spaces up to a multiple of eight bytes.
pub(crate) fn render<'a>(
    metadata: impl Iterator<Item = (&'a str, &'a str)>,
    lines: &[Line<'_>],
) -> Vec<u8> {
    let mut json = String::from("{");
    let mut metadata = metadata.peekable();
    if metadata.peek().is_some() {
        push_string(&mut json, METADATA);
        let mut lead = ":{";
        for (key, value) in metadata {
            json.push_str(lead);
            push_string(&mut json, key);
            json.push(':');
            push_string(&mut json, value);
            lead = ",";
        }
        json.push('}');
    }
    let mut begin = 0_usize;
    for line in lines {
        if json.len() > 1 {
            json.push(',');
        }
        let end = begin.saturating_add(line.bytes);
        push_string(&mut json, line.name);
        json.push_str(":{\"dtype\":\"");
        json.push_str(line.dtype.name());
        json.push_str("\",\"shape\":[");
        let dims: Vec<String> = line.shape.iter().map(usize::to_string).collect();
        json.push_str(&dims.join(","));
        json.push_str(&format!("],\"data_offsets\":[{begin},{end}]}}"));
        begin = end;
    }
    json.push('}');
    while !json.len().is_multiple_of(PREFIX) {
        json.push(' ');
    }
    let mut out = u64::try_from(json.len())
        .unwrap_or(u64::MAX)
        .to_le_bytes()
        .to_vec();
    out.extend_from_slice(json.as_bytes());
    out
}

fn push_string(json: &mut String, text: &str) {
    json.push('"');
    for c in text.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\u{8}' => json.push_str("\\b"),
            '\u{c}' => json.push_str("\\f"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            c if c < ' ' => json.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => json.push(c),
        }
    }
    json.push('"');
}
