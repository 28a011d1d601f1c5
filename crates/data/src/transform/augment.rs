//! Random changes that a picture's class survives.

use super::{ColorJitter, Interpolation, Mirror, Preprocess, Size, Window};
use crate::DataError;
use inception_tensor::Stream;

/// What training does with a picture beyond [`Preprocess`].
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Augment {
    /// Nothing.
    #[default]
    None,
    /// A shift with black borders, and mirroring: for small images.
    PadCrop(PadCrop),
    /// A random part in random proportions, and mirroring: for photographs.
    ResizedCrop(ResizedCrop),
}

/// A shift by up to `padding` of each side, in steps of a pixel, as if the picture had black
/// borders and the middle were cut out beside its place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PadCrop {
    /// Of the side: 12.5 %, the 4 of 32 pixels that is customary for CIFAR.
    pub padding: f64,
    /// How often a picture is mirrored: half the time. Use 0 where left and right matter,
    /// as for digits.
    pub mirror: f64,
}

impl Default for PadCrop {
    fn default() -> Self {
        Self {
            padding: 0.125,
            mirror: 0.5,
        }
    }
}

/// A part of random area and proportions, resampled to the input's size.
#[derive(Clone, Debug, PartialEq)]
pub struct ResizedCrop {
    /// Least and largest share of the picture's area: 8 % to 100 %.
    pub area: [f64; 2],
    /// Least and largest width over height, drawn on a logarithmic scale: 3/4 to 4/3.
    pub aspect: [f64; 2],
    /// How often a picture is mirrored: half the time.
    pub mirror: f64,
    /// Filters to choose from, evenly; when empty, [`Preprocess::interpolation`] is used.
    pub interpolations: Vec<Interpolation>,
    /// Random colours, if any.
    pub color: Option<ColorJitter>,
}

impl Default for ResizedCrop {
    fn default() -> Self {
        Self {
            area: [0.08, 1.0],
            aspect: [3.0 / 4.0, 4.0 / 3.0],
            mirror: 0.5,
            interpolations: Vec::new(),
            color: None,
        }
    }
}

impl Augment {
    /// The usual choice: [`PadCrop`] where pictures are not resized, [`ResizedCrop`] where
    /// they are.
    pub fn basic(preprocess: &Preprocess) -> Self {
        match preprocess.resize {
            None => Self::PadCrop(PadCrop::default()),
            Some(_) => Self::ResizedCrop(ResizedCrop::default()),
        }
    }

    /// GoogLeNet's training: parts of 8 % to 100 % of the area and proportions of 3/4 to
    /// 4/3, filters chosen at random, photometric distortion.
    ///
    /// # Sources
    /// Szegedy et al., *Going Deeper with Convolutions*, section 6.
    pub fn paper() -> Self {
        Self::ResizedCrop(ResizedCrop {
            interpolations: Interpolation::ALL.to_vec(),
            color: Some(ColorJitter::default()),
            ..ResizedCrop::default()
        })
    }

    /// `none`, `basic` or `paper`.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn from_name(name: &str, preprocess: &Preprocess) -> Result<Self, DataError> {
        match name {
            "none" => Ok(Self::None),
            "basic" => Ok(Self::basic(preprocess)),
            "paper" => Ok(Self::paper()),
            _ => Err(DataError::Usage(format!(
                "augmentation is none, basic or paper, found {}",
                name.escape_debug()
            ))),
        }
    }

    /// Checks that every number is in range.
    ///
    /// # Errors
    /// When one is not.
    pub fn validate(&self) -> Result<(), DataError> {
        let within = |name: &str, x: f64, low: f64, high: f64| {
            if (low..=high).contains(&x) {
                return Ok(());
            }
            Err(DataError::Usage(format!(
                "augmentation: {name} is between {low} and {high}, found {x}"
            )))
        };
        match self {
            Self::None => Ok(()),
            Self::PadCrop(p) => {
                within("padding", p.padding, 0.0, 1.0)?;
                within("mirror", p.mirror, 0.0, 1.0)
            }
            Self::ResizedCrop(c) => {
                within("mirror", c.mirror, 0.0, 1.0)?;
                within("largest area", c.area[1], 1e-6, 1.0)?;
                within("least area", c.area[0], 1e-6, c.area[1])?;
                within("largest aspect", c.aspect[1], 1e-3, 1e3)?;
                within("least aspect", c.aspect[0], 1e-3, c.aspect[1])?;
                c.color.map_or(Ok(()), |j| {
                    within("brightness", j.brightness, 0.0, 1.0)?;
                    within("contrast", j.contrast, 0.0, 1.0)?;
                    within("saturation", j.saturation, 0.0, 1.0)
                })
            }
        }
    }
}

/// Mirrors with the given probability; always draws one number.
pub(super) fn draw_mirror(probability: f64, stream: &mut Stream) -> Mirror {
    if stream.uniform() < probability {
        Mirror::Horizontal
    } else {
        Mirror::No
    }
}

impl PadCrop {
    /// Draws the window of a picture of `size`, which has the same size.
    pub fn draw(&self, size: Size, stream: &mut Stream) -> Window {
        let mut shift = |side: usize| {
            let padding = (side as f64 * self.padding).round() as u64;
            stream.below(2 * padding + 1) as isize - padding as isize
        };
        Window {
            left: shift(size.width),
            top: shift(size.height),
            width: size.width,
            height: size.height,
        }
    }
}

impl ResizedCrop {
    /// Draws a part of a picture of `size`: ten tries, then the largest part in the middle
    /// whose proportions are allowed, as `torchvision`'s `RandomResizedCrop` does.
    pub fn draw(&self, size: Size, stream: &mut Stream) -> Window {
        let total = size.width as f64 * size.height as f64;
        let [low, high] = self.aspect.map(f64::ln);
        for _ in 0..10 {
            let area = total * stream.range(self.area[0], self.area[1]);
            let aspect = stream.range(low, high).exp();
            let width = (area * aspect).sqrt().round() as usize;
            let height = (area / aspect).sqrt().round() as usize;
            if (1..=size.width).contains(&width) && (1..=size.height).contains(&height) {
                return Window {
                    left: stream.below((size.width - width + 1) as u64) as isize,
                    top: stream.below((size.height - height + 1) as u64) as isize,
                    width,
                    height,
                };
            }
        }
        let (w, h) = (size.width as f64, size.height as f64);
        let [low, high] = self.aspect;
        let side = |x: f64| (x.round() as usize).max(1);
        let part = if w / h < low {
            Size {
                width: size.width,
                height: side(w / low).min(size.height),
            }
        } else if w / h > high {
            Size {
                width: side(h * high).min(size.width),
                height: size.height,
            }
        } else {
            size
        };
        Window::centre(size, part)
    }
}
