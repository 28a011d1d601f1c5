//! `inception convert`.

use crate::common::{Place, jpeg};
use inception_deploy::Weights;
use inception_nn::{Model, ModelOptions};

/// A place with random weights of a small model, from two seeds.
fn place() -> Place {
    let place = Place::new();
    for seed in [1, 2] {
        let model = Model::build("inception-small", &ModelOptions::default()).unwrap();
        let weights = Weights::random(model, seed).unwrap();
        weights
            .save(&place.path(&format!("{seed}.safetensors")))
            .unwrap();
    }
    place
}

#[test]
fn weights_go_to_onnx_and_back_and_stay_what_they_are() {
    let place = place();
    let said =
        place.json("convert --weights 1.safetensors --out x.onnx --verify --fold-batch-norm");
    assert_eq!(said["format"], "onnx");
    assert_eq!(said["model"], "inception-small");
    assert!(said["verify"]["max_rel"].as_f64().unwrap() < 1e-4);
    place.run("convert --weights 1.safetensors --out y.onnx --softmax --preprocess --verify");
    place.run("convert --weights y.onnx --model inception-small --out y.safetensors --verify --allow-partial");
    let same = place.json("convert diff 1.safetensors y.safetensors");
    assert_eq!(same["same"], same["tensors"]);
    place.run("convert --weights 1.safetensors --out t.safetensors --format torch --verify");
    let same = place.json("convert diff 1.safetensors t.safetensors");
    assert_eq!(same["same"], same["tensors"]);
}

#[test]
fn the_mean_of_two_lies_between_them() {
    let place = place();
    place.run("convert average 1.safetensors 2.safetensors --out m.safetensors");
    let first = place
        .command("convert diff 1.safetensors m.safetensors --json")
        .output()
        .unwrap();
    assert_eq!(first.status.code(), Some(1));
    let second = place
        .command("convert diff m.safetensors 2.safetensors --json")
        .output()
        .unwrap();
    let rms = |output: &std::process::Output| {
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let row = said["different"]
            .as_array()
            .unwrap()
            .iter()
            .find(|r| r["name"] == "fc.weight");
        row.unwrap()["rms"].as_f64().unwrap()
    };
    let (a, b) = (rms(&first), rms(&second));
    assert!((a - b).abs() < 1e-6 * a, "{a} {b}");
}

#[test]
fn a_calibrated_file_runs_on_bytes_and_another_says_what_to_do() {
    let place = place();
    place.run(
        "convert --weights 1.safetensors --out q.safetensors --precision int8 \
         --calibrate shapes --calibrate-images 20",
    );
    let image = jpeg(28, 28, 100);
    std::fs::write(place.path("x.jpg"), image).unwrap();
    let logits = |words: &str| {
        let said = place.json(&format!("predict x.jpg --logits {words}"));
        let logits = said["logits"].as_array().unwrap().iter();
        logits.map(|x| x.as_f64().unwrap()).collect::<Vec<_>>()
    };
    let expected = logits("--weights 1.safetensors");
    assert_eq!(logits("--weights q.safetensors --precision f32"), expected);
    let found = logits("--weights q.safetensors");
    assert_eq!(found, logits("--weights q.safetensors --precision int8"));
    let largest = expected.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
    let off = found.iter().zip(&expected).map(|(a, b)| (a - b).abs());
    let off = off.fold(0.0, f64::max);
    assert!(
        0.0 < off && off < 0.1 * largest,
        "{found:?} for {expected:?}"
    );
    let message = place.fail(2, "predict x.jpg --weights 1.safetensors --precision int8");
    assert!(message.contains("--calibrate DATA"), "{message}");
    place.fail(
        2,
        "convert --weights 1.safetensors --out x.safetensors --precision int8",
    );
    place.fail(
        2,
        "convert --weights 1.safetensors --out x.onnx --precision int8 --calibrate shapes",
    );
}

#[test]
fn what_cannot_be_done_is_said() {
    let place = place();
    place.fail(2, "convert --weights 1.safetensors --out x.bin");
    place.fail(
        2,
        "convert --weights 1.safetensors --out x.safetensors --softmax",
    );
    place.fail(2, "convert --weights 1.safetensors");
    std::fs::write(place.path("x.onnx"), b"\x08\x08").unwrap();
    let message = place.fail(4, "convert --weights x.onnx --out y.onnx");
    assert!(
        message.contains("x.onnx: expected an ONNX model of one graph"),
        "{message}"
    );
}
