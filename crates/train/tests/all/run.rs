//! What a run does, leaves and refuses.

use crate::common::{assert_same, config, datasets, datasets_of, remains, run, run_until};
use inception_nn::WeightsMeta;
use inception_store::{Limits, read_file};
use inception_train::{Datasets, Event, InitMode, Outcome, TrainConfig, Trainer};
use std::fs;
use std::sync::atomic::AtomicBool;

fn refused(config: TrainConfig, images: usize) -> (u8, String) {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("run");
    let error = Trainer::new(config, &folder, datasets_of(images)).unwrap_err();
    assert!(
        !folder.exists(),
        "nothing is left of a run that could not begin"
    );
    (error.kind().exit_code(), error.to_string())
}

#[test]
fn fifty_steps_leave_the_same_bytes_on_any_number_of_threads() {
    let left = |threads, workers| {
        let dir = tempfile::tempdir().unwrap();
        let config = TrainConfig {
            epochs: None,
            steps: Some(50),
            val_every: 6,
            threads: Some(threads),
            workers: Some(workers),
            ..config()
        };
        let mut trainer = Trainer::new(config, dir.path(), datasets()).unwrap();
        run(&mut trainer).unwrap();
        remains(dir.path())
    };
    let expected = left(1, 0);
    for (threads, workers) in [(2, 1), (3, 2), (8, 4)] {
        assert_same(
            &left(threads, workers),
            &expected,
            &format!("{threads} threads"),
        );
    }
}

#[test]
fn a_network_learns_and_the_best_weights_describe_themselves() {
    let dir = tempfile::tempdir().unwrap();
    let config = TrainConfig {
        epochs: Some(25),
        augment: "none".into(),
        dropout: Some(0.0),
        label_smoothing: 0.0,
        val_every: 5,
        ..config()
    };
    let mut trainer = Trainer::new(config, dir.path(), datasets()).unwrap();
    let mut losses = Vec::new();
    let mut observe = |event: &Event<'_>| {
        if let Event::Step(m) = event {
            losses.push(m.loss);
        }
    };
    let outcome = trainer.run(&mut observe, &AtomicBool::new(false)).unwrap();
    let Outcome::Finished { best: Some(best) } = outcome else {
        panic!("{outcome:?}");
    };
    let last = losses[losses.len() - 3..].iter().sum::<f64>() / 3.0;
    assert!(losses[0] > 1.0 && last < 0.5 * losses[0], "{losses:?}");

    let archive = read_file(&dir.path().join("best.safetensors"), &Limits::default()).unwrap();
    archive.verify().unwrap();
    let meta = WeightsMeta::from_map(archive.metadata()).unwrap().unwrap();
    assert_eq!(
        (meta.model.as_str(), meta.input, meta.classes),
        ("inception-small", [3, 16, 16], 4)
    );
    assert_eq!(meta.class_names, datasets().train.classes());
    assert_eq!(meta.training["training.top1"], best.top1.to_string());
    let preprocess = inception_data::Preprocess::from_map(&meta.preprocess).unwrap();
    assert_eq!(preprocess, Some(datasets().preprocess));
    let names: Vec<String> = trainer
        .model()
        .specs()
        .iter()
        .map(|(_, s)| s.name.clone())
        .collect();
    assert_eq!(archive.len(), names.len());
    assert!(names.iter().all(|n| archive.contains(n)));
}

#[test]
fn data_sets_that_settings_name_are_opened_and_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let config = TrainConfig {
        input: Some([3, 16, 16]),
        epochs: None,
        steps: Some(3),
        val_every: 0,
        ..config()
    };
    let sets = Datasets::open(&config).unwrap();
    assert_eq!((sets.train.len(), sets.preprocess.resize), (20_000, None));
    let mut trainer = Trainer::new(config, dir.path(), sets).unwrap();
    assert_eq!(run_until(&mut trainer, 1), Outcome::Stopped { step: 1 });
    drop(trainer);
    let mut trainer = Trainer::resume(dir.path(), &Default::default()).unwrap();
    let outcome = run(&mut trainer).unwrap();
    assert!(matches!(outcome, Outcome::Finished { best: Some(b) } if b.step == 3));
}

