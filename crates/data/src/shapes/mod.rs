//! `shapes`: figures at many scales on cluttered ground, drawn from a seed.

mod clutter;
mod figure;
mod scene;
mod sheet;
mod texture;
mod turn;

pub use sheet::contact_sheet;

use crate::{DataError, Dataset, Image, Sample, Split};
use inception_tensor::{Stream, fnv1a};
use scene::Scene;

/// Changes whenever a picture does, so that fingerprints of old runs no longer fit.
const REVISION: u64 = 1;

/// What [`Shapes`] draws.
#[derive(Clone, Debug, PartialEq)]
pub struct ShapesConfig {
    /// Pixels a side, 16 to 1024. The same seed shows the same scenes at every side.
    pub side: usize,
    /// How many of the ten classes, 2 to 10, the first ones.
    pub classes: usize,
    /// Items of [`Split::Train`].
    pub train_len: usize,
    /// Items of [`Split::Val`].
    pub val_len: usize,
    /// Items of [`Split::Test`].
    pub test_len: usize,
    /// Another seed, other pictures.
    pub seed: u64,
    /// Size of the smallest figure: the root of the area that it covers, as a share of the
    /// picture's side, 0.1 to `size_max`.
    pub size_min: f64,
    /// Size of the largest figure, at most 0.46: a star of that size is as wide as nine
    /// tenths of the picture.
    pub size_max: f64,
    /// Figures are turned by up to this angle either way, 0 to 180.
    pub rotation_degrees: f64,
    /// The most pieces of clutter in a picture, up to 100; there are half as many on
    /// average.
    pub clutter: usize,
    /// The most noise on a pixel, as a share of the full range, 0 to 0.5.
    pub grain: f64,
    /// The least difference between colours of ground and figure, 0 to 0.5: the root of the
    /// mean square over the channels, as a share of the full range. Where 24 draws find no
    /// such colours, the best of them are taken.
    pub contrast: f64,
}

impl Default for ShapesConfig {
    fn default() -> Self {
        Self {
            side: 32,
            classes: 10,
            train_len: 20_000,
            val_len: 2_000,
            test_len: 2_000,
            seed: 0,
            size_min: 0.22,
            size_max: 0.46,
            rotation_degrees: 30.0,
            clutter: 10,
            grain: 0.1,
            contrast: 0.22,
        }
    }
}

impl ShapesConfig {
    /// Checks every field against its range.
    fn check(&self) -> Result<(), DataError> {
        within("side", self.side, 16, 1024)?;
        within("classes", self.classes, 2, figure::NAMES.len())?;
        within("size_max", self.size_max, 0.1, 0.46)?;
        within("size_min", self.size_min, 0.1, self.size_max)?;
        within("rotation_degrees", self.rotation_degrees, 0.0, 180.0)?;
        within("clutter", self.clutter, 0, 100)?;
        within("grain", self.grain, 0.0, 0.5)?;
        within("contrast", self.contrast, 0.0, 0.5)
    }

    /// The number of items of a split.
    fn len(&self, split: Split) -> usize {
        match split {
            Split::Train => self.train_len,
            Split::Val => self.val_len,
            Split::Test => self.test_len,
        }
    }
}

/// An error unless `low ≤ value ≤ high`.
fn within<T: PartialOrd + std::fmt::Display>(
    name: &str,
    value: T,
    low: T,
    high: T,
) -> Result<(), DataError> {
    if low <= value && value <= high {
        return Ok(());
    }
    Err(DataError::Usage(format!(
        "shapes: {name} must be {low} to {high}, found {value}"
    )))
}

/// Pictures of one figure each (disc, ring, square, triangle, star, cross, crescent, heart,
/// arrow, hourglass) on textured ground among clutter, drawn when they are asked for.
///
/// A picture's colours, its textures, its clutter, and the figure's area and place come
/// from distributions that do not know the class. So the class shows in the outline alone:
/// colour histograms, mean colours and areas carry next to nothing of it.
///
/// Labels are balanced: every run of `classes` items that starts at a multiple of
/// `classes` has each class once, in an order of its own.
///
/// # Examples
/// ```
/// use inception_data::shapes::{Shapes, ShapesConfig};
/// use inception_data::{Dataset, Split};
///
/// let config = ShapesConfig { side: 48, ..ShapesConfig::default() };
/// let train = Shapes::new(config, Split::Train)?;
/// let sample = train.get(7)?;
/// assert_eq!((sample.image.width, sample.image.channels), (48, 3));
/// assert_eq!(sample.label, train.label(7));
/// # Ok::<(), inception_data::DataError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Shapes {
    config: ShapesConfig,
    split: Split,
    classes: Vec<String>,
}

impl Shapes {
    /// One split of the pictures that `config` describes.
    ///
    /// # Errors
    /// [`DataError::Usage`] when a field is out of its range.
    pub fn new(config: ShapesConfig, split: Split) -> Result<Self, DataError> {
        config.check()?;
        let classes = figure::NAMES[..config.classes]
            .iter()
            .map(|&name| name.to_owned())
            .collect();
        Ok(Self {
            config,
            split,
            classes,
        })
    }

    /// What is drawn.
    pub fn config(&self) -> &ShapesConfig {
        &self.config
    }

    /// Where the figure of item `i` is: one byte a pixel, 255 where the figure covers all
    /// of it. Clutter that lies over the figure is not taken away.
    ///
    /// This is what a map of where a network looks can be held against.
    ///
    /// # Panics
    /// When `i` is out of range.
    pub fn mask(&self, i: usize) -> Image {
        Scene::draw(self, i, self.label(i)).mask(self.config.side)
    }

    /// The random numbers of item `i`.
    fn stream(&self, i: usize) -> Stream {
        Stream::new(&self.key("scene", i))
    }

    /// A key of its own for each use, seed, split and number.
    fn key(&self, purpose: &str, i: usize) -> [u64; 4] {
        let name = fnv1a(purpose.as_bytes());
        [name, self.config.seed, split_code(self.split), i as u64]
    }
}

/// A number for each split.
fn split_code(split: Split) -> u64 {
    match split {
        Split::Train => 0,
        Split::Val => 1,
        Split::Test => 2,
    }
}

impl Dataset for Shapes {
    fn len(&self) -> usize {
        self.config.len(self.split)
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn label(&self, i: usize) -> u32 {
        assert!(i < self.len(), "item {i} of {}", self.len());
        let mut order: [u32; figure::NAMES.len()] = std::array::from_fn(|k| k as u32);
        let order = &mut order[..self.config.classes];
        Stream::new(&self.key("labels", i / order.len())).shuffle(order);
        order[i % order.len()]
    }

    fn get(&self, i: usize) -> Result<Sample, DataError> {
        let label = self.label(i);
        Ok(Sample {
            image: Scene::draw(self, i, label).render(self.config.side),
            label,
        })
    }

    fn origin(&self, i: usize) -> String {
        let split = format!("{:?}", self.split).to_lowercase();
        format!("shapes seed {} {split} #{i}", self.config.seed)
    }

    fn fingerprint(&self) -> u64 {
        let c = &self.config;
        let words = [
            REVISION,
            split_code(self.split),
            c.seed,
            c.side as u64,
            c.classes as u64,
            self.len() as u64,
            c.clutter as u64,
            c.size_min.to_bits(),
            c.size_max.to_bits(),
            c.rotation_degrees.to_bits(),
            c.grain.to_bits(),
            c.contrast.to_bits(),
        ];
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        fnv1a(&bytes)
    }
}
