//! A process that is killed at any moment, again and again, and resumed until it is done.

mod common;

use common::{Remains, assert_same, config, datasets, remains, run};
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

/// Kills and resumes the run in `dir` until it comes to its end; how often it was killed.
fn kill_until_done(dir: &Path, moment: impl Fn(u64) -> u64) -> u64 {
    let mut kills = 0;
    for round in 0u64.. {
        let mut child = spawn(dir);
        std::thread::sleep(Duration::from_millis(moment(round)));
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
    kills
}

fn alone() -> Remains {
    let dir = tempfile::tempdir().unwrap();
    train(dir.path());
    remains(dir.path())
}

#[test]
fn killed_at_any_moment_and_resumed_the_run_leaves_the_same_bytes() {
    let (expected, dir) = (alone(), tempfile::tempdir().unwrap());
    // Moments that differ from round to round, and grow so that the run ends.
    let kills = kill_until_done(dir.path(), |round| 40 + (round * 37) % 100 + round * 12);
    assert!(kills >= 3, "{kills} kills are too few to show anything");
    assert_same(&remains(dir.path()), &expected, "killed");
}

#[test]
#[ignore = "a minute or two of what the test above does for seconds"]
fn killed_a_hundred_times_the_runs_leave_the_same_bytes() {
    let (expected, mut kills) = (alone(), 0);
    for run in 0u64.. {
        let dir = tempfile::tempdir().unwrap();
        kills += kill_until_done(dir.path(), |round| {
            30 + (round * 41 + run * 17) % 130 + round * 6
        });
        assert_same(&remains(dir.path()), &expected, "killed");
        if kills >= 100 {
            break;
        }
    }
    println!("{kills} kills");
}

/// Runs the child so that its call number `n` of these kinds kills it, before it does
/// anything; whether it came to its end.
#[cfg(target_os = "linux")]
fn killed_at_call(dir: &Path, calls: &str, n: u64) -> bool {
    let inject = format!("inject={calls}:signal=KILL:when={n}");
    let output = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e"])
        .args([&format!("trace={calls}"), "-e", &inject])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "the_child_trains"])
        .env(FOLDER, dir)
        .output()
        .expect("strace is installed");
    output.status.success()
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "needs strace, and a second for each call"]
fn killed_before_any_call_that_changes_the_disk_the_run_leaves_the_same_bytes() {
    let (expected, mut kills) = (alone(), 0);
    for calls in [
        "fsync,fdatasync",
        "rename,renameat,renameat2",
        "write",
        "ftruncate,unlink",
    ] {
        for n in 1.. {
            let dir = tempfile::tempdir().unwrap();
            if killed_at_call(dir.path(), calls, n) {
                break;
            }
            kills += 1;
            train(dir.path());
            assert_same(&remains(dir.path()), &expected, &format!("{calls} {n}"));
        }
    }
    println!("{kills} kills");
    assert!(kills >= 100, "{kills}");
}
