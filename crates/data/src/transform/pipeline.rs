//! Preprocessing and augmentation in one go.

use super::augment::draw_mirror;
use super::{
    Augment, Mirror, Normalise, PadCrop, Preprocess, ResizedCrop, Size, Window, crop_and_resize,
    resize_window,
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
        Self::new(preprocess, Augment::None)
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
        self.write(image, Mirror::No, out);
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

    fn write(&self, image: &Image, mirror: Mirror, out: &mut [f32]) {
        let window = Window::whole(Size::of(image));
        self.normalise.write(image, window, mirror, out);
    }

    fn pad_crop(
        &self,
        pad_crop: &PadCrop,
        image: &Image,
        stream: &mut Stream,
        out: &mut [f32],
    ) -> Result<(), DataError> {
        let fitted = self.fit(image)?;
        let image = fitted.as_ref().unwrap_or(image);
        let window = pad_crop.draw(Size::of(image), stream);
        let mirror = draw_mirror(pad_crop.mirror, stream);
        self.normalise.write(image, window, mirror, out);
        Ok(())
    }

    fn resized_crop(
        &self,
        crop: &ResizedCrop,
        image: &Image,
        stream: &mut Stream,
        out: &mut [f32],
    ) {
        let window = crop.draw(Size::of(image), stream);
        let mirror = draw_mirror(crop.mirror, stream);
        let interpolation = match crop.interpolations.as_slice() {
            [] => self.preprocess.interpolation,
            choices => choices[stream.below(choices.len() as u64) as usize],
        };
        let size = self.preprocess.size();
        let mut part = crop_and_resize(image, window, size, interpolation);
        if let Some(color) = &crop.color {
            let steps = color.draw(stream);
            steps.into_iter().for_each(|step| step.apply(&mut part));
        }
        self.write(&part, mirror, out);
    }
}

impl Transform for Pipeline {
    fn output(&self) -> Shape {
        let [c, h, w] = self.preprocess.input;
        Shape::new(1, h, w, c)
    }

    fn apply(&self, image: &Image, stream: &mut Stream, out: &mut [f32]) -> Result<(), DataError> {
        match &self.augment {
            Augment::None => self.evaluate(image, out),
            Augment::PadCrop(pad_crop) => self.pad_crop(pad_crop, image, stream, out),
            Augment::ResizedCrop(crop) => {
                self.resized_crop(crop, image, stream, out);
                Ok(())
            }
        }
    }
}
