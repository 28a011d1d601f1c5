//! Values of flags that are more than a number or a name.

use serde::de::DeserializeOwned;
use std::str::FromStr;

/// One of the words that a setting knows.
pub(crate) fn word<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(text.into()).map_err(|error| error.to_string().replace('`', ""))
}

/// `C,H,W`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InputShape(pub(crate) [usize; 3]);

impl FromStr for InputShape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Result<Vec<usize>, _> = text
            .split([',', 'x', '×'])
            .map(|part| part.trim().parse())
            .collect();
        let shape = parts
            .ok()
            .and_then(|parts| <[usize; 3]>::try_from(parts).ok());
        match shape {
            Some(shape) if !shape.contains(&0) => Ok(Self(shape)),
            _ => Err("expected channels, height and width, such as 3,224,224".to_owned()),
        }
    }
}

/// Numbers with commas between them, one for each channel.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Numbers(pub(crate) Vec<f32>);

impl FromStr for Numbers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Result<Vec<f32>, _> = text.split(',').map(|part| part.trim().parse()).collect();
        match parts {
            Ok(numbers) if numbers.iter().all(|x| x.is_finite()) => Ok(Self(numbers)),
            _ => Err("expected a number for each channel, such as 0.5,0.5,0.5".to_owned()),
        }
    }
}

/// A number of bytes: `800MB`, `2GiB`, `4096`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ByteSize(pub(crate) u64);

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (number, unit) = text.split_at(end.unwrap_or(text.len()));
        let unit = match unit.trim() {
            "" | "B" => 1.0,
            "kB" | "KB" => 1e3,
            "MB" => 1e6,
            "GB" => 1e9,
            "KiB" | "K" => 1024.0,
            "MiB" | "M" => 1024.0 * 1024.0,
            "GiB" | "G" => 1024.0 * 1024.0 * 1024.0,
            _ => f64::NAN,
        };
        match number.parse::<f64>().map(|n| n * unit) {
            Ok(bytes) if (1.0..1e18).contains(&bytes) => Ok(Self(bytes as u64)),
            _ => Err("expected a number of bytes, such as 800MB or 2GiB".to_owned()),
        }
    }
}
