//! From a file of ONNX to a model that could run, as every command with `--weights` goes.
#![no_main]

use fuzz::Slot;
use inception_deploy::{LoadOptions, Weights};
use libfuzzer_sys::fuzz_target;
use std::path::PathBuf;
use std::sync::LazyLock;

static FILE: LazyLock<(Slot, PathBuf)> = LazyLock::new(|| {
    let folder = fuzz::folder();
    (Slot::new(&folder, "x.onnx"), folder.join("x.onnx"))
});

fuzz_target!(|bytes: &[u8]| {
    let (slot, path) = &*FILE;
    slot.fill(bytes);
    match Weights::load(path, &LoadOptions::default()) {
        Ok(weights) => {
            let [channels, height, width] = weights.meta.input;
            assert!(channels * height * width > 0 && weights.meta.classes > 0);
        }
        Err(error) => {
            let code = error.exit_code();
            // 2: the size of images is asked for; 5: a file of data is not there.
            assert!(matches!(code, 2..=5), "status {code}: {error}");
        }
    }
});
