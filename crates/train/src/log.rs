//! `metrics.jsonl`: one JSON object a line.

use crate::{StepMetrics, TrainError, ValMetrics};
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// The file's name in a run's folder.
pub(crate) const NAME: &str = "metrics.jsonl";

/// The log of a run, open for appending.
#[derive(Debug)]
pub(crate) struct Log {
    file: File,
    path: PathBuf,
    /// Bytes of whole lines.
    len: u64,
    lines: u64,
}

impl Log {
    /// Opens the log in `folder` and cuts it off after `lines` lines, or after its last
    /// whole line where it has fewer.
    pub(crate) fn open(folder: &Path, lines: u64) -> Result<Self, TrainError> {
        let path = folder.join(NAME);
        let fail = |action| {
            let path = path.clone();
            move |source| TrainError::Io {
                action,
                path,
                source,
            }
        };
        if fs::symlink_metadata(&path).is_ok_and(|m| !m.is_file()) {
            let found = "what is no regular file";
            return Err(inception_store::StoreError::Target { path, found }.into());
        }
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(fail("open"))?;
        let (len, lines) = whole_lines(&mut file, lines).map_err(fail("read"))?;
        let mut log = Self {
            file,
            path: path.clone(),
            len,
            lines,
        };
        log.cut().map_err(fail("cut"))?;
        Ok(log)
    }

    /// How many lines there are.
    pub(crate) fn lines(&self) -> u64 {
        self.lines
    }

    /// Appends a line, or leaves the log as it was.
    pub(crate) fn append(&mut self, mut line: String) -> Result<(), String> {
        line.push('\n');
        let written = self.file.write_all(line.as_bytes());
        if let Err(error) = written {
            // A torn line is cut off; where that fails too, the next opening does it.
            let _ = self.cut();
            let path = inception_data::escape_path(&self.path);
            return Err(format!("{path}: cannot append a line: {error}"));
        }
        self.len += line.len() as u64;
        self.lines += 1;
        Ok(())
    }

    /// Makes all lines durable.
    pub(crate) fn sync(&mut self) -> Result<(), String> {
        let path = inception_data::escape_path(&self.path);
        let synced = self.file.sync_data();
        synced.map_err(|e| format!("{path}: cannot make lines durable: {e}"))
    }

    fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.len)?;
        self.file.seek(SeekFrom::Start(self.len)).map(|_| ())
    }
}

/// Bytes and number of the first whole lines, at most `most`.
fn whole_lines(file: &mut File, most: u64) -> io::Result<(u64, u64)> {
    let (mut len, mut lines, mut read) = (0u64, 0u64, 0u64);
    let mut buffer = vec![0u8; 1 << 16];
    while lines < most {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            break;
        }
        for (i, _) in buffer[..n].iter().enumerate().filter(|(_, b)| **b == b'\n') {
            if lines < most {
                lines += 1;
                len = read + i as u64 + 1;
            }
        }
        read += n as u64;
    }
    Ok((len, lines))
}

/// The line of a training step.
pub(crate) fn step_line(m: &StepMetrics) -> String {
    let mut line = begin(m.step, m.epoch, "train");
    number(&mut line, "loss", m.loss);
    number(&mut line, "loss_main", m.loss_main);
    for (name, loss) in &m.loss_aux {
        number(&mut line, &format!("loss_{name}"), *loss);
    }
    number(&mut line, "top1", m.top1);
    number(&mut line, "top5", m.top5);
    number(&mut line, "lr", m.lr);
    number(&mut line, "grad_norm", m.grad_norm);
    number(&mut line, "images_per_s", m.images_per_s);
    if let Some(found) = &m.stability {
        number(&mut line, "dead_relu", found.dead_relu);
        by_stage(&mut line, "dead_relus", &found.dead_relus);
        by_stage(&mut line, "grad_norms", &found.grad_norms);
    }
    line.push('}');
    line
}

/// The scalars of a training step, by the tags that TensorBoard groups them by.
pub(crate) fn step_scalars(m: &StepMetrics) -> Vec<(String, f64)> {
    let mut scalars = vec![
        ("loss/train".to_owned(), m.loss),
        ("loss_main/train".to_owned(), m.loss_main),
        ("top1/train".to_owned(), m.top1),
        ("top5/train".to_owned(), m.top5),
        ("lr".to_owned(), m.lr),
        ("grad_norm/all".to_owned(), m.grad_norm),
        ("images_per_s/train".to_owned(), m.images_per_s),
    ];
    let aux = m.loss_aux.iter();
    scalars.extend(aux.map(|(name, loss)| (format!("loss_{name}/train"), *loss)));
    if let Some(found) = &m.stability {
        scalars.push(("dead_relu/all".to_owned(), found.dead_relu));
        let stages = [
            ("dead_relu", &found.dead_relus),
            ("grad_norm", &found.grad_norms),
        ];
        for (group, values) in stages {
            scalars.extend(values.iter().map(|(s, x)| (format!("{group}/{s}"), *x)));
        }
    }
    scalars
}

