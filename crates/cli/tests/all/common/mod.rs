//! A folder to work in, the command, and small data.
#![allow(dead_code, reason = "each test file uses its own part")]

use assert_cmd::Command;
use inception_deploy::Weights;
use inception_nn::{Model, ModelOptions};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

/// The command, in a folder of its own that is removed in the end.
pub(crate) struct Place(tempfile::TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_inception"));
        command
            .current_dir(self.0.path())
            .args(words.split_whitespace());
        command
    }

    /// Runs the command, which must succeed; what it wrote to standard output.
    pub(crate) fn run(&self, words: &str) -> String {
        let output = self.command(words).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "inception {words}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs the command with `--json`; the one object that it wrote.
    pub(crate) fn json(&self, words: &str) -> Value {
        let text = self.run(&format!("{words} --json"));
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("inception {words}: {e}: {text}"))
    }

    /// Runs the command, which must fail with `code` and one line of error.
    pub(crate) fn fail(&self, code: i32, words: &str) -> String {
        let output = self.command(words).output().unwrap();
        let errors = String::from_utf8(output.stderr.clone()).unwrap();
        assert_eq!(
            output.status.code(),
            Some(code),
            "inception {words}: {errors}"
        );
        let errors: Vec<&str> = errors.lines().filter(|l| l.starts_with("error[")).collect();
        assert_eq!(errors.len(), 1, "inception {words}: {errors:?}");
        let (id, message) = errors[0].split_once("]: ").expect("an id and a message");
        let id = id.trim_start_matches("error[");
        assert!(id.len() == 5 && id.as_bytes()[1] == b'-', "{id}");
        message.to_owned()
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    /// `w.safetensors`: a small network for 32×32 RGB that nobody trained.
    pub(crate) fn weights(&self) -> PathBuf {
        let options = ModelOptions {
            input: Some([3, 32, 32]),
            ..ModelOptions::default()
        };
        let model = Model::build("inception-small", &options).unwrap();
        let path = self.path("w.safetensors");
        Weights::random(model, 0).unwrap().save(&path).unwrap();
        path
    }

    /// `photos`: class folders of `each` JPEG images for training and two for validation.
    pub(crate) fn photos(&self, each: usize) {
        for (label, class) in ["blue", "red"].into_iter().enumerate() {
            for (split, n) in [("train", each), ("val", 2)] {
                for i in 0..n {
                    let bytes = jpeg(40 + i, 36, label * 200);
                    self.write(&format!("photos/{split}/{class}/{i:02}.jpg"), bytes);
                }
            }
        }
    }
}

/// A JPEG image with as much red as is asked for.
pub(crate) fn jpeg(width: usize, height: usize, red: usize) -> Vec<u8> {
    let pixel = |i: usize| {
        [
            red as u8,
            (i * 7 % 256) as u8,
            200usize.saturating_sub(red) as u8,
        ]
    };
    let pixels: Vec<u8> = (0..width * height).flat_map(pixel).collect();
    let mut bytes = Vec::new();
    jpeg_encoder::Encoder::new(&mut bytes, 90)
        .encode(
            &pixels,
            width as u16,
            height as u16,
            jpeg_encoder::ColorType::Rgb,
        )
        .unwrap();
    bytes
}

/// A small network on what is named behind it.
pub(crate) const SMALL: &str = "train --model inception-small --input 3,32,32 --batch-size 4 \
                                --lr 0.02 --threads 1 --quiet";

/// A short run on `photos`.
pub(crate) const TRAIN: &str = "train --data photos --model inception-small --input 3,32,32 \
                                --batch-size 8 --lr 0.02 --threads 2 --quiet";

/// The lines of a run's log without speeds, which differ from run to run.
pub(crate) fn log_without_speed(folder: &Path) -> Vec<Value> {
    let text = fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
    let lines = text.lines().map(|line| {
        let mut value: Value = serde_json::from_str(line).unwrap();
        value.as_object_mut().unwrap().remove("images_per_s");
        value
    });
    lines.collect()
}

pub(crate) fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The names of an object's fields, sorted.
pub(crate) fn fields(value: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    names
}
