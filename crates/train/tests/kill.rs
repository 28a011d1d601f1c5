//! A process that is killed at any moment, again and again, and resumed until it is done.

mod common;

use common::{Remains, assert_same, config, datasets, remains, run};
use inception_train::{Outcome, ResumeOptions, TrainConfig, Trainer};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Where the child trains; without it the child's test does nothing.
const FOLDER: &str = "INCEPTION_TRAIN_TEST_FOLDER";
/// How many epochs it trains.
const EPOCHS: &str = "INCEPTION_TRAIN_TEST_EPOCHS";

/// A run that lives long enough to be killed now and then.
const LONG: u64 = 12;
/// A run that every call of is a point to be killed at.
#[cfg(target_os = "linux")]
const SHORT: u64 = 4;

fn settings(epochs: u64) -> TrainConfig {
    TrainConfig {
        epochs: Some(epochs),
        save_every: Some(1),
        ..config()
    }
}

/// Begins or resumes the run in `folder` and trains to its end.
fn train(folder: &Path, epochs: u64) -> Outcome {
    let started = ["next.ckpt", "last.ckpt", "previous.ckpt"]
        .iter()
        .any(|name| folder.join(name).exists());
    let mut trainer = if started {
        Trainer::resume_with(folder, &ResumeOptions::default(), |_| Ok(datasets())).unwrap()
    } else {
        Trainer::new(settings(epochs), folder, datasets()).unwrap()
    };
    run(&mut trainer).unwrap()
}

#[test]
fn the_child_trains() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        let epochs = std::env::var(EPOCHS).unwrap().parse().unwrap();
        train(Path::new(&folder), epochs);
    }
}

fn spawn(folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_child_trains"])
        .env(FOLDER, folder)
        .env(EPOCHS, LONG.to_string())
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

fn alone(epochs: u64) -> Remains {
    let dir = tempfile::tempdir().unwrap();
    train(dir.path(), epochs);
    remains(dir.path())
}

#[test]
fn killed_at_any_moment_and_resumed_the_run_leaves_the_same_bytes() {
    let (expected, dir) = (alone(LONG), tempfile::tempdir().unwrap());
    // Moments that differ from round to round, and grow so that the run ends.
    let kills = kill_until_done(dir.path(), |round| 40 + (round * 37) % 100 + round * 12);
    assert!(kills >= 3, "{kills} kills are too few to show anything");
    assert_same(&remains(dir.path()), &expected, "killed");
}

#[test]
#[ignore = "a minute or two of what the test above does for seconds"]
fn killed_a_hundred_times_the_runs_leave_the_same_bytes() {
    let (expected, mut kills) = (alone(LONG), 0);
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
        .env(EPOCHS, SHORT.to_string())
        .output()
        .expect("strace is installed");
    output.status.success()
}

/// The calls that change the disk.
#[cfg(target_os = "linux")]
const CALLS: [&str; 4] = [
    "fsync,fdatasync",
    "rename,renameat,renameat2",
    "write",
    "ftruncate,unlink",
];

/// Kills runs before the calls of these numbers and resumes them; how many were killed.
#[cfg(target_os = "linux")]
fn kill_before(numbers: impl Iterator<Item = u64> + Clone) -> u64 {
    let (expected, mut kills) = (alone(SHORT), 0);
    for calls in CALLS {
        for n in numbers.clone() {
            let dir = tempfile::tempdir().unwrap();
            if killed_at_call(dir.path(), calls, n) {
                break;
            }
            kills += 1;
            train(dir.path(), SHORT);
            assert_same(&remains(dir.path()), &expected, &format!("{calls} {n}"));
        }
    }
    println!("{kills} kills");
    kills
}

#[cfg(target_os = "linux")]
#[test]
fn killed_before_some_calls_that_change_the_disk_the_run_leaves_the_same_bytes() {
    let kills = kill_before([1, 6, 20].into_iter());
    assert!(kills >= 8, "{kills}");
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "every call of the test above: minutes"]
fn killed_before_any_call_that_changes_the_disk_the_run_leaves_the_same_bytes() {
    let kills = kill_before(1..);
    assert!(kills >= 100, "{kills}");
}