/// The scalars of a validation.
pub(crate) fn val_scalars(m: &ValMetrics) -> Vec<(String, f64)> {
    vec![
        ("loss/val".to_owned(), m.loss),
        ("top1/val".to_owned(), m.top1),
        ("top5/val".to_owned(), m.top5),
        ("images_per_s/val".to_owned(), m.images_per_s),
    ]
}

/// The line of a step that was left out.
pub(crate) fn skip_line(step: u64, epoch: u64, reason: &str, layer: Option<&str>) -> String {
    let mut line = begin(step, epoch, "train");
    text(&mut line, "skipped", reason);
    if let Some(layer) = layer {
        text(&mut line, "layer", layer);
    }
    line.push('}');
    line
}

/// The line of a validation.
pub(crate) fn val_line(m: &ValMetrics) -> String {
    let mut line = begin(m.step, m.epoch, "val");
    number(&mut line, "loss", m.loss);
    number(&mut line, "top1", m.top1);
    number(&mut line, "top5", m.top5);
    number(&mut line, "images_per_s", m.images_per_s);
    line.push('}');
    line
}

fn begin(step: u64, epoch: u64, split: &str) -> String {
    format!("{{\"step\":{step},\"epoch\":{epoch},\"split\":\"{split}\"")
}

/// Appends a field; JSON has no NaN and no infinity, so those are `null`.
fn number(line: &mut String, name: &str, value: f64) {
    let value = serde_json::Value::from(value);
    write!(line, ",\"{name}\":{value}").expect("a text takes any text");
}

fn text(line: &mut String, name: &str, value: &str) {
    let value = serde_json::Value::from(value);
    write!(line, ",\"{name}\":{value}").expect("a text takes any text");
}

/// Appends an object of numbers.
fn by_stage(line: &mut String, name: &str, values: &[(String, f64)]) {
    let values = values.iter().map(|(stage, x)| (stage.clone(), (*x).into()));
    let values: serde_json::Map<String, serde_json::Value> = values.collect();
    let values = serde_json::Value::from(values);
    write!(line, ",\"{name}\":{values}").expect("a text takes any text");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_line_and_lines_after_the_checkpoint_are_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(NAME);
        for (before, keep, after, lines) in [
            ("a\nb\nc\n", 2, "a\nb\n", 2),
            ("a\nb\nc", 9, "a\nb\n", 2),
            ("torn", 1, "", 0),
            ("a\nb\n", 0, "", 0),
        ] {
            fs::write(&path, before).unwrap();
            let mut log = Log::open(dir.path(), keep).unwrap();
            assert_eq!(log.lines(), lines);
            assert_eq!(fs::read_to_string(&path).unwrap(), after);
            log.append("next".into()).unwrap();
            log.sync().unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), format!("{after}next\n"));
        }
    }

    #[test]
    fn long_logs_are_cut_in_the_right_place() {
        let dir = tempfile::tempdir().unwrap();
        let line = "x".repeat(1000);
        fs::write(dir.path().join(NAME), format!("{line}\n").repeat(300)).unwrap();
        let log = Log::open(dir.path(), 200).unwrap();
        assert_eq!((log.lines, log.len), (200, 200 * 1001));
    }

    #[test]
    fn lines_are_json_whatever_the_numbers() {
        let metrics = ValMetrics {
            step: 3,
            epoch: 1,
            loss: f64::NAN,
            top1: 0.5,
            top5: 1.0,
            images: 4,
            images_per_s: 10.0,
        };
        let line = val_line(&metrics);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert!(value["loss"].is_null());
        assert_eq!(
            (&value["split"], &value["top1"]),
            (&"val".into(), &0.5.into())
        );
        let line = skip_line(7, 1, "loss is \"NaN\"\u{1b}", Some("fc (linear)"));
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["layer"], "fc (linear)");
        assert_eq!(value["skipped"], "loss is \"NaN\"\u{1b}");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let victim = dir.path().join("victim");
        fs::write(&victim, "keep").unwrap();
        std::os::unix::fs::symlink(&victim, dir.path().join(NAME)).unwrap();
        assert_eq!(Log::open(dir.path(), 0).unwrap_err().kind().exit_code(), 2);
        assert_eq!(fs::read_to_string(&victim).unwrap(), "keep");
    }
}
