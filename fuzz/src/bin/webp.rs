//! WebP pictures of few pixels.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(
    init: fuzz::catch_decoders(),
    |bytes: &[u8]| {
        fuzz::decode(bytes);
    }
);
