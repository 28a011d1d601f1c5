//! What a run leaves beside its checkpoints, and what happens when its folder goes away.

use crate::common::{config, datasets, run, run_until};
use inception_train::{Event, TrainConfig, Trainer};
use std::fs;
use std::sync::atomic::AtomicBool;

#[test]
fn a_close_look_changes_no_bit_and_its_norms_add_up() {
    let left = |doctor_every| {
        let dir = tempfile::tempdir().unwrap();
        let config = TrainConfig {
            doctor_every,
            accumulate: 2,
            ..config()
        };
        let mut trainer = Trainer::new(config, dir.path(), datasets()).unwrap();
        let mut looks = Vec::new();
        let mut observe = |event: &Event<'_>| {
            if let Event::Step(metrics) = event {
                looks.extend(metrics.stability.clone().map(|s| (metrics.grad_norm, s)));
            }
        };
        trainer.run(&mut observe, &AtomicBool::new(false)).unwrap();
        (
            looks,
            fs::read(dir.path().join("best.safetensors")).unwrap(),
        )
    };
    let ((looks, best), (none, plain)) = (left(1), left(0));
    assert!(best == plain && none.is_empty());
    for (norm, found) in &looks {
        let squares: f64 = found.grad_norms.iter().map(|(_, x)| x * x).sum();
        assert!((squares.sqrt() / norm - 1.0).abs() < 1e-9);
        assert!((0.0..=1.0).contains(&found.dead_relu));
        let stages: Vec<&str> = found.dead_relus.iter().map(|(s, _)| s.as_str()).collect();
        let expected = [
            "conv1",
            "conv2",
            "inception3a",
            "inception4a",
            "inception4b",
        ];
        assert_eq!(stages, expected);
    }
}

#[test]
fn each_start_of_a_run_begins_an_event_file() {
    let dir = tempfile::tempdir().unwrap();
    let events = || {
        let names = fs::read_dir(dir.path()).unwrap();
        let names = names.map(|e| e.unwrap().file_name().into_string().unwrap());
        names.filter(|n| n.contains("tfevents")).count()
    };
    let mut trainer = Trainer::new(config(), dir.path(), datasets()).unwrap();
    run_until(&mut trainer, 2);
    assert_eq!(events(), 1);
    drop(trainer);
    let resumed = Trainer::resume_with(dir.path(), &Default::default(), |_| Ok(datasets()));
    run(&mut resumed.unwrap()).unwrap();
    assert_eq!(events(), 2);
}

#[cfg(unix)]
#[test]
fn a_folder_that_vanishes_ends_the_run_with_an_error_of_the_system() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("run");
    let mut trainer = Trainer::new(
        TrainConfig {
            save_every: Some(1),
            val_every: 0,
            ..config()
        },
        &folder,
        datasets(),
    )
    .unwrap();
    let mut observe = |event: &Event<'_>| {
        if matches!(event, Event::Step(metrics) if metrics.step == 2) {
            fs::remove_dir_all(&folder).unwrap();
        }
    };
    let error = trainer
        .run(&mut observe, &AtomicBool::new(false))
        .unwrap_err();
    assert_eq!(error.kind().exit_code(), 5, "{error}");
}
