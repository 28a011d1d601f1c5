//! Files of our own, sealed: digests, and what the metadata of weights say. The fuzzer's file
//! is sealed before it is read, or no input would get behind the digests.
#![no_main]

use inception_data::Preprocess;
use inception_nn::WeightsMeta;
use inception_store::{Limits, parse};
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    let path = Path::new("x.safetensors");
    let archive = match parse(bytes.to_vec(), path, &Limits::default()) {
        Ok(archive) => archive,
        Err(error) => return fuzz::refused(error.exit_code(), &error.to_string()),
    };
    let Ok(builder) = fuzz::rebuilt(&archive) else {
        return;
    };
    let sealed = builder.seal().expect("what was accepted");
    if archive.is_sealed() && archive.verify().is_ok() {
        assert_eq!(bytes, sealed, "two files with one seal");
    }
    let flip = bytes.len() % sealed.len();
    let mut damaged = sealed.clone();
    damaged[flip] ^= 1 << (bytes.len() % 8);
    let passes = parse(damaged, path, &Limits::default()).is_ok_and(|a| a.verify().is_ok());
    assert!(!passes, "damage at byte {flip} is not seen");
    let archive = parse(sealed, path, &Limits::default()).expect("what was sealed");
    archive.verify().expect("what was sealed");
    if let Ok(Some(meta)) = WeightsMeta::from_map(archive.metadata()) {
        let again = WeightsMeta::from_map(&meta.to_map()).expect("what was accepted");
        assert_eq!(again, Some(meta));
    }
    if let Ok(Some(preprocess)) = Preprocess::from_map(archive.metadata()) {
        let again = Preprocess::from_map(&preprocess.to_map()).expect("what was accepted");
        assert_eq!(again, Some(preprocess));
    }
});
