//! A process that is killed at any moment, again and again, and resumed until it is done.

mod common;

use common::{assert_same, config, datasets, remains, run};
use inception_train::{Outcome, ResumeOptions, TrainConfig, Trainer};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Where the child trains; without it the child's test does nothing.
const FOLDER: &str = "INCEPTION_TRAIN_TEST_FOLDER";

fn settings() -> TrainConfig {
    TrainConfig {
        epochs: Some(12),
        save_every: Some(1),
        ..config()
    }
}

/// Begins or resumes the run in `folder` and trains to its end.
fn train(folder: &Path) -> Outcome {
    let started = ["next.ckpt", "last.ckpt", "previous.ckpt"]
        .iter()
        .any(|name| folder.join(name).exists());
    let mut trainer = if started {
        Trainer::resume_with(folder, &ResumeOptions::default(), |_| Ok(datasets())).unwrap()
    } else {
        Trainer::new(settings(), folder, datasets()).unwrap()
    };
    run(&mut trainer).unwrap()
}

#[test]
fn the_child_trains() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        train(Path::new(&folder));
    }
}

fn spawn(folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_child_trains"])
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn killed_at_any_moment_and_resumed_the_run_leaves_the_same_bytes() {
    let expected = {
        let dir = tempfile::tempdir().unwrap();
        train(dir.path());
        remains(dir.path())
    };
    let dir = tempfile::tempdir().unwrap();
    let mut kills = 0;
    for round in 0u64.. {
        let mut child = spawn(dir.path());
        // Moments that differ from round to round, and grow so that the run ends.
        let moment = 40 + (round * 37) % 100 + round * 12;
        std::thread::sleep(Duration::from_millis(moment));
        match child.try_wait().unwrap() {
            None => {
                child.kill().unwrap();
                child.wait().unwrap();
                kills += 1;
            }
            Some(status) if status.success() => break,
            Some(status) => {
                let output = child.wait_with_output().unwrap();
                let text = String::from_utf8_lossy(&output.stderr);
                panic!("{status} after {kills} kills: {text}");
            }
        }
        assert!(round < 200, "the run does not come to its end");
    }
    assert!(kills >= 3, "{kills} kills are too few to show anything");
    assert_same(&remains(dir.path()), &expected, "killed");
}
