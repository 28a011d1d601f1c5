//! Augmentations by name.

use super::{Augment, ColorJitter, Cut, PadCrop, Policy, Preprocess, RandomCrop, RandomErasing};
use crate::DataError;

/// What names and numbers an augmentation is made of.
const EXPECTED: &str = "none, basic[:SHIFT], crop or paper, followed by any of +jitter[:STRENGTH], \
                        +randaugment[:OPERATIONS:MAGNITUDE], +trivialaugment and \
                        +erase[:PROBABILITY]";

impl Augment {
    /// Reads a description: `none`, `basic`, `crop` or `paper` says which part of a picture
    /// is seen (`basic:0.1` shifts by up to a tenth of each side), `+jitter`, `+randaugment`,
    /// `+trivialaugment` and `+erase` add to it, with numbers behind colons where torchvision's
    /// are not wanted.
    ///
    /// # Errors
    /// When a name is unknown or a number out of range.
    ///
    /// # Examples
    /// ```
    /// use inception_data::{Augment, Policy, Preprocess};
    ///
    /// let preprocess = Preprocess::photograph(224, 224);
    /// let augment = Augment::from_name("basic+randaugment:2:15+erase:0.25", &preprocess)?;
    /// assert_eq!(augment.policy, Some(Policy::Rand { operations: 2, magnitude: 15 }));
    /// # Ok::<(), inception_data::DataError>(())
    /// ```
    pub fn from_name(name: &str, preprocess: &Preprocess) -> Result<Self, DataError> {
        let refuse = || {
            DataError::Usage(format!(
                "augment: expected {EXPECTED}, found \"{}\"",
                name.escape_debug()
            ))
        };
        let mut parts = name.split('+');
        let mut augment = match parts.next().unwrap_or_default() {
            "none" => Self::default(),
            "basic" => Self::basic(preprocess),
            "paper" => Self::paper(),
            "crop" => Self::of(Cut::RandomCrop(RandomCrop::default())),
            other => Self::shift(other).ok_or_else(refuse)?,
        };
        for part in parts {
            augment.add(part).ok_or_else(refuse)?;
        }
        augment.validate()?;
        Ok(augment)
    }

    /// Reads `basic:SHIFT`.
    fn shift(name: &str) -> Option<Self> {
        let padding = name.strip_prefix("basic:")?.parse().ok()?;
        Some(Self::of(Cut::PadCrop(PadCrop {
            padding,
            ..PadCrop::default()
        })))
    }

    /// Adds what `part` describes; `None` where it is no description, or a second one of
    /// its kind.
    fn add(&mut self, part: &str) -> Option<()> {
        let mut words = part.split(':');
        let name = words.next()?;
        let numbers: Vec<&str> = words.collect();
        match (name, numbers.as_slice()) {
            ("jitter", []) => put(&mut self.color, ColorJitter::default()),
            ("jitter", [strength]) => {
                let strength: f64 = strength.parse().ok()?;
                let jitter = ColorJitter {
                    brightness: strength,
                    contrast: strength,
                    saturation: strength,
                };
                put(&mut self.color, jitter)
            }
            ("randaugment", []) => put(&mut self.policy, Policy::RAND),
            ("randaugment", [operations, magnitude]) => {
                let policy = Policy::Rand {
                    operations: operations.parse().ok()?,
                    magnitude: magnitude.parse().ok()?,
                };
                put(&mut self.policy, policy)
            }
            ("trivialaugment", []) => put(&mut self.policy, Policy::TrivialWide),
            ("erase", []) => put(&mut self.erase, RandomErasing::default()),
            ("erase", [probability]) => {
                let erase = RandomErasing {
                    probability: probability.parse().ok()?,
                    ..RandomErasing::default()
                };
                put(&mut self.erase, erase)
            }
            _ => None,
        }
    }
}

fn put<T>(place: &mut Option<T>, value: T) -> Option<()> {
    match place {
        Some(_) => None,
        None => {
            *place = Some(value);
            Some(())
        }
    }
}
