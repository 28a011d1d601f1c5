//! A run over a disk that dies at each of its operations, and resumes.

use super::tests::{config, datasets};
use super::*;
use crate::{ResumeOptions, Silent, TrainError};
use inception_store::Fs;
use inception_store::sim::SimFs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// Everything that a run leaves.
#[derive(PartialEq)]
struct Remains {
    last: Vec<u8>,
    best: Vec<u8>,
    log: Vec<String>,
}

impl Remains {
    fn of(fs: &SimFs, folder: &Path) -> Self {
        let read = |name| fs.read(&folder.join(name), u64::MAX).unwrap();
        let log = std::fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
        let without_speed = |line: &str| {
            let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
            line.as_object_mut().unwrap().remove("images_per_s");
            line.to_string()
        };
        Self {
            last: read("last.ckpt"),
            best: read("best.safetensors"),
            log: log.lines().map(without_speed).collect(),
        }
    }
}

/// Two epochs of two steps with a checkpoint after each.
fn short() -> TrainConfig {
    TrainConfig {
        epochs: Some(2),
        batch_size: 6,
        save_every: Some(1),
        ema: Some(0.9),
        keep: 3,
        ..config()
    }
}

fn begin(folder: &Path, fs: &SimFs) -> Result<(), TrainError> {
    let mut trainer = Trainer::begin(short(), folder, datasets(), Box::new(fs.clone()))?;
    let outcome = trainer.run(&mut Silent, &AtomicBool::new(false));
    outcome.map(drop)
}

fn resume(folder: &Path, fs: &SimFs) -> Result<(), TrainError> {
    let (options, disk) = (ResumeOptions::default(), Box::new(fs.clone()));
    let mut trainer = Trainer::take_up(folder, &options, |_| Ok(datasets()), disk)?;
    let outcome = trainer.run(&mut Silent, &AtomicBool::new(false));
    outcome.map(drop)
}

/// What ends a run: the process is killed, or the machine loses its power.
const ENDS: [fn(&SimFs) -> SimFs; 2] = [SimFs::after_kill, SimFs::after_power_loss];

/// Kills a run at call number `call` on the disk and resumes it; whether it had begun.
fn killed_at(call: u64, end: fn(&SimFs) -> SimFs, expected: &Remains) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let fs = SimFs::default();
    fs.crash_at_call(call);
    begin(dir.path(), &fs).unwrap_err();
    let disk = end(&fs);
    let (begun, ended) = match resume(dir.path(), &disk) {
        // It died before the first checkpoint was there.
        Err(TrainError::NoCheckpoint { reasons, .. }) if reasons.is_empty() => {
            (false, begin(dir.path(), &disk))
        }
        other => (true, other),
    };
    ended.unwrap_or_else(|e| panic!("call {call}: {e}"));
    assert!(Remains::of(&disk, dir.path()) == *expected, "call {call}");
    begun
}

/// What an undisturbed run leaves, and how many calls on the disk it makes.
fn alone() -> (Remains, u64) {
    let (dir, fs) = (tempfile::tempdir().unwrap(), SimFs::default());
    begin(dir.path(), &fs).unwrap();
    let calls = fs.calls();
    (Remains::of(&fs, dir.path()), calls)
}

#[test]
fn killed_at_any_operation_on_the_disk_the_run_resumes_to_the_same_bits() {
    let (expected, calls) = alone();
    for call in (5..calls).step_by(11) {
        killed_at(call, ENDS[call as usize % 2], &expected);
    }
}

#[test]
#[ignore = "every point of the test above: a minute"]
fn killed_at_every_operation_on_the_disk_the_run_resumes_to_the_same_bits() {
    let (expected, calls) = alone();
    let mut begun = 0;
    for call in 0..calls {
        for end in ENDS {
            begun += u64::from(killed_at(call, end, &expected));
        }
    }
    println!("{} points, {begun} after the run had begun", calls * 2);
    assert!(begun > 100, "{begun}");
}
