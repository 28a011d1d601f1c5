//! Runs whose maps are kept in 16 bits between forward and backward pass.

use crate::common::{assert_same, config, datasets, remains, run, run_until};
use inception_train::{Event, Precision, ResumeOptions, TrainConfig, Trainer};
use std::sync::atomic::AtomicBool;

fn settings(precision: Precision) -> TrainConfig {
    TrainConfig {
        precision,
        ..config()
    }
}

#[test]
fn stopped_and_resumed_on_other_threads_a_run_in_bf16_leaves_the_same_bytes() {
    let left = |stop: Option<u64>| {
        let dir = tempfile::tempdir().unwrap();
        let config = settings(Precision::Bf16);
        let mut trainer = Trainer::new(config, dir.path(), datasets()).unwrap();
        if let Some(step) = stop {
            run_until(&mut trainer, step);
            drop(trainer);
            let options = ResumeOptions {
                threads: Some(3),
                ..ResumeOptions::default()
            };
            let resumed = Trainer::resume_with(dir.path(), &options, |_| Ok(datasets()));
            trainer = resumed.unwrap();
        }
        run(&mut trainer).unwrap();
        remains(dir.path())
    };
    let expected = left(None);
    for step in [1, 4] {
        assert_same(&left(Some(step)), &expected, &format!("stopped at {step}"));
    }
}

/// The loss of the first step, and the mean of an epoch's after 25 epochs.
fn learned(precision: Precision, seed: u64) -> [f64; 2] {
    let dir = tempfile::tempdir().unwrap();
    let config = TrainConfig {
        epochs: Some(25),
        augment: "none".into(),
        label_smoothing: 0.0,
        val_every: 0,
        seed,
        ..settings(precision)
    };
    let mut trainer = Trainer::new(config, dir.path(), datasets()).unwrap();
    let mut losses = Vec::new();
    let mut observe = |event: &Event<'_>| {
        if let Event::Step(m) = event {
            losses.push(m.loss);
        }
    };
    trainer.run(&mut observe, &AtomicBool::new(false)).unwrap();
    let epoch = &losses[losses.len() - 3..];
    [losses[0], epoch.iter().sum::<f64>() / 3.0]
}

#[test]
fn a_run_in_bf16_learns_as_one_in_f32_does() {
    for seed in [0, 2] {
        let [real_first, real] = learned(Precision::F32, seed);
        let [first, found] = learned(Precision::Bf16, seed);
        assert!(first != real_first, "nothing was rounded");
        assert!(
            (first - real_first).abs() < 0.001 * real_first,
            "{first}, {real_first}"
        );
        // Over six seeds the last loss was 1 to 20 % of the first in either, and their means
        // differed by 1 %.
        assert!(found < 0.1 * first, "{found} of {first}");
        assert!((found - real).abs() < 0.05 * first, "{found} for {real}");
    }
}
