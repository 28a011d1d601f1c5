//! What goes wrong around a run, and how it is told.

use crate::common::{Place, TRAIN, jpeg, text};
use serde_json::Value;
use std::fs;

/// The errors of a command that was asked for JSON, each line of which must be an object.
fn problems(place: &Place, code: i32, words: &str) -> Vec<Value> {
    let words = format!("{words} --log-format json");
    let output = place.command(&words).output().unwrap();
    let said = text(&output);
    assert_eq!(output.status.code(), Some(code), "{words}: {said}");
    let lines = said.lines().map(|line| {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        value
    });
    lines.filter(|line| line["level"] == "error").collect()
}

#[test]
fn errors_are_objects_with_id_and_fields_where_that_is_asked_for() {
    let place = Place::new();
    place.photos(8);
    let one = |code, words: &str| -> Value {
        let mut all = problems(&place, code, words);
        assert_eq!(all.len(), 1, "{words}: {all:?}");
        all.remove(0)
    };
    let found = one(2, "train --nope");
    assert_eq!(found["id"], "U-101");

    let found = one(2, &format!("{TRAIN} --lr -1"));
    assert_eq!(found["id"], "U-102");
    assert_eq!(found["expected"], "a finite number above 0");
    assert_eq!(found["found"], "-1");

    place.write("bad.safetensors", b"bad");
    let found = one(4, "eval --weights bad.safetensors --data photos");
    assert_eq!((&found["id"], &found["exit"]), (&"W-106".into(), &4.into()));
    assert_eq!(found["file"], "bad.safetensors");

    let found = one(5, "train --resume nowhere");
    assert_eq!(found["id"], "S-103");

    let found = one(5, "train --config none.toml");
    assert_eq!(found["id"], "S-104");
}

#[test]
fn a_run_that_diverges_tells_step_layer_and_what_is_kept() {
    let place = Place::new();
    place.photos(8);
    let words = format!("{TRAIN} --epochs 20 --lr 1e38 --on-nonfinite abort --out run");
    let found = problems(&place, 6, &words).remove(0);
    assert_eq!(found["id"], "N-101");
    assert!(
        found["item"].as_str().unwrap().starts_with("step "),
        "{found}"
    );
    assert!(
        found["kept"]
            .as_str()
            .unwrap()
            .contains("last.ckpt of step"),
        "{found}"
    );
    let message = found["message"].as_str().unwrap();
    for part in ["batch: ", "gradient norms of the last", "photos/train/"] {
        assert!(message.contains(part), "{part} is not in {message}");
    }
}

