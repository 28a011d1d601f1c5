//! `inception train`: runs, configuration, stopping, resuming.

use crate::common;
use crate::common::{Place, TRAIN, fields, log_without_speed, text};
use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[test]
fn a_run_on_shapes_is_evaluated_and_predicts_without_another_word() {
    let place = Place::new();
    let report = place.json("train --steps 3 --batch-size 16 --quiet");
    assert_eq!(report["run"], "runs/shapes-1");
    assert_eq!(
        (&report["data"], &report["steps"]),
        (&"shapes".into(), &3.into())
    );
    let weights = report["weights"].as_str().unwrap();
    let names = [
        "best.safetensors",
        "config.toml",
        "last.ckpt",
        "metrics.jsonl",
    ];
    for name in names {
        assert!(place.path("runs/shapes-1").join(name).is_file(), "{name}");
    }
    let log = log_without_speed(&place.path("runs/shapes-1"));
    assert_eq!(log.len(), 4);
    // The first step, and every hundredth, is looked at closely.
    let looks = ["dead_relu", "dead_relus", "grad_norms"];
    assert!(looks.iter().all(|name| log[0].get(name).is_some()));
    assert_eq!(
        fields(&log[1]),
        [
            "epoch",
            "grad_norm",
            "loss",
            "loss_main",
            "lr",
            "split",
            "step",
            "top1",
            "top5"
        ]
    );
    assert_eq!(log[3]["split"], "val");

    let found = place.json(&format!("eval --weights {weights} --data shapes --quiet"));
    assert_eq!(found["images"], 2000);
    assert_eq!(found["top1"], report["best"]["top1"]);
    let difference = found["loss"].as_f64().unwrap() - report["best"]["loss"].as_f64().unwrap();
    assert!(difference.abs() < 1e-4);

    place.write("x.jpg", common::jpeg(80, 60, 90));
    let line = place.json(&format!("predict --weights {weights} x.jpg"));
    assert_eq!(line["top"].as_array().unwrap().len(), 5);
    let names = [
        "disc", "ring", "square", "triangle", "star", "cross", "crescent", "heart",
    ];
    let class = line["top"][0]["class"].as_str().unwrap();
    assert!(
        names.contains(&class) || ["arrow", "hourglass"].contains(&class),
        "{class}"
    );
}

#[test]
fn lines_for_people_say_what_to_try_next() {
    let place = Place::new();
    place.photos(8);
    let output = place
        .command(&TRAIN.replace("--quiet", "--epochs 1"))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(said.contains("accuracy  "), "{said}");
    let next = "inception eval --weights runs/photos-1/best.safetensors --data photos --split test";
    assert!(said.contains(next), "{said}");
    let told = text(&output);
    assert!(
        told.contains("16 images to train on, 4 to validate"),
        "{told}"
    );
    assert!(told.contains("validation: top-1 "), "{told}");
}

#[test]
fn the_written_configuration_repeats_the_run() {
    let place = Place::new();
    place.photos(8);
    place.run(&format!(
        "{TRAIN} --steps 3 --augment basic --no-shuffle --no-aux --freeze *.bn"
    ));
    place.run("train --config runs/photos-1/config.toml --quiet");
    let logs = [1, 2].map(|n| log_without_speed(&place.path(&format!("runs/photos-{n}"))));
    assert_eq!(logs[0], logs[1]);
    // A flag wins over the file, and takes the place of the one that excludes it.
    place.run("train --config runs/photos-1/config.toml --epochs 1 --quiet");
    assert_eq!(log_without_speed(&place.path("runs/photos-3")).len(), 3);
}

#[test]
fn a_configuration_that_cannot_be_used_names_file_and_key() {
    let place = Place::new();
    place.photos(8);
    let refused = |toml: &str| {
        place.write("c.toml", toml);
        place.fail(2, "train --config c.toml")
    };
    let message = refused("learning-rate = 1");
    assert!(
        message.starts_with("c.toml: unknown key `learning-rate`"),
        "{message}"
    );
    let message = refused("no-shuffle = 3");
    assert_eq!(
        message,
        "c.toml: key `no-shuffle`: expected true or false, found integer"
    );
    let message = refused("lr = {}");
    assert!(
        message.starts_with("c.toml: key `lr`: expected text, a number"),
        "{message}"
    );
    let message = refused("lr = \n2");
    assert!(message.starts_with("c.toml: not TOML: "), "{message}");
    let message = refused("optimizer = 'adam'");
    assert!(
        message.contains("unknown variant adam, expected one of sgd, nesterov"),
        "{message}"
    );
    assert!(
        place
            .fail(5, "train --config none.toml")
            .starts_with("none.toml: ")
    );
    assert!(!place.path("runs").exists());
}

