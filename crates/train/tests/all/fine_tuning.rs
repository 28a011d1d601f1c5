//! Runs that begin with the weights of another.

use crate::common::{config, datasets, run, run_until};
use inception_store::{Limits, read_file};
use inception_train::{InitMode, TrainConfig, Trainer};

#[test]
fn a_new_head_is_all_that_may_differ() {
    let dir = tempfile::tempdir().unwrap();
    let first = dir.path().join("first");
    run(&mut Trainer::new(config(), &first, datasets()).unwrap()).unwrap();
    let other = TrainConfig {
        init: Some(first.join("best.safetensors")),
        init_mode: InitMode::Head,
        classes: Some(6),
        ..config()
    };
    let trainer = Trainer::new(other.clone(), &dir.path().join("second"), datasets()).unwrap();
    let path = other.init.as_ref().unwrap();
    let archive = read_file(path, &Limits::default()).unwrap();
    for tensor in trainer.params().state_dict() {
        let from_file = archive.to_f32(&tensor.name).unwrap() == tensor.data;
        assert_eq!(
            from_file,
            !tensor.name.starts_with("fc."),
            "{}",
            tensor.name
        );
    }
    let another = TrainConfig {
        model: "simple-inception".into(),
        ..other
    };
    let error = Trainer::new(another, &dir.path().join("third"), datasets()).unwrap_err();
    let text = error.to_string();
    assert_eq!(error.kind().exit_code(), 4);
    assert!(text.contains("inception3a.branch1"), "{text}");
}

#[test]
fn stages_learn_the_slower_the_farther_from_the_classifier() {
    let dir = tempfile::tempdir().unwrap();
    let step = |name: &str, layer_decay| {
        let config = TrainConfig {
            layer_decay,
            warmup_epochs: 0.0,
            ..config()
        };
        let mut trainer = Trainer::new(config, &dir.path().join(name), datasets()).unwrap();
        let before = trainer.params().clone();
        run_until(&mut trainer, 1);
        let specs = trainer.params().specs();
        let moved = specs.iter().filter(|(_, s)| s.role.is_trainable());
        let moves = moved.map(|(id, _)| {
            let pairs = trainer.params().get(id).iter().zip(before.get(id));
            pairs.map(|(a, b)| a - b).collect::<Vec<f32>>()
        });
        (moves.collect::<Vec<_>>(), specs.depths())
    };
    let ((plain, _), (decayed, depths)) = (step("plain", None), step("decayed", Some(0.5)));
    // conv1, conv2, three modules, fc.
    assert_eq!((depths[0], depths[depths.len() - 1]), (5, 0));
    let specs = Trainer::new(config(), &dir.path().join("specs"), datasets()).unwrap();
    let specs = specs.params().specs().iter();
    let depths = specs
        .filter(|(_, s)| s.role.is_trainable())
        .map(|(id, _)| depths[id.index()]);
    for ((a, b), depth) in plain.iter().zip(&decayed).zip(depths) {
        let factor = 0.5f32.powi(depth as i32);
        for (a, b) in a.iter().zip(b) {
            assert!((a * factor - b).abs() < 1e-6, "depth {depth}: {a} {b}");
        }
    }
}
