//! ONNX: what is accepted is the same after it was written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    let path = Path::new("/nowhere/x.onnx");
    // Data in other files are there for the target `external`.
    let Ok(contents) = inception_formats::parse(bytes.to_vec(), path, &Default::default())
        .inspect_err(|error| assert!(matches!(error.exit_code(), 3..=5), "{error}"))
    else {
        return;
    };
    let model = contents.graph.expect("a graph");
    let again = fuzz::read(model.to_bytes(), path).expect("what was accepted");
    let mut again = again.graph.expect("a graph");
    // A setting of a kind that is not read is not written either.
    again.warnings.clone_from(&model.warnings);
    assert_eq!(
        format!("{:?}{:?}", again.initializers, again.inputs),
        format!("{:?}{:?}", model.initializers, model.inputs)
    );
});