#[test]
fn the_log_has_a_line_for_each_step_and_validation() {
    let dir = tempfile::tempdir().unwrap();
    let mut trainer = Trainer::new(config(), dir.path(), datasets()).unwrap();
    run(&mut trainer).unwrap();
    let log = fs::read_to_string(dir.path().join("metrics.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> = log
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let train: Vec<_> = lines.iter().filter(|l| l["split"] == "train").collect();
    let val: Vec<_> = lines.iter().filter(|l| l["split"] == "val").collect();
    assert_eq!((train.len(), val.len()), (9, 3));
    assert_eq!(
        (&train[3]["step"], &train[3]["epoch"]),
        (&4.into(), &2.into())
    );
    for name in ["loss", "loss_main", "top1", "top5", "lr", "images_per_s"] {
        assert!(train[0][name].is_number(), "{name}");
    }
    assert!(
        train[0].get("loss_aux1").is_none(),
        "the network has no auxiliary head"
    );
    assert_eq!((&val[2]["step"], &val[2]["epoch"]), (&9.into(), &3.into()));
    let config =
        TrainConfig::from_toml(&fs::read_to_string(dir.path().join("config.toml")).unwrap());
    assert_eq!(config.unwrap(), *trainer.config());
}

#[test]
fn accumulated_batches_make_one_step_of_their_mean() {
    // Without batch norm's statistics and dropout, two batches of 4 are one of 8.
    let weights = |batch_size, accumulate| {
        let dir = tempfile::tempdir().unwrap();
        let config = TrainConfig {
            model: "simple-inception".into(),
            batch_size,
            accumulate,
            steps: Some(4),
            epochs: None,
            dropout: Some(0.0),
            ..config()
        };
        let mut trainer = Trainer::new(config, dir.path(), datasets_of(16)).unwrap();
        run(&mut trainer).unwrap();
        assert_eq!(trainer.span().steps_per_epoch, 2);
        let params = trainer.params();
        let ids: Vec<_> = params.specs().iter().map(|(id, _)| id).collect();
        ids.iter()
            .flat_map(|&id| params.get(id).to_vec())
            .collect::<Vec<f32>>()
    };
    let (whole, parts) = (weights(8, 1), weights(4, 2));
    for (a, b) in whole.iter().zip(&parts) {
        assert!((a - b).abs() < 1e-5, "{a} {b}");
    }
}

#[test]
fn weights_of_a_file_begin_a_run_exactly_or_where_they_fit() {
    let dir = tempfile::tempdir().unwrap();
    let first = dir.path().join("first");
    let mut trainer = Trainer::new(config(), &first, datasets()).unwrap();
    run(&mut trainer).unwrap();
    let init = Some(first.join("best.safetensors"));
    let same = TrainConfig {
        init: init.clone(),
        ..config()
    };
    let begun = Trainer::new(same, &dir.path().join("second"), datasets()).unwrap();
    let archive = read_file(init.as_ref().unwrap(), &Limits::default()).unwrap();
    for tensor in begun.params().state_dict() {
        assert_eq!(
            archive.to_f32(&tensor.name).unwrap(),
            tensor.data,
            "{}",
            tensor.name
        );
    }
    let other = TrainConfig {
        init,
        classes: Some(6),
        ..config()
    };
    let (code, text) = refused(other.clone(), 22);
    assert_eq!(code, 4);
    assert!(
        text.contains("fc.weight") && text.contains("partial"),
        "{text}"
    );
    let partial = TrainConfig {
        init_mode: InitMode::Partial,
        ..other
    };
    let mut trainer = Trainer::new(partial, &dir.path().join("third"), datasets()).unwrap();
    let mut warnings = Vec::new();
    let mut observe = |event: &Event<'_>| {
        if let Event::Warning(text) = event {
            warnings.push(text.to_string());
        }
    };
    trainer.run(&mut observe, &AtomicBool::new(true)).unwrap();
    assert!(warnings[0].contains("2 of another shape"), "{warnings:?}");
}

#[test]
fn frozen_parameters_and_their_statistics_stay() {
    let dir = tempfile::tempdir().unwrap();
    let config = TrainConfig {
        freeze: vec!["*conv*".into(), "*bn*".into()],
        ..config()
    };
    let mut trainer = Trainer::new(config, dir.path(), datasets()).unwrap();
    let before = trainer.params().clone();
    run_until(&mut trainer, 2);
    let mut moved = Vec::new();
    for (id, spec) in before.specs().iter() {
        if before.get(id) != trainer.params().get(id) {
            moved.push(spec.name.clone());
        }
    }
    assert_eq!(moved, ["fc.weight", "fc.bias"]);
}

#[test]
fn what_cannot_be_trained_is_refused_before_anything_is_written() {
    let (code, text) = refused(
        TrainConfig {
            batch_size: 23,
            ..config()
        },
        22,
    );
    assert_eq!(code, 2);
    assert_eq!(
        text,
        "batch-size: expected at most the 22 images of the training set, found 23"
    );
    let (code, text) = refused(
        TrainConfig {
            classes: Some(3),
            ..config()
        },
        22,
    );
    assert_eq!(
        (code, text.as_str()),
        (
            2,
            "classes: expected at least the 4 of the data set, found 3"
        )
    );
    let (code, text) = refused(
        TrainConfig {
            model: "googlenot".into(),
            ..config()
        },
        22,
    );
    assert!(code == 2 && text.contains("googlenet"), "{text}");
    let (code, text) = refused(
        TrainConfig {
            freeze: vec!["nothing".into()],
            ..config()
        },
        22,
    );
    assert!(
        code == 2 && text.contains("`nothing` fits no parameter"),
        "{text}"
    );
    let (code, text) = refused(
        TrainConfig {
            lr: f64::NAN,
            ..config()
        },
        22,
    );
    assert!(code == 2 && text.starts_with("lr: "), "{text}");
    let (code, _) = refused(
        TrainConfig {
            init: Some("/nowhere".into()),
            ..config()
        },
        22,
    );
    assert_eq!(code, 5);
}

#[test]
fn a_last_batch_that_batch_norm_cannot_train_on_is_refused_with_a_reason() {
    let small = TrainConfig {
        model: "inception-small".into(),
        input: Some([3, 4, 4]),
        augment: "none".into(),
        ..config()
    };
    let mut sets = datasets_of(9);
    sets.preprocess.input = [3, 4, 4];
    sets.preprocess.resize = Some(inception_data::ResizeSpec::Stretch);
    let dir = tempfile::tempdir().unwrap();
    let error = Trainer::new(small, &dir.path().join("run"), sets).unwrap_err();
    assert_eq!(error.kind().exit_code(), 2);
    let text = error.to_string();
    assert!(
        text.starts_with("batch-size: the network cannot be trained on a batch of 1:"),
        "{text}"
    );
}

#[test]
fn a_folder_has_one_run_and_one_trainer() {
    let dir = tempfile::tempdir().unwrap();
    let trainer = Trainer::new(config(), dir.path(), datasets()).unwrap();
    let error = Trainer::new(config(), dir.path(), datasets()).unwrap_err();
    assert_eq!(error.kind().exit_code(), 2);
    let pid = std::process::id();
    assert!(
        error.to_string().contains(&format!("locked by pid {pid}")),
        "{error}"
    );
    drop(trainer);
    let error = Trainer::new(config(), dir.path(), datasets()).unwrap_err();
    assert!(error.to_string().contains("holds a run already"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_checkpoint_that_is_a_link_is_not_written_through() {
    let dir = tempfile::tempdir().unwrap();
    let mut trainer = Trainer::new(config(), dir.path(), datasets()).unwrap();
    let (last, victim) = (dir.path().join("last.ckpt"), dir.path().join("victim"));
    fs::write(&victim, "keep").unwrap();
    fs::remove_file(&last).unwrap();
    std::os::unix::fs::symlink(&victim, &last).unwrap();
    let error = run(&mut trainer).unwrap_err();
    assert_eq!(error.kind().exit_code(), 2);
    assert!(error.to_string().contains("a symbolic link"), "{error}");
    assert_eq!(fs::read_to_string(&victim).unwrap(), "keep");
}

#[test]
fn weights_that_are_not_finite_begin_no_run() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("w.safetensors");
    let mut builder = inception_store::ArchiveBuilder::new();
    builder
        .f32("fc.bias", &[4], vec![0.0, 1.0, f32::NAN, f32::NAN])
        .unwrap();
    fs::write(&path, builder.build().unwrap()).unwrap();
    let config = TrainConfig {
        init: Some(path),
        ..config()
    };
    let (code, text) = refused(config, 22);
    assert_eq!(code, 4);
    assert!(text.contains("2 NaN, first at element 2"), "{text}");
}
