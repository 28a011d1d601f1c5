//! Data of ONNX that lie in another file: what is read comes from the model's folder.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

/// What lies in the model's folder, and what lies outside.
const INSIDE: u8 = 0x11;
const OUTSIDE: u8 = 0xEE;

static MODEL: LazyLock<PathBuf> = LazyLock::new(|| {
    let root = fuzz::folder();
    let folder = root.join("m");
    fs::create_dir_all(folder.join("d")).expect("folders");
    fs::create_dir_all(root.join("m2")).expect("folders");
    for inside in ["w", "d/w"] {
        fs::write(folder.join(inside), [INSIDE; 64]).expect("a file");
    }
    for outside in ["w", "m2/w"] {
        fs::write(root.join(outside), [OUTSIDE; 64]).expect("a file");
    }
    let links = [("../w", "l"), ("..", "p"), ("w", "s")];
    for (target, link) in links {
        let _ = std::os::unix::fs::symlink(target, folder.join(link));
    }
    let _ = fs::hard_link(root.join("w"), folder.join("h"));
    folder.join("x.onnx")
});

fuzz_target!(|bytes: &[u8]| {
    let file = fuzz::build::external(bytes);
    let found = inception_formats::parse(file, &MODEL, &Default::default());
    match found {
        Ok(contents) => {
            let graph = contents.graph.expect("a graph");
            for tensor in graph.initializers.values() {
                assert!(!tensor.bytes.contains(&OUTSIDE) || bytes.contains(&OUTSIDE));
            }
        }
        // 5: a file that is not there.
        Err(error) => assert!(matches!(error.exit_code(), 3..=5), "{error}"),
    }
});
