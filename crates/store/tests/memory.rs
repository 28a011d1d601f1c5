//! What is too large is refused at once and without memory. One test alone in its process,
//! so that the peak is its own.

use inception_store::{
    ArchiveBuilder, Limits, RealFs, StoreError, parse, read_file, write_atomic_from,
};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

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

/// Writes a header of a million empty tensors.
fn write_million(path: &Path) -> std::io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    let entry = |i: u64| {
        let comma = if i == 0 { "{" } else { "," };
        format!(r#"{comma}"t{i:06}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#)
    };
    let len = 1_000_000 * entry(0).len() as u64 + 1;
    out.write_all(&len.to_le_bytes())?;
    for i in 0..1_000_000 {
        out.write_all(entry(i).as_bytes())?;
    }
    out.write_all(b"}")?;
    out.flush()
}

/// Writes a file of a terabyte of which nothing is on the disk, with this header length.
fn write_sparse(path: &Path, header: u64) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(&header.to_le_bytes())?;
    file.set_len(1 << 40)
}

/// Writes 24 tensors of 4 MiB, numbers and digests and all, in little more than one of them.
fn writing_holds_one_tensor(dir: &Path) {
    let mut builder = ArchiveBuilder::new();
    for i in 0..24 {
        let write = move |out: &mut [f32]| out.fill(i as f32);
        let name = format!("t{i:02}");
        builder.f32_with(name, &[1 << 20], 1 << 20, write).unwrap();
    }
    let before = peak_memory();
    let path = dir.join("large");
    write_atomic_from(&RealFs, &path, &builder.sealed().unwrap()).unwrap();
    if let (Some(before), Some(after)) = (before, peak_memory()) {
        assert!(after - before < 12 << 20, "{} bytes", after - before);
    }
    assert!(std::fs::metadata(&path).unwrap().len() > 96 << 20);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn what_is_too_large_is_refused_at_once_and_without_memory() {
    let dir = tempfile::tempdir().unwrap();
    let many = dir.path().join("many");
    write_million(&many).unwrap();
    let sparse = [2, 1 << 39, 1 << 63].map(|header: u64| {
        let path = dir.path().join(format!("sparse-{header}"));
        write_sparse(&path, header).unwrap();
        path
    });

    let before = peak_memory();
    let start = Instant::now();
    let limits = Limits::default();
    let code = |path: &Path| read_file(path, &limits).map(drop).unwrap_err().exit_code();
    assert_eq!(code(&many), 3);
    assert_eq!(sparse.each_ref().map(|path| code(path)), [3, 3, 4]);
    assert!(
        start.elapsed() < Duration::from_millis(50),
        "{:?}",
        start.elapsed()
    );
    if let (Some(before), Some(after)) = (before, peak_memory()) {
        assert!(after - before < 4 << 20, "{} bytes", after - before);
    }

    // With a header limit that lets it in, the count of tensors stops it.
    let limits = Limits {
        max_header_bytes: 100_000_000,
        ..Limits::default()
    };
    let bytes = std::fs::read(&many).unwrap();
    let start = Instant::now();
    let error = parse(bytes, Path::new("many"), &limits).unwrap_err();
    assert!(
        start.elapsed() < Duration::from_millis(150),
        "{:?}",
        start.elapsed()
    );
    assert!(matches!(error, StoreError::Limit(e) if e.limit == "max_tensors" && e.found == 65_537));

    writing_holds_one_tensor(dir.path());
}
