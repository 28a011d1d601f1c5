//! Random operations on pictures: RandAugment and TrivialAugment.

use super::affine::Affine;
use super::{ColorStep, tone};
use crate::{DataError, Image};
use inception_tensor::Stream;

/// How strong operations can be: this many steps, 0 the weakest.
const BINS: usize = 31;

/// Which operations a picture goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// So many operations in a row, drawn evenly, all of one strength.
    ///
    /// # Sources
    /// Cubuk et al. 2019, *RandAugment*; `torchvision.transforms.RandAugment`, whose
    /// operations and ranges these are.
    Rand {
        /// Operations: 2.
        operations: usize,
        /// Their strength, 0 to 30: 9.
        magnitude: usize,
    },
    /// One operation, drawn evenly, of any strength, from wider ranges.
    ///
    /// # Sources
    /// Müller and Hutter 2021, *TrivialAugment*; `torchvision.transforms.TrivialAugmentWide`.
    TrivialWide,
}

/// An operation of the policies, with its strength.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operation {
    /// Nothing.
    Identity,
    /// Rows slide by this share of their distance from the top.
    ShearX(f64),
    /// Columns slide by this share of their distance from the left.
    ShearY(f64),
    /// To the right by whole pixels.
    TranslateX(f64),
    /// Down by whole pixels.
    TranslateY(f64),
    /// Against the clock, in degrees.
    Rotate(f64),
    /// Brighter by this share.
    Brightness(f64),
    /// More colourful by this share.
    Color(f64),
    /// More contrast by this share.
    Contrast(f64),
    /// Sharper by this share.
    Sharpness(f64),
    /// Only so many high bits of each byte stay.
    Posterize(u32),
    /// Bytes from here on are inverted.
    Solarize(f64),
    /// Each channel is stretched over all bytes.
    AutoContrast,
    /// Each channel is spread evenly over all bytes.
    Equalize,
}

/// The ranges of a policy.
struct Ranges {
    shear: f64,
    translate: [f64; 2],
    rotate: f64,
    color: f64,
    /// Bits that the strongest posterisation takes.
    posterize: f64,
}

impl Policy {
    /// torchvision's RandAugment.
    pub const RAND: Self = Self::Rand {
        operations: 2,
        magnitude: 9,
    };

    /// Checks the numbers.
    ///
    /// # Errors
    /// When one is out of range.
    pub fn validate(&self) -> Result<(), DataError> {
        match *self {
            Self::Rand {
                operations: 1..=16,
                magnitude: 0..BINS,
            }
            | Self::TrivialWide => Ok(()),
            Self::Rand {
                operations,
                magnitude,
            } => Err(DataError::Usage(format!(
                "augmentation: randaugment takes 1 to 16 operations of magnitude 0 to {}, found \
                 {operations} of {magnitude}",
                BINS - 1
            ))),
        }
    }

    /// Draws the operations for a picture of `width`×`height`.
    pub fn draw(&self, width: usize, height: usize, stream: &mut Stream) -> Vec<Operation> {
        match *self {
            Self::Rand {
                operations,
                magnitude,
            } => {
                let ranges = Ranges {
                    shear: 0.3,
                    translate: [150.0 / 331.0 * width as f64, 150.0 / 331.0 * height as f64],
                    rotate: 30.0,
                    color: 0.9,
                    posterize: 4.0,
                };
                let draw = |_| ranges.draw(magnitude, stream);
                (0..operations).map(draw).collect()
            }
            Self::TrivialWide => {
                let ranges = Ranges {
                    shear: 0.99,
                    translate: [32.0, 32.0],
                    rotate: 135.0,
                    color: 0.99,
                    posterize: 6.0,
                };
                let magnitude = stream.below(BINS as u64) as usize;
                vec![ranges.draw(magnitude, stream)]
            }
        }
    }
}

impl Ranges {
    /// One of the operations, evenly, to either side where it has sides.
    fn draw(&self, magnitude: usize, stream: &mut Stream) -> Operation {
        let share = magnitude as f64 / (BINS - 1) as f64;
        let which = stream.below(14);
        let side = if stream.uniform() < 0.5 { -1.0 } else { 1.0 };
        let signed = |most: f64| side * share * most;
        match which {
            0 => Operation::Identity,
            1 => Operation::ShearX(signed(self.shear)),
            2 => Operation::ShearY(signed(self.shear)),
            3 => Operation::TranslateX(signed(self.translate[0]).trunc()),
            4 => Operation::TranslateY(signed(self.translate[1]).trunc()),
            5 => Operation::Rotate(signed(self.rotate)),
            6 => Operation::Brightness(signed(self.color)),
            7 => Operation::Color(signed(self.color)),
            8 => Operation::Contrast(signed(self.color)),
            9 => Operation::Sharpness(signed(self.color)),
            10 => {
                // Half a bit goes to the even neighbour, as torch.round has it.
                let bits = (share * self.posterize).round_ties_even();
                Operation::Posterize(8 - bits as u32)
            }
            11 => Operation::Solarize(255.0 * (1.0 - share)),
            12 => Operation::AutoContrast,
            _ => Operation::Equalize,
        }
    }
}

impl Operation {
    /// The picture after the operation; pixels that come from outside are black.
    pub fn apply(self, image: &mut Image) {
        let color = |factor: f64| (1.0 + factor) as f32;
        match self {
            Self::Identity => {}
            Self::ShearX(by) => *image = Affine::shear_x(by).apply(image),
            Self::ShearY(by) => *image = Affine::shear_y(by).apply(image),
            Self::TranslateX(by) => *image = Affine::translate(by, 0.0).apply(image),
            Self::TranslateY(by) => *image = Affine::translate(0.0, by).apply(image),
            Self::Rotate(by) => {
                *image = Affine::rotate(by, image.width, image.height).apply(image);
            }
            Self::Brightness(by) => ColorStep::Brightness(color(by)).apply(image),
            Self::Color(by) => ColorStep::Saturation(color(by)).apply(image),
            Self::Contrast(by) => ColorStep::Contrast(color(by)).apply(image),
            Self::Sharpness(by) => tone::sharpen(image, color(by)),
            Self::Posterize(bits) => tone::map(image, |byte| byte & !(0xff >> bits.min(8))),
            Self::Solarize(from) => tone::map(image, |byte| {
                if f64::from(byte) < from {
                    byte
                } else {
                    255 - byte
                }
            }),
            Self::AutoContrast => tone::auto_contrast(image),
            Self::Equalize => tone::equalize(image),
        }
    }
}
