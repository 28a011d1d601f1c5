//! `bench`, `summary --json`, `data`, `doctor`, `completions`.

use crate::common;
use crate::common::{Place, fields, text};

#[test]
fn a_benchmark_has_the_promised_fields() {
    let place = Place::new();
    let bench = "bench --model inception-small --batch-size 2 --reps 2 --threads 2";
    for words in [
        "--mode infer",
        "--mode train",
        "--precision f64",
        "--profile",
    ] {
        let found = place.json(&format!("{bench} {words}"));
        for field in [
            "model",
            "mode",
            "batch_size",
            "threads",
            "precision",
            "median_ms",
            "min_ms",
            "images_per_s",
            "gflops",
            "arena_bytes",
        ] {
            assert!(!found[field].is_null(), "{words}: {field}");
        }
        if cfg!(target_os = "linux") {
            assert!(found["peak_rss_bytes"].as_u64() > found["arena_bytes"].as_u64());
        }
        assert!(found["min_ms"].as_f64() <= found["median_ms"].as_f64());
        assert_eq!(found["profile"].is_object(), words == "--profile");
    }
    let profile = &place.json(&format!("{bench} --profile"))["profile"];
    let shares = profile["operators"].as_array().unwrap().iter();
    let sum: f64 = shares.map(|op| op["share"].as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-9);
    assert_eq!(
        fields(&profile["layers"][0]),
        [
            "algorithm",
            "bytes",
            "direction",
            "gbytes_per_s",
            "gflops",
            "ms",
            "op",
            "path",
            "peak_share",
            "share"
        ]
    );
    let train = &place.json(&format!("{bench} --profile --mode train"))["profile"];
    let directions = train["directions"].as_array().unwrap().iter();
    let directions: Vec<_> = directions.map(|d| d["direction"].clone()).collect();
    assert_eq!(directions, ["forward", "backward", "update"]);
    let gradient = train["layers"].as_array().unwrap().iter();
    let mut gradient = gradient.filter(|l| l["op"] == "conv2d_backward_weight");
    let found = gradient.next().unwrap();
    assert!(found["bytes"].as_u64() > Some(0) && found["peak_share"].as_f64() > Some(0.0));
    place.weights();
    place.json("bench --weights w.safetensors --reps 1");
    let said = place.run(&format!("{bench} --profile"));
    assert!(
        said.contains("layer ") && said.contains("images a second"),
        "{said}"
    );
    assert!(
        place
            .fail(2, "bench --reps 1")
            .starts_with("give --model NAME")
    );
    let message = place.fail(2, "bench --model inception-small --reps 0");
    assert_eq!(message, "--reps is at least 1");
}

#[test]
fn a_benchmark_of_maps_made_again_needs_less_memory() {
    let place = Place::new();
    let bench = "bench --model inception-small --batch-size 16 --reps 1";
    let arena = |words: &str| {
        let found = place.json(&format!("{bench} --mode train {words}"));
        found["arena_bytes"].as_u64().unwrap()
    };
    let [all, cheap, stages] =
        ["nothing", "cheap", "stages"].map(|what| arena(&format!("--recompute {what}")));
    assert_eq!(all, arena(""));
    assert!(all > cheap && cheap > stages, "{all}, {cheap}, {stages}");
    for words in [
        "--recompute cheap",
        "--mode train --precision bf16 --recompute cheap",
    ] {
        let message = place.fail(2, &format!("{bench} {words}"));
        assert_eq!(message, "--recompute is for --mode train in f32 or f64");
    }
}

#[test]
fn a_summary_has_the_promised_fields() {
    let place = Place::new();
    let found = place.json("summary --model googlenet");
    assert_eq!(found["params"], 6_998_552);
    assert_eq!(
        found["params"].as_u64().unwrap() + found["params_aux"].as_u64().unwrap(),
        13_378_280
    );
    assert_eq!(
        found["flops"].as_u64(),
        found["macs"].as_u64().map(|n| 2 * n)
    );
    assert_eq!(
        fields(&found["layers"][0]),
        ["macs", "op", "output", "params", "path"]
    );
    let infer = place.json("summary --model inception-small --batch-size 64");
    let train = place.json("summary --model inception-small --batch-size 64 --train");
    assert!(infer["optimizer_bytes"].is_null());
    assert_eq!(
        train["optimizer_bytes"],
        4 * train["params"].as_u64().unwrap()
    );
    assert!(train["arena_bytes"].as_u64() > infer["arena_bytes"].as_u64());
    let parts = [
        "arena_bytes",
        "parameter_bytes",
        "optimizer_bytes",
        "loader_bytes",
    ];
    let sum: u64 = parts.iter().map(|p| train[p].as_u64().unwrap()).sum();
    assert_eq!(train["resident_bytes"], sum);
    place.weights();
    assert_eq!(
        place.json("summary --weights w.safetensors")["model"],
        "inception-small"
    );
    let message = place.fail(2, "summary --model inception-small --passes fly");
    assert!(message.starts_with("--passes: "), "{message}");
}

