//! Preprocessing and augmentation in one go.

use super::augment::draw_mirror;
use super::normalise::cut_out;
use super::{
    Augment, Cut, Mirror, Normalise, PadCrop, Preprocess, RandomCrop, ResizedCrop, Size, Window,
    crop_and_resize, resize_window,
};
use crate::{DataError, Image};
use inception_tensor::{Shape, Stream};

/// Turns a picture into one image of a batch.
///
/// The result is a function of the picture and the stream alone.
pub trait Transform: Send + Sync {
    /// The shape of one image: `[1, h, w, c]`, or `[views, h, w, c]`.
    fn output(&self) -> Shape;

    /// Writes `image` into `out`, channels-last.
    ///
    /// # Errors
    /// When the image cannot be brought to the output's shape.
    ///
    /// # Panics
    /// When `out` has not the output's length.
    fn apply(&self, image: &Image, stream: &mut Stream, out: &mut [f32]) -> Result<(), DataError>;
}

/// [`Preprocess`] and [`Augment`], checked and ready to run.
///
/// Pixels stay bytes until the last step, which writes normalised numbers into the batch.
#[derive(Clone, Debug)]
pub struct Pipeline {
    preprocess: Preprocess,
    augment: Augment,
    normalise: Normalise,
}

impl Pipeline {
    /// A pipeline for training.
    ///
    /// # Errors
    /// When a number is out of range.
    pub fn new(preprocess: Preprocess, augment: Augment) -> Result<Self, DataError> {
        preprocess.validate()?;
        augment.validate()?;
        Ok(Self {
            normalise: Normalise::new(&preprocess.mean, &preprocess.std),
            preprocess,
            augment,
        })
    }

    /// A pipeline for evaluation: no augmentation, so the stream is not read.
    ///
    /// # Errors
    /// When a number is out of range.
    pub fn evaluation(preprocess: Preprocess) -> Result<Self, DataError> {
        Self::new(preprocess, Augment::default())
    }

    /// The preprocessing.
    pub fn preprocess(&self) -> &Preprocess {
        &self.preprocess
    }

    /// The augmentation.
    pub fn augment(&self) -> &Augment {
        &self.augment
    }

    /// Writes `image` as evaluation sees it, whatever the augmentation.
    ///
    /// # Errors
    /// When the image has not the input's size and no resize is set.
    ///
    /// # Panics
    /// When `out` has not `h·w·c` numbers.
    pub fn evaluate(&self, image: &Image, out: &mut [f32]) -> Result<(), DataError> {
        let fitted = self.fit(image)?;
        let image = fitted.as_ref().unwrap_or(image);
        let window = Window::whole(Size::of(image));
        self.normalise.write(image, window, Mirror::No, out);
        Ok(())
    }

    /// `image` at the input's size, or `None` where it has that size and content already.
    fn fit(&self, image: &Image) -> Result<Option<Image>, DataError> {
        let size = Size::of(image);
        let placement = self.preprocess.place(size)?;
        if placement.resized == size && placement.window == Window::whole(size) {
            return Ok(None);
        }
        Ok(Some(resize_window(
            image,
            placement.resized,
            placement.window,
            self.preprocess.interpolation,
        )))
    }

    /// Draws which part of the picture is seen.
    fn cut(&self, image: &Image, stream: &mut Stream) -> Result<Part, DataError> {
        match &self.augment.cut {
            Cut::None => Ok(Part::whole(self.fitted(image)?, Mirror::No)),
            Cut::PadCrop(pad_crop) => self.pad_crop(pad_crop, image, stream),
            Cut::RandomCrop(crop) => Ok(self.random_crop(crop, image, stream)),
            Cut::ResizedCrop(crop) => Ok(self.resized_crop(crop, image, stream)),
        }
    }

    /// `image` at the input's size.
    fn fitted(&self, image: &Image) -> Result<Image, DataError> {
        Ok(self.fit(image)?.unwrap_or_else(|| image.clone()))
    }

    fn pad_crop(
        &self,
        pad_crop: &PadCrop,
        image: &Image,
        stream: &mut Stream,
    ) -> Result<Part, DataError> {
        let image = self.fitted(image)?;
        let window = pad_crop.draw(Size::of(&image), stream);
        let mirror = draw_mirror(pad_crop.mirror, stream);
        Ok(Part {
            image,
            window,
            mirror,
        })
    }

    fn random_crop(&self, crop: &RandomCrop, image: &Image, stream: &mut Stream) -> Part {
        let scale = crop.scale(Size::of(image), &self.preprocess);
        let window = crop.draw(scale, self.preprocess.size(), stream);
        let mirror = draw_mirror(crop.mirror, stream);
        let by = self.preprocess.interpolation;
        Part::whole(resize_window(image, scale, window, by), mirror)
    }

    fn resized_crop(&self, crop: &ResizedCrop, image: &Image, stream: &mut Stream) -> Part {
        let window = crop.draw(Size::of(image), stream);
        let mirror = draw_mirror(crop.mirror, stream);
        let interpolation = match crop.interpolations.as_slice() {
            [] => self.preprocess.interpolation,
            choices => choices[stream.below(choices.len() as u64) as usize],
        };
        let size = self.preprocess.size();
        Part::whole(crop_and_resize(image, window, size, interpolation), mirror)
    }
}

/// What is seen of a picture.
struct Part {
    image: Image,
    window: Window,
    mirror: Mirror,
}

impl Part {
    fn whole(image: Image, mirror: Mirror) -> Self {
        Self {
            window: Window::whole(Size::of(&image)),
            image,
            mirror,
        }
    }

    /// The part as a picture of its own.
    fn cut_out(self) -> Image {
        let whole = Window::whole(Size::of(&self.image));
        if self.window == whole && self.mirror == Mirror::No {
            return self.image;
        }
        cut_out(&self.image, self.window, self.mirror)
    }
}

impl Transform for Pipeline {
    fn output(&self) -> Shape {
        let [c, h, w] = self.preprocess.input;
        Shape::new(1, h, w, c)
    }

    fn apply(&self, image: &Image, stream: &mut Stream, out: &mut [f32]) -> Result<(), DataError> {
        if self.augment == Augment::default() {
            return self.evaluate(image, out);
        }
        let mut part = self.cut(image, stream)?;
        if let Some(color) = &self.augment.color {
            let steps = color.draw(stream);
            steps
                .into_iter()
                .for_each(|step| step.apply(&mut part.image));
        }
        if let Some(policy) = &self.augment.policy {
            let mut picture = part.cut_out();
            let operations = policy.draw(picture.width, picture.height, stream);
            operations.into_iter().for_each(|op| op.apply(&mut picture));
            part = Part::whole(picture, Mirror::No);
        }
        let Part {
            image,
            window,
            mirror,
        } = &part;
        self.normalise.write(image, *window, *mirror, out);
        if let Some(erase) = &self.augment.erase {
            erase.apply(out, self.output(), stream);
        }
        Ok(())
    }
}
