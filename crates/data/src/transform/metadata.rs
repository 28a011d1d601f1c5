//! [`Preprocess`] as text, for the metadata of a file of weights.

use super::{Interpolation, Preprocess, ResizeSpec};
use crate::DataError;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

const INPUT: &str = "preprocess.input";
const RESIZE: &str = "preprocess.resize";
const INTERPOLATION: &str = "preprocess.interpolation";
const MEAN: &str = "preprocess.mean";
const STD: &str = "preprocess.std";

impl Preprocess {
    /// The parts as text: `preprocess.input` = `3,224,224` (channels, height, width),
    /// `preprocess.resize` = `shorter:256`, `stretch` or `none`, `preprocess.interpolation`
    /// = `bilinear`…, `preprocess.mean` and `preprocess.std` = `0.5,0.5,0.5`.
    pub fn to_map(&self) -> BTreeMap<String, String> {
        let resize = match self.resize {
            Some(ResizeSpec::Shorter(side)) => format!("shorter:{side}"),
            Some(ResizeSpec::Stretch) => "stretch".to_owned(),
            None => "none".to_owned(),
        };
        [
            (INPUT, join(&self.input)),
            (RESIZE, resize),
            (INTERPOLATION, self.interpolation.name().to_owned()),
            (MEAN, join(&self.mean)),
            (STD, join(&self.std)),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
    }

    /// Reads what [`Preprocess::to_map`] wrote; other keys are ignored. `None` when none of
    /// the keys is there.
    ///
    /// # Errors
    /// When a key is missing or a value is malformed or out of range.
    ///
    /// # Examples
    /// ```
    /// use inception_data::Preprocess;
    ///
    /// let preprocess = Preprocess::photograph(224, 224);
    /// let map = preprocess.to_map();
    /// assert_eq!(map["preprocess.resize"], "shorter:256");
    /// assert_eq!(Preprocess::from_map(&map)?, Some(preprocess));
    /// # Ok::<(), inception_data::DataError>(())
    /// ```
    pub fn from_map(map: &BTreeMap<String, String>) -> Result<Option<Self>, DataError> {
        let keys = [INPUT, RESIZE, INTERPOLATION, MEAN, STD];
        if !keys.iter().any(|&key| map.contains_key(key)) {
            return Ok(None);
        }
        let get = |key: &str| {
            map.get(key)
                .map(String::as_str)
                .ok_or_else(|| DataError::Usage(format!("{key} is missing")))
        };
        let input: Vec<usize> = split(INPUT, get(INPUT)?)?;
        let input = <[usize; 3]>::try_from(input)
            .map_err(|_| malformed(INPUT, get(INPUT).unwrap_or(""), "channels,height,width"))?;
        let interpolation = get(INTERPOLATION)?;
        let preprocess = Self {
            input,
            resize: parse_resize(get(RESIZE)?)?,
            interpolation: Interpolation::from_name(interpolation).ok_or_else(|| {
                let names = Interpolation::ALL.map(Interpolation::name).join(", ");
                malformed(INTERPOLATION, interpolation, &names)
            })?,
            mean: split(MEAN, get(MEAN)?)?,
            std: split(STD, get(STD)?)?,
        };
        preprocess.validate()?;
        Ok(Some(preprocess))
    }
}

fn parse_resize(text: &str) -> Result<Option<ResizeSpec>, DataError> {
    match text {
        "none" => Ok(None),
        "stretch" => Ok(Some(ResizeSpec::Stretch)),
        _ => text
            .strip_prefix("shorter:")
            .and_then(|side| side.parse().ok())
            .map(|side| Some(ResizeSpec::Shorter(side)))
            .ok_or_else(|| malformed(RESIZE, text, "none, stretch or shorter:N")),
    }
}

fn join(numbers: &[impl Display]) -> String {
    let texts: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    texts.join(",")
}

fn split<T: FromStr>(key: &str, text: &str) -> Result<Vec<T>, DataError> {
    text.split(',')
        .map(|part| part.trim().parse().ok())
        .collect::<Option<Vec<T>>>()
        .ok_or_else(|| malformed(key, text, "numbers with commas between them"))
}

fn malformed(key: &str, found: &str, expected: &str) -> DataError {
    let found: String = found
        .chars()
        .take(60)
        .flat_map(char::escape_debug)
        .collect();
    DataError::Usage(format!("{key}: expected {expected}, found \"{found}\""))
}