#[test]
fn settings_out_of_range_are_refused_before_anything_is_written() {
    let place = Place::new();
    place.photos(8);
    for (words, expected) in [
        ("--lr -1", "lr: expected a finite number above 0, found -1"),
        (
            "--lr nan",
            "lr: expected a finite number above 0, found NaN",
        ),
        (
            "--momentum 1",
            "momentum: expected a number of at least 0 and below 1, found 1",
        ),
        ("--batch-size 0", "batch-size: expected 1 to 65536, found 0"),
        (
            "--label-smoothing 1",
            "label-smoothing: expected a number of at least 0",
        ),
        ("--data nowhere", "nowhere: there is no such path"),
        ("--model resnet", "no model is called `resnet`"),
        (
            "--recipe fast",
            "recipe: expected one of shapes, fashion-mnist",
        ),
        (
            "--epochs 1 --steps 2",
            "the argument '--epochs <N>' cannot be used with",
        ),
        (
            "--input 3,4",
            "invalid value '3,4' for '--input <C,H,W>': expected channels",
        ),
        (
            "--freeze nothing",
            "`nothing` fits no parameter of inception-small",
        ),
        (
            "--model googlenet --input 3,8,8",
            "googlenet: input 3×8×8 is too small",
        ),
        (
            "--force-config",
            "the following required arguments were not provided: --resume",
        ),
    ] {
        let words = format!("train --data photos --model inception-small --batch-size 8 {words}");
        let message = place.fail(2, &words);
        assert!(message.starts_with(expected), "{words}: {message}");
    }
    assert!(fs::read_dir(place.path("runs")).map_or(true, |mut d| d.next().is_none()));
}

#[test]
fn weights_to_begin_with_are_checked() {
    let place = Place::new();
    place.photos(8);
    place.weights();
    let train = format!("{TRAIN} --steps 1 --init w.safetensors");
    let message = place.fail(4, &train);
    assert!(message.contains("2 of another shape"), "{message}");
    place.run(&format!("{train} --init-mode partial"));
    place.write("bad.safetensors", b"bad");
    let message = place.fail(4, &format!("{TRAIN} --init bad.safetensors"));
    assert!(message.starts_with("bad.safetensors: "), "{message}");
}

#[test]
fn googlenet_trains_with_both_heads_on_class_folders() {
    let place = Place::new();
    place.photos(2);
    let words = "train --data photos --model googlenet --input 3,96,96 --batch-size 2 --steps 1 \
                 --val-every 0 --quiet --out run";
    place.run(words);
    let log = log_without_speed(&place.path("run"));
    assert!(log[0]["loss_aux1"].is_number() && log[0]["loss_aux2"].is_number());
    place.run(&words.replace("--out run", "--out other --no-aux"));
    let log = log_without_speed(&place.path("other"));
    assert!(log[0].get("loss_aux1").is_none());
}

