//! A miniature of ImageNet, in the archives as downloaded and with the development kit, from
//! training to the paper's test, with a death in between.

use crate::common::{Place, log_without_speed};
use inception_testkit::Miniature;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Twenty classes and odd files; five steps an epoch.
const TRAIN: &str = "train --data mini --model inception-small --input 3,32,32 --batch-size 32 \
                     --epochs 3 --save-every 2 --augment basic --threads 2 --quiet";

fn start(place: &Place, words: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_inception"))
        .current_dir(place.path(""))
        .args(words.split_whitespace())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn wait_for_steps(place: &Place, steps: usize) {
    let (log, start) = (place.path("killed/metrics.jsonl"), Instant::now());
    while fs::read_to_string(&log).map_or(0, |text| text.lines().count()) < steps {
        assert!(start.elapsed() < Duration::from_secs(60), "no steps");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_miniature_trains_dies_in_mid_epoch_resumes_and_is_tested_as_the_paper_does() {
    let place = Place::new();
    let mini = Miniature {
        val: 1,
        ..Miniature::default()
    };
    mini.write_archives(&place.path("mini")).unwrap();
    place.run(&format!("{TRAIN} --out alone"));

    let mut child = start(&place, &format!("{TRAIN} --out killed"));
    wait_for_steps(&place, 7);
    child.kill().unwrap();
    assert!(
        !child.wait().unwrap().success(),
        "it ended before its death"
    );
    place.run("train --resume killed --threads 1 --quiet");
    let file = |run: &str, name: &str| fs::read(place.path(run).join(name)).unwrap();
    for name in ["best.safetensors", "last.ckpt"] {
        assert!(file("alone", name) == file("killed", name), "{name}");
    }
    let logs = ["alone", "killed"].map(|run| log_without_speed(&place.path(run)));
    assert_eq!(logs[0], logs[1]);
    assert_eq!(logs[0].len(), 15 + 3);

    place.run(&format!("{TRAIN} --seed 1 --out second"));
    let weights = "--weights killed/best.safetensors --weights second/best.safetensors";
    let found = place.json(&format!("eval {weights} --data mini --crops 144 --quiet"));
    assert_eq!(
        (&found["models"], &found["crops"]),
        (&2.into(), &144.into())
    );
    assert_eq!(found["images"], 20);
    let loss = found["loss"].as_f64().unwrap();
    assert!(loss.is_finite() && loss > 0.0, "{loss}");
}
