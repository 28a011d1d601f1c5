//! What `metrics.jsonl` tells.

use serde_json::Value;
use std::collections::BTreeMap;

/// A line of the log: figures of a step or a validation, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Point {
    /// The step.
    pub step: f64,
    /// Numbers by name; one that is no number is absent.
    pub values: BTreeMap<String, f64>,
    /// Numbers by stage, by name: `dead_relus`, `grad_norms`. Stages are sorted.
    pub stages: BTreeMap<String, Vec<(String, f64)>>,
}

/// The lines of a log.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// Steps of training.
    pub train: Vec<Point>,
    /// Validations.
    pub val: Vec<Point>,
    /// Steps that were left out, and why.
    pub skipped: Vec<(f64, String)>,
    /// Lines that are none, such as one that a crash has torn.
    pub unreadable: u64,
}

impl History {
    /// Reads a log; lines that cannot be read are counted and left out.
    pub fn read(log: &str) -> Self {
        let mut history = Self::default();
        for line in log.lines().filter(|line| !line.trim().is_empty()) {
            let parsed = serde_json::from_str(line).ok();
            if parsed.and_then(|line| history.enter(&line)).is_none() {
                history.unreadable += 1;
            }
        }
        history
    }

    fn enter(&mut self, line: &Value) -> Option<()> {
        let line = line.as_object()?;
        let step = line.get("step")?.as_f64()?;
        let split = line.get("split")?.as_str()?;
        if let Some(reason) = line.get("skipped").and_then(Value::as_str) {
            self.skipped.push((step, reason.to_owned()));
            return Some(());
        }
        let mut point = Point {
            step,
            ..Point::default()
        };
        for (name, value) in line {
            if let Some(number) = value.as_f64() {
                point.values.insert(name.clone(), number);
            } else if let Some(stages) = value.as_object() {
                let number = |(stage, x): (&String, &Value)| Some((stage.clone(), x.as_f64()?));
                let stages = stages.iter().filter_map(number).collect();
                point.stages.insert(name.clone(), stages);
            }
        }
        match split {
            "train" => self.train.push(point),
            "val" => self.val.push(point),
            _ => return None,
        }
        Some(())
    }

    /// The values of a figure over the steps.
    pub(crate) fn curve(points: &[Point], name: &str) -> Vec<(f64, f64)> {
        let at = |point: &Point| Some((point.step, *point.values.get(name)?));
        points.iter().filter_map(at).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn torn_and_foreign_lines_are_counted_and_the_others_read() {
        let log = concat!(
            "{\"step\":1,\"epoch\":1,\"split\":\"train\",\"loss\":2.5,\"top1\":null,",
            "\"grad_norms\":{\"conv1\":0.5}}\n\n",
            "{\"step\":2,\"split\":\"train\",\"skipped\":\"loss is NaN\"}\n",
            "[1]\n{\"step\":2,\"split\":\"val\",\"loss\":1}\n{\"step\":3,\"spl",
        );
        let history = History::read(log);
        assert_eq!((history.train.len(), history.val.len()), (1, 1));
        assert_eq!(History::curve(&history.train, "loss"), [(1.0, 2.5)]);
        assert!(History::curve(&history.train, "top1").is_empty());
        assert_eq!(
            history.train[0].stages["grad_norms"],
            [("conv1".to_owned(), 0.5)]
        );
        assert_eq!(history.skipped, [(2.0, "loss is NaN".to_owned())]);
        assert_eq!(history.unreadable, 2);
    }
}
