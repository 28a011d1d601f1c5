//! Files to test with.
#![allow(dead_code, reason = "each test file uses some of these")]

use inception_store::{Archive, ArchiveBuilder, Dtype, Limits, StoreError, parse};
use std::path::Path;

/// A safetensors file with this header, whatever it says, and these data.
pub(crate) fn file(header: impl AsRef<[u8]>, data: &[u8]) -> Vec<u8> {
    let header = header.as_ref();
    let mut out = (header.len() as u64).to_le_bytes().to_vec();
    out.extend_from_slice(header);
    out.extend_from_slice(data);
    out
}

/// One tensor's entry in a header.
pub(crate) fn entry(name: &str, dtype: &str, shape: &str, offsets: &str) -> String {
    format!(r#""{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}"#)
}

/// Reads `bytes` under the default limits.
pub(crate) fn read(bytes: &[u8]) -> Result<Archive, StoreError> {
    parse(
        bytes.to_vec(),
        Path::new("test.safetensors"),
        &Limits::default(),
    )
}

/// A small archive with several types, an empty tensor, a scalar and odd names.
pub(crate) fn sample() -> ArchiveBuilder<'static> {
    fill().expect("the sample is a valid archive")
}

fn fill() -> Result<ArchiveBuilder<'static>, StoreError> {
    let mut builder = ArchiveBuilder::new();
    builder.metadata("format", "pt")?;
    builder.metadata("note", "two\nlines, \"quotes\" and \u{e9}\u{1f980}")?;
    builder.f32(
        "conv.weight",
        &[2, 3],
        vec![1.0, -2.0, 0.5, 3.25, 0.0, -0.0],
    )?;
    builder.f64("loss", &[1], vec![0.125])?;
    builder.u64("step", &[], vec![41])?;
    builder.u8("rng \u{1} state", &[5], vec![1, 2, 3, 4, 5])?;
    builder.raw("half", Dtype::F16, &[2], vec![0, 0x3c, 0, 0xc0])?;
    builder.f32("empty", &[0, 7], Vec::new())?;
    Ok(builder)
}

/// A file of one F32 tensor "w" of four elements, with fields of one's choice.
pub(crate) fn one(dtype: &str, shape: &str, offsets: &str) -> Vec<u8> {
    file(
        format!("{{{}}}", entry("w", dtype, shape, offsets)),
        &[0; 16],
    )
}

/// A file of two tensors "a" and "b" of four bytes each, at offsets of one's choice.
pub(crate) fn two(a: &str, b: &str, data: usize) -> Vec<u8> {
    let (a, b) = (entry("a", "F32", "[1]", a), entry("b", "F32", "[1]", b));
    file(format!("{{{a},{b}}}"), &vec![0; data])
}
