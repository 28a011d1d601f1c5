//! `inception convert`.

mod common;

use common::Place;
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