/// Starts a run that would go on for long, in `folder`.
fn start(place: &Place, words: &str) -> std::process::Child {
    Command::new(env!("CARGO_BIN_EXE_inception"))
        .current_dir(place.path(""))
        .args(words.split_whitespace())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits until the run in `folder` has made steps.
fn wait_for_steps(place: &Place, folder: &str, steps: usize) {
    let log = place.path(folder).join("metrics.jsonl");
    let start = Instant::now();
    while fs::read_to_string(&log).map_or(0, |text| text.lines().count()) < steps {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "no steps in {folder}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn signal(child: &std::process::Child, name: &str) {
    let kill = Command::new("kill")
        .args([name, &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
}

#[cfg(unix)]
#[test]
fn a_run_that_is_stopped_and_resumed_is_the_run_left_alone() {
    let place = Place::new();
    place.photos(20);
    let train = format!("{TRAIN} --epochs 12 --augment basic");
    place.run(&format!("{train} --out alone"));
    let mut code = 0;
    let signals = [("-TERM", 143), ("-INT", 130)];
    for (resumed, (name, expected)) in signals.into_iter().enumerate() {
        let words = match resumed {
            0 => format!("{train} --out stopped"),
            _ => "train --resume stopped --quiet".to_owned(),
        };
        let child = start(&place, &words);
        wait_for_steps(&place, "stopped", 5 + 20 * resumed);
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        code = output.status.code().unwrap();
        // A run that was faster than the signal has nothing left to stop.
        assert!(code == expected || code == 0, "{code}: {}", text(&output));
    }
    if code != 0 {
        place.run("train --resume stopped --threads 1 --quiet");
    }
    let (alone, stopped) = (place.path("alone"), place.path("stopped"));
    assert_eq!(log_without_speed(&alone), log_without_speed(&stopped));
    let weights = |dir: &std::path::Path| fs::read(dir.join("best.safetensors")).unwrap();
    assert!(weights(&alone) == weights(&stopped));
}

#[test]
fn a_run_is_not_resumed_with_other_settings_unless_that_is_forced() {
    let place = Place::new();
    place.photos(8);
    place.run(&format!("{TRAIN} --steps 2 --out run"));
    let message = place.fail(4, "train --resume run --lr 0.5 --quiet");
    assert!(
        message.contains("the run was begun with other settings or data"),
        "{message}"
    );
    place.run("train --resume run --steps 3 --force-config --quiet");
    let message = place.fail(2, &format!("{TRAIN} --steps 2 --out run"));
    assert!(message.contains("holds a run already"), "{message}");
    place.fail(5, "train --resume nowhere");
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_does_not_end_a_run() {
    let place = Place::new();
    place.photos(8);
    let words = TRAIN.replace("--quiet", "--epochs 8 --out run");
    let mut child = start(&place, &words);
    let mut first = [0; 1];
    child.stderr.take().unwrap().read_exact(&mut first).unwrap();
    drop(child.stdout.take());
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(0));
    let steps = log_without_speed(&place.path("run"));
    assert_eq!(
        steps.iter().filter(|line| line["split"] == "train").count(),
        16
    );
}

#[test]
fn a_run_that_diverges_ends_with_its_own_status_and_keeps_its_checkpoint() {
    let place = Place::new();
    place.photos(8);
    let words = format!("{TRAIN} --epochs 20 --lr 1e38 --on-nonfinite abort --out run");
    let output = place.command(&words).output().unwrap();
    assert_eq!(output.status.code(), Some(6), "{}", text(&output));
    assert!(text(&output).contains("kept: "), "{}", text(&output));
    assert!(place.path("run/last.ckpt").is_file());
}

#[test]
fn recipes_are_printed_changed_and_used() {
    let place = Place::new();
    let list = place.run("recipes");
    assert!(
        list.contains("googlenet-bvlc-quick  BVLC's GoogLeNet"),
        "{list}"
    );
    let text = place.run("recipes googlenet-paper");
    assert!(text.contains("Going Deeper with Convolutions") && text.contains("ema = 0.9999"));
    place.write("mine.toml", text.replace("lr = 0.02", "lr = 0.03"));
    let printed = place.run("train --config mine.toml --data shapes --print-config");
    for line in ["lr = 0.03", "epochs = 60", "label-smoothing = 0.0"] {
        assert!(printed.lines().any(|l| l == line), "{line}: {printed}");
    }
    // What is printed is a configuration, and printing it again changes nothing.
    place.write("all.toml", &printed);
    assert_eq!(place.run("train --config all.toml --print-config"), printed);
    let bvlc = place.run("train --recipe googlenet-bvlc --print-config");
    assert!(bvlc.contains(r#"rule = ["*.bias lr=2 decay=0"]"#), "{bvlc}");
    place.write("bvlc.toml", &bvlc);
    assert_eq!(place.run("train --config bvlc.toml --print-config"), bvlc);
    let message = place.fail(2, "recipes fast");
    assert!(
        message.starts_with("recipe: expected one of shapes"),
        "{message}"
    );
}

#[test]
fn mixed_images_train_within_a_memory_budget() {
    let place = Place::new();
    place.photos(4);
    let train = format!("{TRAIN} --steps 2 --batch-size 8 --threads 1 --workers 1");
    let output = place
        .command(&format!(
            "{train} --mixup 0.2 --cutmix 1 --optimizer rmsprop-tf --eps 1 --memory-budget 10MiB"
        ).replace("--quiet", ""))
        .output()
        .unwrap();
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("memory budget 10.0 MiB: batches of "),
        "{said}"
    );
    let message = place.fail(3, &format!("{train} --memory-budget 100KB --out none"));
    assert!(
        message.starts_with("memory-budget: the smallest batch needs"),
        "{message}"
    );
    assert!(!place.path("none").exists());
}

/// The most memory that a process had so far, in MiB.
#[cfg(target_os = "linux")]
fn peak(process: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}

#[cfg(target_os = "linux")]
#[test]
fn a_run_takes_the_memory_that_its_budget_announces_from_the_first_step_to_its_page() {
    let place = Place::new();
    place.photos(96);
    let words = "train --data photos --model inception-small --input 3,32,32 --batch-size 192 \
                 --steps 1 --threads 2 --memory-budget 4GiB --out run";
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_inception"))
        .current_dir(place.path(""))
        .args(words.split_whitespace())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut most: f64 = 0.0;
    while child.try_wait().unwrap().is_none() {
        most = peak(child.id()).map_or(most, |now| now.max(most));
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let said = text(&child.wait_with_output().unwrap());
    let line = said
        .lines()
        .find(|l| l.starts_with("memory budget"))
        .unwrap();
    let announced = line.rsplit_once(": ").unwrap().1;
    let announced: f64 = announced.strip_suffix(" MiB").unwrap().parse().unwrap();
    assert!(place.path("run/report.html").exists(), "{said}");
    // The program itself, decoders and the allocator's slack: less than half of the plan.
    assert!(
        most > 0.8 * announced && most < announced + 64.0,
        "{most} of {announced}"
    );
}
