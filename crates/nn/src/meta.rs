//! What a file of weights says about itself, as text by key.

use crate::{Aux, Model, ModelOptions, NnError};
use inception_autograd::{Range, Ranges};
use std::collections::BTreeMap;
use std::fmt::Display;
use thiserror::Error;

/// The newest form of the text that this version writes and reads.
const VERSION: u64 = 1;
const FORMAT: &str = "inception.format";
const MODEL: &str = "inception.model";
const INPUT: &str = "inception.input";
const CLASSES: &str = "inception.classes";
const CLASS_NAMES: &str = "inception.class_names";
const AUX: &str = "inception.aux";
const PREPROCESS: &str = "preprocess.";
const TRAINING: &str = "training.";
const RANGE: &str = "range.";

/// Everything that a file of weights needs to be used without another word: which model, for
/// which images and classes, and how images are prepared.
///
/// As text: `inception.format` = `1`, `inception.model` = `googlenet`, `inception.input` =
/// `3,224,224`, `inception.classes` = `10`, `inception.class_names` = a JSON array (absent
/// where there are no names), `inception.aux` = `keep` or `drop`; keys that begin with
/// `preprocess.` and `training.` are kept as they are; `range.conv1.conv` = `-0.5,3` says
/// between which numbers the values of a layer were seen.
///
/// # Examples
/// ```
/// use inception_nn::{Model, ModelOptions, WeightsMeta};
///
/// let model = Model::build("inception-small", &ModelOptions::default())?;
/// let meta = WeightsMeta::of(&model);
/// assert_eq!(meta.to_map()["inception.input"], "1,28,28");
/// assert_eq!(WeightsMeta::from_map(&meta.to_map())?, Some(meta));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct WeightsMeta {
    /// Its name in the registry.
    pub model: String,
    /// `[c, h, w]` of an image.
    pub input: [usize; 3],
    /// How many classes.
    pub classes: usize,
    /// Names of the classes by label: as many as there are, or none.
    pub class_names: Vec<String>,
    /// Whether the file has auxiliary heads.
    pub aux: Aux,
    /// How images are prepared: `preprocess.mean` and the like.
    pub preprocess: BTreeMap<String, String>,
    /// How the weights came about: `training.data` and the like. Nothing depends on it.
    pub training: BTreeMap<String, String>,
    /// Between which numbers values lie, for inference on bytes; none where nobody looked.
    pub ranges: Ranges,
}

/// Why a file's text about itself cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("metadata key \"{key}\": expected {expected}, found {found}")]
pub struct MetaError {
    /// The key.
    pub key: &'static str,
    /// What belongs there.
    pub expected: String,
    /// What is there, shortened and escaped.
    pub found: String,
}

impl WeightsMeta {
    /// What is known of weights of `model` without looking at data.
    pub fn of(model: &Model) -> Self {
        let options = model.options();
        Self {
            model: model.name().to_owned(),
            input: options.input,
            classes: options.classes,
            class_names: Vec::new(),
            aux: options.aux,
            preprocess: BTreeMap::new(),
            training: BTreeMap::new(),
            ranges: Ranges::default(),
        }
    }

    /// Builds the model that the weights belong to.
    ///
    /// # Errors
    /// As [`Model::build`].
    pub fn build(&self) -> Result<Model, NnError> {
        let options = ModelOptions {
            input: Some(self.input),
            classes: Some(self.classes),
            aux: self.aux,
            ..ModelOptions::default()
        };
        Model::build(&self.model, &options)
    }

    /// The text by key.
    pub fn to_map(&self) -> BTreeMap<String, String> {
        let aux = match self.aux {
            Aux::Keep => "keep",
            Aux::Drop => "drop",
        };
        let mut map = BTreeMap::new();
        let mut put = |key: &str, value: String| map.insert(key.to_owned(), value);
        put(FORMAT, VERSION.to_string());
        put(MODEL, self.model.clone());
        put(INPUT, self.input.map(|n| n.to_string()).join(","));
        put(CLASSES, self.classes.to_string());
        put(AUX, aux.to_owned());
        if !self.class_names.is_empty() {
            let names: Vec<_> = self.class_names.iter().map(String::as_str).collect();
            put(CLASS_NAMES, serde_json::Value::from(names).to_string());
        }
        map.extend(self.preprocess.clone());
        map.extend(self.training.clone());
        for (name, Range { low, high }) in &self.ranges.0 {
            map.insert(format!("{RANGE}{name}"), format!("{low},{high}"));
        }
        map
    }

    /// Reads what [`WeightsMeta::to_map`] wrote; other keys are ignored. `None` when the
    /// text names no model, as in files of other tools.
    ///
    /// # Errors
    /// When a newer version wrote the text, or a value is missing or malformed.
    pub fn from_map(map: &BTreeMap<String, String>) -> Result<Option<Self>, MetaError> {
        let Some(model) = map.get(MODEL) else {
            return Ok(None);
        };
        let version: u64 = number(map, FORMAT)?;
        if version > VERSION {
            let expected = format!("a version up to {VERSION}");
            return Err(malformed(FORMAT, expected, &version));
        }
        let classes = number(map, CLASSES)?;
        let starting = |prefix: &str| {
            let keys = map.iter().filter(|(key, _)| key.starts_with(prefix));
            keys.map(|(k, v)| (k.clone(), v.clone())).collect()
        };
        Ok(Some(Self {
            model: model.clone(),
            input: input(map)?,
            classes,
            class_names: class_names(map, classes)?,
            aux: match get(map, AUX)? {
                "keep" => Aux::Keep,
                "drop" => Aux::Drop,
                other => return Err(malformed(AUX, "keep or drop", &other)),
            },
            preprocess: starting(PREPROCESS),
            training: starting(TRAINING),
            ranges: ranges(map)?,
        }))
    }
}

