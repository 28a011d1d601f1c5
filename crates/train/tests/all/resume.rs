//! A run that is interrupted and resumed leaves the bytes of one left alone.

use crate::common;
use crate::common::{assert_same, config, datasets, datasets_of, remains, run, run_until};
use inception_train::{
    AuxHeads, Event, OnDifference, OptimizerName, Outcome, ResumeOptions, TrainConfig, TrainError,
    Trainer,
};
use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

fn options(threads: usize, workers: usize) -> ResumeOptions {
    ResumeOptions {
        threads: Some(threads),
        workers: Some(workers),
        ..ResumeOptions::default()
    }
}

fn resume(folder: &Path, options: &ResumeOptions) -> Result<Trainer, TrainError> {
    Trainer::resume_with(folder, options, |_| Ok(datasets()))
}

/// What is left of a run that nobody interrupts.
fn uninterrupted(config: &TrainConfig) -> common::Remains {
    let dir = tempfile::tempdir().unwrap();
    let mut trainer = Trainer::new(config.clone(), dir.path(), datasets()).unwrap();
    let outcome = run(&mut trainer).unwrap();
    assert!(
        matches!(outcome, Outcome::Finished { best: Some(_) }),
        "{outcome:?}"
    );
    remains(dir.path())
}

#[test]
fn stopped_after_any_step_and_resumed_the_run_leaves_the_same_bytes() {
    let config = config();
    let expected = uninterrupted(&config);
    // 3 steps an epoch: in the middle of one, at its end, before the last step.
    for step in [0, 1, 3, 4, 8] {
        let dir = tempfile::tempdir().unwrap();
        let mut trainer = Trainer::new(config.clone(), dir.path(), datasets()).unwrap();
        let stopped = run_until(&mut trainer, step);
        assert_eq!(stopped, Outcome::Stopped { step });
        drop(trainer);
        let mut trainer = resume(dir.path(), &options(3, step as usize % 3)).unwrap();
        assert_eq!(trainer.steps(), step);
        run(&mut trainer).unwrap();
        assert_same(
            &remains(dir.path()),
            &expected,
            &format!("stopped at {step}"),
        );
    }
}

#[test]
fn stopped_at_every_step_the_run_leaves_the_same_bytes() {
    for (optimizer, accumulate) in [
        (OptimizerName::Adamw, 1),
        (OptimizerName::Muon, 1),
        (OptimizerName::Rmsprop, 2),
    ] {
        let config = TrainConfig {
            optimizer,
            accumulate,
            lr: 0.002,
            save_every: Some(2),
            ..config()
        };
        let expected = uninterrupted(&config);
        let dir = tempfile::tempdir().unwrap();
        drop(Trainer::new(config, dir.path(), datasets()).unwrap());
        for step in 1.. {
            let mut trainer = resume(dir.path(), &options(1, 0)).unwrap();
            match run_until(&mut trainer, step) {
                Outcome::Stopped { step: at } => assert_eq!(at, step),
                Outcome::Finished { .. } => break,
            }
        }
        assert_same(&remains(dir.path()), &expected, &format!("{optimizer:?}"));
    }
}

#[test]
fn killed_without_warning_the_run_goes_on_from_its_checkpoint() {
    let config = config();
    let expected = uninterrupted(&config);
    let dir = tempfile::tempdir().unwrap();
    let mut trainer = Trainer::new(config, dir.path(), datasets()).unwrap();
    let stop = AtomicBool::new(false);
    // A panic in the observer leaves the folder as a kill in the fifth step would: the
    // last checkpoint is of step 3, the log is longer.
    let killed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut observe = |event: &Event<'_>| {
            if let Event::Step(metrics) = event {
                assert!(metrics.step < 5, "killed");
            }
        };
        trainer.run(&mut observe, &stop)
    }));
    assert!(killed.is_err());
    drop(trainer);
    let log = dir.path().join("metrics.jsonl");
    let mut torn = fs::read(&log).unwrap();
    torn.extend_from_slice(b"{\"step\":6,\"ep");
    fs::write(&log, torn).unwrap();
    let mut trainer = resume(dir.path(), &options(2, 2)).unwrap();
    assert_eq!(trainer.steps(), 3);
    run(&mut trainer).unwrap();
    assert_same(&remains(dir.path()), &expected, "killed");
}

