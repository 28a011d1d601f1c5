//! The directory of a zip archive of PyTorch.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    // What begins otherwise is another format.
    let file = [b"PK", bytes].concat();
    fuzz::read(file, Path::new("x.pth"));
});
