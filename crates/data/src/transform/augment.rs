//! Random changes that a picture's class survives.

use super::{
    ColorJitter, Interpolation, Mirror, Policy, Preprocess, RandomErasing, ResizeSpec, Size, Window,
};
use crate::DataError;
use inception_tensor::Stream;

/// What training does with a picture beyond [`Preprocess`], in this order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Augment {
    /// Which part of the picture is seen, and whether mirrored.
    pub cut: Cut,
    /// Random colours, if any.
    pub color: Option<ColorJitter>,
    /// Random operations, if any.
    pub policy: Option<Policy>,
    /// A rectangle that is taken out, if any.
    pub erase: Option<RandomErasing>,
}

/// Which part of a picture is seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Cut {
    /// What evaluation sees.
    #[default]
    None,
    /// A shift with black borders, and mirroring: for small images.
    PadCrop(PadCrop),
    /// A part at evaluation's scale, and mirroring.
    RandomCrop(RandomCrop),
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

/// A part of the input's size from anywhere in the picture at evaluation's scale (8/7 of the
/// input where evaluation takes the whole picture), as Caffe's GoogLeNet was trained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RandomCrop {
    /// How often a picture is mirrored: half the time.
    pub mirror: f64,
}

impl Default for RandomCrop {
    fn default() -> Self {
        Self { mirror: 0.5 }
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
}

impl Default for ResizedCrop {
    fn default() -> Self {
        Self {
            area: [0.08, 1.0],
            aspect: [3.0 / 4.0, 4.0 / 3.0],
            mirror: 0.5,
            interpolations: Vec::new(),
        }
    }
}

impl Augment {
    /// The usual choice: [`PadCrop`] where pictures are not resized, [`ResizedCrop`] where
    /// they are.
    pub fn basic(preprocess: &Preprocess) -> Self {
        Self::of(match preprocess.resize {
            None => Cut::PadCrop(PadCrop::default()),
            Some(_) => Cut::ResizedCrop(ResizedCrop::default()),
        })
    }

    /// GoogLeNet's training: parts of 8 % to 100 % of the area and proportions of 3/4 to
    /// 4/3, filters chosen at random among bilinear, area, nearest and cubic, photometric
    /// distortion.
    ///
    /// # Sources
    /// Szegedy et al., *Going Deeper with Convolutions*, section 6.
    pub fn paper() -> Self {
        let interpolations = vec![
            Interpolation::Bilinear,
            Interpolation::Area,
            Interpolation::Nearest,
            Interpolation::Bicubic,
        ];
        Self {
            color: Some(ColorJitter::default()),
            ..Self::of(Cut::ResizedCrop(ResizedCrop {
                interpolations,
                ..ResizedCrop::default()
            }))
        }
    }

    /// A cut and nothing else.
    pub(super) fn of(cut: Cut) -> Self {
        Self {
            cut,
            ..Self::default()
        }
    }

    /// Checks that every number is in range.
    ///
    /// # Errors
    /// When one is not.
    pub fn validate(&self) -> Result<(), DataError> {
        match &self.cut {
            Cut::None => {}
            Cut::PadCrop(p) => {
                within("padding", p.padding, 0.0, 1.0)?;
                within("mirror", p.mirror, 0.0, 1.0)?;
            }
            Cut::RandomCrop(c) => within("mirror", c.mirror, 0.0, 1.0)?,
            Cut::ResizedCrop(c) => {
                within("mirror", c.mirror, 0.0, 1.0)?;
                within("largest area", c.area[1], 1e-6, 1.0)?;
                within("least area", c.area[0], 1e-6, c.area[1])?;
                within("largest aspect", c.aspect[1], 1e-3, 1e3)?;
                within("least aspect", c.aspect[0], 1e-3, c.aspect[1])?;
            }
        }
        if let Some(jitter) = self.color {
            within("brightness", jitter.brightness, 0.0, 1.0)?;
            within("contrast", jitter.contrast, 0.0, 1.0)?;
            within("saturation", jitter.saturation, 0.0, 1.0)?;
        }
        self.policy.map_or(Ok(()), |policy| policy.validate())?;
        self.erase.map_or(Ok(()), |erase| erase.validate())
    }
}

fn within(name: &str, x: f64, low: f64, high: f64) -> Result<(), DataError> {
    if (low..=high).contains(&x) {
        return Ok(());
    }
    Err(DataError::Usage(format!(
        "augmentation: {name} is between {low} and {high}, found {x}"
    )))
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

impl RandomCrop {
    /// The size that a picture of `size` is resampled to before the part is cut out.
    pub fn scale(&self, size: Size, preprocess: &Preprocess) -> Size {
        let grown = |side: usize| (side * 8).div_ceil(7);
        match preprocess.resize {
            Some(ResizeSpec::Shorter(side)) => size.with_shorter(side),
            Some(ResizeSpec::Stretch) | None => Size {
                width: grown(preprocess.input[2]),
                height: grown(preprocess.input[1]),
            },
        }
    }

    /// Draws the part of a picture of `size`.
    pub fn draw(&self, size: Size, input: Size, stream: &mut Stream) -> Window {
        let mut start =
            |from: usize, len: usize| stream.below((from.saturating_sub(len) + 1) as u64) as isize;
        Window {
            left: start(size.width, input.width),
            top: start(size.height, input.height),
            width: input.width,
            height: input.height,
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
