//! The header of safetensors: what is accepted, the reference crate accepts too and reads
//! alike, and it survives being written again.
#![no_main]

use inception_store::{Limits, parse};
use libfuzzer_sys::fuzz_target;
use safetensors::SafeTensors;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    let path = Path::new("x.safetensors");
    let archive = match parse(bytes.to_vec(), path, &Limits::default()) {
        Ok(archive) => archive,
        Err(error) => return fuzz::refused(error.exit_code(), &error.to_string()),
    };
    let reference = SafeTensors::deserialize(bytes).expect("what is accepted here");
    assert_eq!(reference.len(), archive.len());
    for (name, entry) in archive.iter() {
        let theirs = reference.tensor(name).expect("a name that is here");
        assert_eq!(entry.bytes, theirs.data());
        assert_eq!(entry.shape, theirs.shape());
    }
    // Keys of seals are not for writing.
    let Ok(builder) = fuzz::rebuilt(&archive) else {
        return;
    };
    let written = builder.build().expect("what was accepted");
    let again = parse(written, path, &Limits::default()).expect("what was written");
    assert_eq!(again.metadata(), archive.metadata());
    assert!(again.iter().eq(archive.iter()));
});
