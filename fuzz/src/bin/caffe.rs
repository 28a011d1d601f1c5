//! Blobs of Caffe.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    fuzz::read(bytes.to_vec(), Path::new("x.caffemodel"));
});
