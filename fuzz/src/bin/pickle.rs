//! Pickles, in an archive that is sound.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    fuzz::read(fuzz::build::pth(bytes), Path::new("x.pth"));
});
