//! What is accepted, limits, numbers that are not finite, and files that are no regular files.

use crate::common::{entry, file, one, read, sample, two};
use inception_store::{
    Archive, ArchiveBuilder, FinitePolicy, Limits, Rule, StoreError, parse, read_file,
};
use std::path::Path;

fn huge() -> Archive {
    let mut builder = ArchiveBuilder::new();
    builder.f64("w", &[2], vec![1.0, 1e300]).unwrap();
    read(&builder.build().unwrap()).unwrap()
}

fn not_finite() -> Archive {
    let mut values = vec![1.0_f32; 40];
    for i in [17, 20, 39] {
        values[i] = f32::NAN;
    }
    values[30] = f32::NEG_INFINITY;
    let mut builder = ArchiveBuilder::new();
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
fn what_the_caller_asks_for_has_to_be_there() {
    let archive = read(&sample().build().unwrap()).unwrap();
    let absent = archive.tensor("absent").unwrap_err();
    assert_eq!(absent.rule(), Some(Rule::Present));
    assert!(
        absent
            .to_string()
            .contains("tensor \"absent\": expected a tensor of this name")
    );
    let integers = archive.to_f32("step").unwrap_err();
    assert_eq!(integers.rule(), Some(Rule::Convertible));
    assert!(
        integers
            .to_string()
            .contains("expected F32, F16, BF16 or F64, found U64")
    );
    assert_eq!(huge().to_f32("w").unwrap_err().rule(), Some(Rule::Range));
}

#[test]
fn a_double_out_of_the_range_of_f32_is_refused_not_made_infinite() {
    let text = huge().to_f32("w").unwrap_err().to_string();
    assert!(text.contains("1e300 at element 1"), "{text}");
    assert_eq!(huge().to_f64("w").unwrap(), [1.0, 1e300]);
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
    let dims = format!("[{}]", ["1"; 9].join(","));
    let name = "n".repeat(1025);
    let long = file(format!("{{{}}}", entry(&name, "U8", "[0]", "[0,0]")), &[]);
    let header = file(" ".repeat((16 << 20) + 1), &[]);
    assert_eq!(excess(&one("F32", &dims, "[0,4]"), &limits).0, "max_dims");
    assert_eq!(excess(&long, &limits).0, "max_name_bytes");
    assert!(excess(&long, &limits).2.len() < 200);
    assert_eq!(excess(&header, &limits).1, (16 << 20) + 1);

    let mut small = Limits {
        max_tensors: 1,
        ..Limits::default()
    };
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
    assert_eq!(error.rule(), Some(Rule::RegularFile));
    let target = dir.path().join("model.safetensors");
    std::fs::write(&target, sample().build().unwrap()).unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    assert_eq!(read_file(&link, &Limits::default()).unwrap().len(), 6);
}

fn nested(depth: usize) -> String {
    "[".repeat(depth) + &"]".repeat(depth)
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

#[test]
fn a_file_cut_at_any_byte_is_refused() {
    let bytes = sample().build().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cut");
    for len in 0..bytes.len() {
        std::fs::write(&path, &bytes[..len]).unwrap();
        assert_eq!(read(&bytes[..len]).unwrap_err().rule(), {
            read_file(&path, &Limits::default()).unwrap_err().rule()
        });
    }
    read(&bytes).unwrap();
}
