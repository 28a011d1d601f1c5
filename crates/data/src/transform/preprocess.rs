//! What a picture goes through before a trained network sees it.

use super::{Interpolation, Size, Window};
use crate::DataError;

/// Mean of ImageNet's channels.
pub const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
/// Standard deviation of ImageNet's channels.
pub const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];

/// The longest side of a network's input.
const MAX_SIDE: usize = 8192;

/// How a picture is brought to a network's input size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResizeSpec {
    /// The shorter side becomes this long; then the middle is cut out.
    Shorter(usize),
    /// Width and height become the input's, whatever the proportions were.
    Stretch,
}

/// What evaluation does with a picture; it travels with the weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Preprocess {
    /// Channels (1 or 3), height and width of the network's input.
    pub input: [usize; 3],
    /// How pictures are brought to that size; without it they must have it already.
    pub resize: Option<ResizeSpec>,
    /// The filter.
    pub interpolation: Interpolation,
    /// What is subtracted from each channel, in units where white is 1.
    pub mean: Vec<f32>,
    /// What each channel is divided by then.
    pub std: Vec<f32>,
}

impl Preprocess {
    /// For pictures that have the input's size already: data sets of small images.
    pub fn exact(input: [usize; 3], mean: &[f32], std: &[f32]) -> Self {
        Self {
            input,
            resize: None,
            interpolation: Interpolation::default(),
            mean: mean.to_vec(),
            std: std.to_vec(),
        }
    }

    /// For photographs: the middle 7/8 of the shorter side (256 to 224), ImageNet's mean and
    /// deviation.
    pub fn photograph(height: usize, width: usize) -> Self {
        let side = (height.max(width) as f64 / 0.875).round() as usize;
        Self {
            input: [3, height, width],
            resize: Some(ResizeSpec::Shorter(side)),
            interpolation: Interpolation::default(),
            mean: IMAGENET_MEAN.to_vec(),
            std: IMAGENET_STD.to_vec(),
        }
    }

    /// The input's width and height.
    pub fn size(&self) -> Size {
        Size {
            width: self.input[2],
            height: self.input[1],
        }
    }

    /// Checks the parts against each other.
    ///
    /// # Errors
    /// When a number is out of range; the message names it.
    pub fn validate(&self) -> Result<(), DataError> {
        let usage = |message: String| Err(DataError::Usage(format!("preprocessing: {message}")));
        let [channels, height, width] = self.input;
        if !matches!(channels, 1 | 3) {
            return usage(format!("1 or 3 channels, found {channels}"));
        }
        let sides = 1..=MAX_SIDE;
        if !sides.contains(&height) || !sides.contains(&width) {
            return usage(format!(
                "sides of 1 to {MAX_SIDE} pixels, found {height}×{width}"
            ));
        }
        if self.mean.len() != channels || self.std.len() != channels {
            return usage(format!(
                "{channels} means and deviations, found {} and {}",
                self.mean.len(),
                self.std.len()
            ));
        }
        if !self.mean.iter().all(|m| m.is_finite()) {
            return usage(format!("finite means, found {:?}", self.mean));
        }
        if !self.std.iter().all(|s| s.is_finite() && *s > 0.0) {
            return usage(format!("deviations above 0, found {:?}", self.std));
        }
        match self.resize {
            Some(ResizeSpec::Shorter(side)) if side < height.max(width) => usage(format!(
                "the shorter side is resized to {side}, below the input's {height}×{width}"
            )),
            Some(ResizeSpec::Shorter(side)) if side > 2 * MAX_SIDE => {
                usage(format!("the shorter side is resized to {side}"))
            }
            _ => Ok(()),
        }
    }

    /// The size that a picture of `size` is resampled to, and the part of it that is used.
    ///
    /// # Errors
    /// When pictures are not resized and this one has another size.
    pub fn place(&self, size: Size) -> Result<Placement, DataError> {
        let input = self.size();
        let resized = match self.resize {
            Some(ResizeSpec::Shorter(side)) => size.with_shorter(side),
            Some(ResizeSpec::Stretch) => input,
            None if size == input => input,
            None => {
                return Err(DataError::Usage(format!(
                    "the picture has {}×{} pixels, {}×{} are needed and no resize is set",
                    size.width, size.height, input.width, input.height
                )));
            }
        };
        Ok(Placement {
            resized,
            window: Window::centre(resized, input),
        })
    }
}

/// Where a network's input lies in a resampled picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The size to resample to.
    pub resized: Size,
    /// The part that is used.
    pub window: Window,
}