#[test]
fn a_run_leaves_a_page_that_opens_alone_and_is_written_again_on_demand() {
    let place = Place::new();
    let hostile = "<img src=x>&'";
    for (label, class) in [hostile, "red"].into_iter().enumerate() {
        for (split, n) in [("train", 8), ("val", 2)] {
            for i in 0..n {
                let name = format!("photos/{split}/{class}/{i}.jpg");
                place.write(&name, jpeg(40, 36, label * 200));
            }
        }
    }
    let report = place.json(&format!("{TRAIN} --epochs 2 --out run --keep 3"));
    assert_eq!(report["report"], "run/report.html");
    let page = fs::read_to_string(place.path("run/report.html")).unwrap();
    for part in [
        "Learning",
        "Stability",
        "Confusion",
        "Calibration",
        "&lt;img src=x&gt;",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("<img src=x>") && !page.contains("<script"));
    assert!(
        place.path("run/previous-2.ckpt").is_file(),
        "three checkpoints are kept"
    );

    // A crash tore the log, and the data are gone: there is a page nevertheless.
    let log = place.path("run/metrics.jsonl");
    let torn = fs::read_to_string(&log).unwrap() + "{\"step\":9,\"spl";
    fs::write(&log, torn).unwrap();
    fs::remove_dir_all(place.path("photos")).unwrap();
    let written = place.json("report run --out page.html");
    let page = fs::read_to_string(place.path("page.html")).unwrap();
    assert_eq!(written["bytes"], page.len());
    assert!(page.contains("could not be opened") && page.contains("could not be read: 1."));
    let message = place.fail(5, "report nowhere");
    assert!(message.starts_with("nowhere/config.toml: "), "{message}");
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    fn start(place: &Place, words: &str) -> Child {
        Command::new(env!("CARGO_BIN_EXE_inception"))
            .current_dir(place.path(""))
            .args(words.split_whitespace())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    fn wait_for_steps(place: &Place, steps: usize) {
        let (log, start) = (place.path("run/metrics.jsonl"), Instant::now());
        while fs::read_to_string(&log).map_or(0, |text| text.lines().count()) < steps {
            assert!(start.elapsed() < Duration::from_secs(60), "no steps");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn a_folder_is_locked_while_its_trainer_lives_and_free_after_its_death() {
        let place = Place::new();
        place.photos(8);
        let mut child = start(&place, &format!("{TRAIN} --epochs 100000 --out run"));
        wait_for_steps(&place, 3);
        let found = problems(&place, 2, "train --resume run").remove(0);
        assert_eq!(found["id"], "U-108");
        let message = found["message"].as_str().unwrap();
        let holder = format!("locked by pid {} since ", child.id());
        assert!(message.contains(&holder), "{message}");
        child.kill().unwrap();
        child.wait().unwrap();
        place.run("train --resume run --epochs 2 --force-config --quiet");
    }

    #[test]
    fn a_second_signal_ends_at_once_and_the_checkpoint_is_whole() {
        let place = Place::new();
        place.photos(8);
        let child = start(&place, &format!("{TRAIN} --epochs 100000 --out run"));
        wait_for_steps(&place, 3);
        for _ in 0..2 {
            let id = child.id().to_string();
            let kill = Command::new("kill").args(["-INT", &id]).status();
            assert!(kill.is_ok());
        }
        let start = Instant::now();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{}", text(&output));
        assert!(start.elapsed() < Duration::from_secs(10));
        place.run("train --resume run --epochs 2 --force-config --quiet");
    }

    #[test]
    fn a_file_that_may_not_grow_is_an_error_and_no_death() {
        let place = Place::new();
        place.photos(8);
        let binary = env!("CARGO_BIN_EXE_inception");
        let output = Command::new("sh")
            .current_dir(place.path(""))
            .args([
                "-c",
                &format!("ulimit -f 100; exec {binary} {TRAIN} --out run"),
            ])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(5), "{}", text(&output));
        assert!(text(&output).starts_with("error[S-101]: run/next.ckpt: cannot write"));
        assert!(!place.path("run/last.ckpt").exists());
    }

    #[test]
    fn a_closed_terminal_ends_a_run_with_a_checkpoint() {
        let place = Place::new();
        place.photos(8);
        let child = start(&place, &format!("{TRAIN} --epochs 100000 --out run"));
        wait_for_steps(&place, 3);
        let id = child.id().to_string();
        assert!(Command::new("kill").args(["-HUP", &id]).status().is_ok());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(129), "{}", text(&output));
        assert!(place.path("run/last.ckpt").is_file());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_folder_that_nobody_may_write_is_refused_before_the_first_step() {
        let place = Place::new();
        place.photos(8);
        // Not even the administrator may.
        let error = place.fail(5, &format!("{TRAIN} --out /proc/run"));
        assert!(error.starts_with("/proc/run: "), "{error}");
    }

    /// Makes every call for the time of day answer a day earlier than the one before.
    const CLOCK: &str = r#"
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <time.h>
        int clock_gettime(clockid_t clock, struct timespec *now) {
            static int (*real)(clockid_t, struct timespec *);
            static time_t back;
            if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
            int end = real(clock, now);
            if (clock == CLOCK_REALTIME)
                now->tv_sec -= __atomic_add_fetch(&back, 86400, __ATOMIC_RELAXED);
            return end;
        }
    "#;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_clock_that_jumps_back_changes_no_run() {
        let place = Place::new();
        place.photos(8);
        place.write("clock.c", CLOCK);
        let made = Command::new("cc")
            .current_dir(place.path(""))
            .args("-shared -fPIC -o clock.so clock.c -ldl".split_whitespace())
            .status();
        assert!(made.unwrap().success());
        let words = format!("{TRAIN} --epochs 3 --save-every 1 --keep 3");
        let clock = place.path("clock.so");
        let under = |words: &str| {
            let mut command = place.command(words);
            command.env("LD_PRELOAD", &clock);
            let output = command.output().unwrap();
            assert!(output.status.success(), "{words}: {}", text(&output));
        };
        place.run(&format!("{words} --out alone"));
        under(&format!("{words} --out jumping"));
        under("train --resume jumping --epochs 4 --force-config --quiet");
        place.run("train --resume alone --epochs 4 --force-config --quiet");
        let file = |run: &str, name: &str| fs::read(place.path(run).join(name)).unwrap();
        for name in [
            "best.safetensors",
            "last.ckpt",
            "previous.ckpt",
            "previous-2.ckpt",
        ] {
            assert!(file("alone", name) == file("jumping", name), "{name}");
        }
        let speeds = fs::read_to_string(place.path("jumping/metrics.jsonl")).unwrap();
        for line in speeds.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let speed = line["images_per_s"].as_f64();
            assert!(speed.is_none_or(|s| s.is_finite() && s > 0.0), "{line}");
        }
        // The time in an event file's name shows that the clock did jump.
        let dated = |run: &str| {
            let names = fs::read_dir(place.path(run)).unwrap();
            let names = names.map(|e| e.unwrap().file_name().into_string().unwrap());
            let times = names.filter_map(|n| n.split('.').nth(3)?.parse::<u64>().ok());
            times.min().unwrap()
        };
        assert!(dated("jumping") + 80_000 < dated("alone"));
    }
}