#[test]
fn auxiliary_heads_take_part_in_a_resumed_run() {
    let config = TrainConfig {
        model: "googlenet-torchvision".into(),
        aux: AuxHeads::Keep,
        input: Some([3, 32, 32]),
        freeze: vec!["inception*".into(), "conv*".into(), "aux*.fc1".into()],
        steps: Some(3),
        epochs: None,
        ema: None,
        batch_size: 2,
        val_every: 0,
        augment: "none".into(),
        ..config()
    };
    let open = |_: &TrainConfig| {
        let mut sets = datasets_of(5);
        sets.preprocess.input = [3, 32, 32];
        sets.preprocess.resize = Some(inception_data::ResizeSpec::Stretch);
        sets.val = None;
        Ok::<_, TrainError>(sets)
    };
    let left = |stops: &[u64]| {
        let dir = tempfile::tempdir().unwrap();
        drop(Trainer::new(config.clone(), dir.path(), open(&config).unwrap()).unwrap());
        for &step in stops {
            let mut trainer =
                Trainer::resume_with(dir.path(), &ResumeOptions::default(), open).unwrap();
            run_until(&mut trainer, step);
        }
        let mut trainer =
            Trainer::resume_with(dir.path(), &ResumeOptions::default(), open).unwrap();
        run(&mut trainer).unwrap();
        remains(dir.path())
    };
    let (expected, found) = (left(&[]), left(&[2]));
    assert!(expected.log[0].contains("loss_aux1") && expected.log[0].contains("loss_aux2"));
    assert_same(&found, &expected, "auxiliary heads");
}

#[test]
fn a_damaged_checkpoint_falls_back_to_the_one_before_and_says_so() {
    let config = config();
    let expected = uninterrupted(&config);
    let dir = tempfile::tempdir().unwrap();
    let mut trainer = Trainer::new(config, dir.path(), datasets()).unwrap();
    run_until(&mut trainer, 5);
    drop(trainer);
    let last = dir.path().join("last.ckpt");
    let mut bytes = fs::read(&last).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(&last, bytes).unwrap();
    let mut trainer = resume(dir.path(), &ResumeOptions::default()).unwrap();
    assert_eq!(trainer.steps(), 3);
    let mut warnings = Vec::new();
    let mut observe = |event: &Event<'_>| {
        if let Event::Warning(text) = event {
            warnings.push(text.to_string());
        }
    };
    trainer.run(&mut observe, &AtomicBool::new(false)).unwrap();
    assert!(warnings[0].contains("last.ckpt") && warnings[0].contains("previous.ckpt"));
    assert_same(&remains(dir.path()), &expected, "damaged");

    drop(trainer);
    for name in ["last.ckpt", "previous.ckpt"] {
        fs::write(dir.path().join(name), b"damaged").unwrap();
    }
    let error = resume(dir.path(), &ResumeOptions::default()).unwrap_err();
    assert_eq!(error.kind().exit_code(), 4);
    assert_eq!(error.to_string().lines().count(), 3, "{error}");
}

#[test]
fn other_settings_or_data_are_listed_and_refused_unless_forced() {
    let dir = tempfile::tempdir().unwrap();
    let config = config();
    drop(Trainer::new(config.clone(), dir.path(), datasets()).unwrap());
    let given = TrainConfig {
        lr: 0.2,
        epochs: Some(4),
        threads: Some(2),
        ..config
    };
    let mut options = ResumeOptions {
        config: Some(given),
        ..ResumeOptions::default()
    };
    let open = |_: &TrainConfig| Ok(datasets_of(30));
    let error = Trainer::resume_with(dir.path(), &options, open).unwrap_err();
    assert_eq!(error.kind().exit_code(), 4);
    let text = error.to_string();
    for line in [
        "epochs: saved 3, given 4",
        "lr: saved 0.05, given 0.2",
        "data.train: saved 22",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    assert!(
        !text.contains("threads") && !text.contains("momentum"),
        "{text}"
    );

    options.on_difference = OnDifference::UseGiven;
    let mut trainer = Trainer::resume_with(dir.path(), &options, open).unwrap();
    assert_eq!(trainer.span().total_steps, 16);
    run(&mut trainer).unwrap();
}

#[test]
fn a_checkpoint_of_another_model_lists_the_tensors() {
    let dir = tempfile::tempdir().unwrap();
    drop(Trainer::new(config(), dir.path(), datasets()).unwrap());
    let options = ResumeOptions {
        config: Some(TrainConfig {
            classes: Some(7),
            ..config()
        }),
        on_difference: OnDifference::UseGiven,
        ..ResumeOptions::default()
    };
    let error = resume(dir.path(), &options).unwrap_err();
    assert_eq!(error.kind().exit_code(), 4);
    let text = error.to_string();
    assert!(
        text.contains("last.ckpt") && text.contains("fc.weight"),
        "{text}"
    );
}

#[test]
fn a_finished_run_is_finished_again_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut trainer = Trainer::new(config(), dir.path(), datasets()).unwrap();
    let first = run(&mut trainer).unwrap();
    drop(trainer);
    let before = remains(dir.path());
    let mut trainer = resume(dir.path(), &ResumeOptions::default()).unwrap();
    assert_eq!(run(&mut trainer).unwrap(), first);
    assert_same(&remains(dir.path()), &before, "finished");
}