fn malformed(key: &'static str, expected: impl Into<String>, found: &dyn Display) -> MetaError {
    let found = found.to_string();
    let clipped: String = found
        .chars()
        .take(60)
        .flat_map(char::escape_debug)
        .collect();
    MetaError {
        key,
        expected: expected.into(),
        found: format!("\"{clipped}\""),
    }
}

fn get<'a>(map: &'a BTreeMap<String, String>, key: &'static str) -> Result<&'a str, MetaError> {
    let missing = || MetaError {
        key,
        expected: "a value".to_owned(),
        found: "none".to_owned(),
    };
    map.get(key).map(String::as_str).ok_or_else(missing)
}

fn number<T: std::str::FromStr>(
    map: &BTreeMap<String, String>,
    key: &'static str,
) -> Result<T, MetaError> {
    let text = get(map, key)?;
    let parsed = text.parse();
    parsed.map_err(|_| malformed(key, "a whole number", &text))
}

fn input(map: &BTreeMap<String, String>) -> Result<[usize; 3], MetaError> {
    let text = get(map, INPUT)?;
    let parts: Result<Vec<usize>, _> = text.split(',').map(str::parse).collect();
    let input = parts.ok().and_then(|parts| parts.try_into().ok());
    input.ok_or_else(|| malformed(INPUT, "channels,height,width", &text))
}

fn ranges(map: &BTreeMap<String, String>) -> Result<Ranges, MetaError> {
    let named = map
        .iter()
        .filter_map(|(key, text)| Some((key.strip_prefix(RANGE)?, text)));
    let range = |(name, text): (&str, &String)| {
        let parsed = text.split_once(',').and_then(|(low, high)| {
            let (low, high): (f32, f32) = (low.parse().ok()?, high.parse().ok()?);
            let ordered = low.is_finite() && high.is_finite() && low <= high;
            ordered.then_some(Range { low, high })
        });
        match parsed {
            Some(range) => Ok((name.to_owned(), range)),
            None => Err(malformed(RANGE, "least,greatest", text)),
        }
    };
    named.map(range).collect::<Result<_, _>>().map(Ranges)
}

fn class_names(map: &BTreeMap<String, String>, classes: usize) -> Result<Vec<String>, MetaError> {
    let Some(text) = map.get(CLASS_NAMES) else {
        return Ok(Vec::new());
    };
    let names: Vec<String> = serde_json::from_str(text)
        .map_err(|_| malformed(CLASS_NAMES, "a JSON array of strings", text))?;
    if names.len() != classes {
        let found = format!("{} names", names.len());
        return Err(malformed(CLASS_NAMES, format!("{classes} names"), &found));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta() -> WeightsMeta {
        WeightsMeta {
            model: "googlenet".into(),
            input: [3, 64, 96],
            classes: 2,
            class_names: vec!["a \"quoted\" name".into(), "naïve\n".into()],
            aux: Aux::Keep,
            preprocess: [("preprocess.mean".into(), "0.5,0.5,0.5".into())].into(),
            training: [("training.data".into(), "shapes".into())].into(),
            ranges: Ranges(
                [(
                    "conv1.conv".into(),
                    Range {
                        low: -0.1,
                        high: 3.25e-9,
                    },
                )]
                .into(),
            ),
        }
    }

    #[test]
    fn what_was_written_is_read_back() {
        let mut map = meta().to_map();
        map.insert("format".into(), "pt".into());
        assert_eq!(WeightsMeta::from_map(&map), Ok(Some(meta())));
    }

    #[test]
    fn a_file_of_another_tool_has_no_description() {
        let map = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
        assert_eq!(WeightsMeta::from_map(&map), Ok(None));
    }

    #[test]
    fn a_malformed_value_names_its_key() {
        for (key, value, message) in [
            (FORMAT, "2", "expected a version up to 1, found \"2\""),
            (CLASSES, "-1", "expected a whole number, found \"-1\""),
            (
                INPUT,
                "3,4",
                "expected channels,height,width, found \"3,4\"",
            ),
            (
                CLASS_NAMES,
                "[\"a\"]",
                "expected 2 names, found \"1 names\"",
            ),
            (
                CLASS_NAMES,
                "[1, 2]",
                "expected a JSON array of strings, found \"[1, 2]\"",
            ),
            (RANGE, "2,1", "expected least,greatest, found \"2,1\""),
            (RANGE, "0,inf", "expected least,greatest, found \"0,inf\""),
            (AUX, "\x1b", "expected keep or drop, found \"\\u{1b}\""),
        ] {
            let mut map = meta().to_map();
            map.insert(key.to_owned(), value.to_owned());
            let error = WeightsMeta::from_map(&map).unwrap_err().to_string();
            assert_eq!(error, format!("metadata key \"{key}\": {message}"));
        }
        let mut map = meta().to_map();
        map.remove(CLASSES);
        let error = WeightsMeta::from_map(&map).unwrap_err().to_string();
        assert!(error.ends_with("expected a value, found none"), "{error}");
    }
}
