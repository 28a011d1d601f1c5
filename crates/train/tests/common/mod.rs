//! Small runs that train in milliseconds.
#![allow(dead_code, reason = "each test file uses a part")]

use inception_data::shapes::{Shapes, ShapesConfig};
use inception_data::{Preprocess, Split};
use inception_train::{Datasets, Event, Outcome, TrainConfig, TrainError, Trainer};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// 4 classes of 16×16 pixels: 22 images to train on, so that the last batch of an epoch is
/// short, and 10 to validate on.
pub(crate) fn datasets() -> Datasets {
    datasets_of(22)
}

/// The same with another number of images to train on.
pub(crate) fn datasets_of(train_len: usize) -> Datasets {
    let config = ShapesConfig {
        side: 16,
        classes: 4,
        train_len,
        val_len: 10,
        ..ShapesConfig::default()
    };
    let open = |split| Arc::new(Shapes::new(config.clone(), split).unwrap());
    Datasets {
        train: open(Split::Train),
        val: Some(open(Split::Val)),
        preprocess: Preprocess::exact([3, 16, 16], &[0.5; 3], &[0.25; 3]),
        reports: Vec::new(),
    }
}

/// Batch norm, dropout, augmentation, momentum, an average and warm-up: everything that has
/// a state or draws random numbers.
pub(crate) fn config() -> TrainConfig {
    TrainConfig {
        epochs: Some(3),
        batch_size: 8,
        lr: 0.05,
        warmup_epochs: 1.0,
        label_smoothing: 0.1,
        ema: Some(0.9),
        clip_grad: Some(5.0),
        threads: Some(1),
        workers: Some(1),
        ..TrainConfig::default()
    }
}

pub(crate) fn run(trainer: &mut Trainer) -> Result<Outcome, TrainError> {
    trainer.run(&mut |_: &Event<'_>| {}, &AtomicBool::new(false))
}

/// Runs until `step` steps are made.
pub(crate) fn run_until(trainer: &mut Trainer, step: u64) -> Outcome {
    let stop = AtomicBool::new(trainer.steps() >= step);
    let mut observe = |event: &Event<'_>| {
        if let Event::Step(metrics) = event
            && metrics.step >= step
        {
            stop.store(true, Ordering::Relaxed);
        }
    };
    trainer.run(&mut observe, &stop).unwrap()
}

/// Everything that a run leaves: its checkpoint and its best weights as they are, and its
/// log without speeds.
#[derive(PartialEq, Eq)]
pub(crate) struct Remains {
    pub(crate) checkpoint: Vec<u8>,
    pub(crate) best: Vec<u8>,
    pub(crate) log: Vec<String>,
}

pub(crate) fn remains(folder: &Path) -> Remains {
    let log = std::fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
    Remains {
        checkpoint: std::fs::read(folder.join("last.ckpt")).unwrap(),
        best: std::fs::read(folder.join("best.safetensors")).unwrap(),
        log: log.lines().map(without_speed).collect(),
    }
}

fn without_speed(line: &str) -> String {
    let mut value: serde_json::Value = serde_json::from_str(line).unwrap();
    value.as_object_mut().unwrap().remove("images_per_s");
    value.to_string()
}

/// Asserts that two runs left the same, and says what differs.
#[track_caller]
pub(crate) fn assert_same(a: &Remains, b: &Remains, what: &str) {
    assert_eq!(a.log, b.log, "{what}: logs differ");
    assert!(a.best == b.best, "{what}: the best weights differ");
    assert!(a.checkpoint == b.checkpoint, "{what}: checkpoints differ");
}