#[test]
fn data_are_described_checked_and_measured() {
    let place = Place::new();
    place.photos(5);
    let found = place.json("data info photos");
    assert_eq!(
        (&found["images"], &found["measured"]),
        (&10.into(), &10.into())
    );
    assert_eq!(found["classes"][1]["class"], "red");
    assert_eq!(found["mean"].as_array().unwrap().len(), 3);
    let found = place.json("data info --data shapes --split test --sample 20");
    assert_eq!(
        (&found["images"], &found["measured"]),
        (&2000.into(), &20.into())
    );
    assert!(place.run("data info photos").contains("width × height"));

    assert_eq!(place.json("data check photos")["ok"], true);
    place.write("photos/train/red/bad.jpg", "no image");
    place.write("photos/train/red/notes.txt", "no image");
    let output = place.command("data check photos --json").output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(
        text(&output).contains("warning: 1 × skipped: not named like"),
        "{}",
        text(&output)
    );
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["splits"][0]["bad"], 1);
    let reason = found["splits"][0]["bad_items"][0]["reason"]
        .as_str()
        .unwrap();
    assert!(reason.starts_with("not a JPEG, PNG or WebP"), "{reason}");
    let message = place.fail(4, &format!("{} --epochs 1", common::TRAIN));
    assert!(message.contains("photos/train/red/bad.jpg"), "{message}");
    place.run(&format!(
        "{} --epochs 1 --on-bad-image skip:1",
        common::TRAIN
    ));

    let found = place.json("data baseline shapes --train-images 100 --test-images 50 --quiet");
    assert_eq!(
        (&found["classes"], &found["test_images"]),
        (&10.into(), &50.into())
    );
    assert!(found["nearest_neighbour"].as_f64() < Some(0.6));
    assert!(place.fail(2, "data info nowhere").starts_with("nowhere: "));
}

#[test]
fn the_doctor_finds_this_machine_well() {
    let place = Place::new();
    let found = place.json("doctor");
    assert_eq!(found["ok"], true, "{found}");
    assert_eq!(found["checks"].as_array().unwrap().len(), 3);
    let active = found["kernels"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|k| k["active"] == true);
    assert_eq!(active.count(), 1);
    let forced = place
        .command("doctor --json")
        .env("INCEPTION_KERNEL", "portable")
        .output();
    let forced: serde_json::Value = serde_json::from_slice(&forced.unwrap().stdout).unwrap();
    assert_eq!(
        (&forced["gemm"]["kernel"], &forced["ok"]),
        (&"portable".into(), &true.into())
    );
    let wrong = place
        .command("models")
        .env("INCEPTION_KERNEL", "abacus")
        .output()
        .unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    assert!(
        text(&wrong).contains("there are amx, avx512, avx2, neon, portable"),
        "{}",
        text(&wrong)
    );
}

#[test]
fn shells_get_their_completions() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = place.run(&format!("completions {shell}"));
        assert!(
            script.contains("inception") && script.contains("predict"),
            "{shell}"
        );
    }
    let message = place.fail(2, "completions tcsh");
    assert!(
        message.contains("invalid value 'tcsh' for '<SHELL>'"),
        "{message}"
    );
}

#[test]
fn a_preview_is_a_sheet_of_what_training_sees() {
    let place = Place::new();
    let preview = "data preview shapes --images 6 --columns 3 --augment basic+trivialaugment";
    let report = place.json(&format!("{preview} --mixup 0.2 --out sheet.png"));
    assert_eq!(
        (&report["images"], &report["width"]),
        (&6.into(), &112.into())
    );
    let bytes = std::fs::read(place.path("sheet.png")).unwrap();
    assert!(bytes.starts_with(b"\x89PNG"));
    place.run(&format!("{preview} --mixup 0.2 --out again.png"));
    assert_eq!(bytes, std::fs::read(place.path("again.png")).unwrap());
    let message = place.fail(2, "data preview shapes --augment fly");
    assert!(
        message.starts_with("augment: expected none, basic[:SHIFT], crop or paper"),
        "{message}"
    );
}
